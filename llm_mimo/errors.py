"""The errors that leave this plugin: one line each, wherever `llm` lets them through.

`llm prompt` shows any exception as one line, `llm chat` and commands only click's.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import llm

# The core's words for what is set in Python, and what an `llm` user sets.
_SHELL_WORDS = (
    ("Set MIMO_API_KEY or pass api_key=…", "Run llm keys set mimo or set MIMO_API_KEY"),
    ("use protocol='chat_completions' (or its base URL)", "set MIMO_BASE_URL to chat completions"),
    ("max_completion_tokens", "max_tokens"),
    (
        "messages is empty; a request needs at least one message",
        "There is nothing to answer: give a prompt, or attach something",
    ),
)
_BASE_URL = re.compile(r"\bbase_url\b(?!=)|\bbase_url=")


class ModelError(llm.ModelError, click.ClickException):
    """What a model or a command could not do, with the next step."""

    def __init__(self, message: str) -> None:
        """
        Args:
            message: one line; keys and terminal escapes are taken out of it.
        """
        super().__init__(shown(message))


class MissingKeyError(llm.NeedsKeyException, ModelError):
    """No key, and the gateway needs one."""


class InputError(ModelError, ValueError):
    """What was given cannot be sent."""


def shown(text: str) -> str:
    """A text as a terminal may have it: one line without escape sequences and without keys."""
    from mimo_core.errors import one_line

    return one_line(text)


def for_the_shell(text: str) -> str:
    """An error's text with the names that an `llm` user sets things by.

    Args:
        text: what the core says; it speaks of arguments of Python.
    """
    for said, meant in _SHELL_WORDS:
        text = text.replace(said, meant)
    return _BASE_URL.sub(lambda match: "MIMO_BASE_URL" + "=" * match[0].endswith("="), text)


def model_error(error: Exception) -> ModelError:
    """What llm shows of an error of the core, with the next step as an llm user takes it.

    Args:
        error: a `MiMoError`.
    """
    from mimo_core.errors import AuthenticationError

    text = for_the_shell(str(error))
    if isinstance(error, AuthenticationError):
        text += " With llm: llm keys set mimo (a saved key wins over MIMO_API_KEY)."
    return ModelError(text)


@contextmanager
def llm_errors() -> Iterator[None]:
    """Turns errors of the core and of files into `ModelError`.

    Raises:
        ModelError: the block raised a `MiMoError` or an `OSError`.
    """
    from mimo_core.errors import MiMoError

    try:
        yield
    except MiMoError as error:
        raise model_error(error) from error
    except BrokenPipeError:
        raise  # whoever reads the output has enough; click ends quietly
    except OSError as error:
        raise file_error(error) from error


def file_error(error: OSError, doing: str = "") -> ModelError:
    """What could not be read or written, and why.

    Args:
        error: as it was raised.
        doing: what was tried, for the beginning of the line, e.g. "The audio was not written".
    """
    why = error.strerror or str(error) or type(error).__name__
    where = f": {error.filename}" if error.filename else ""
    advice = " Free some space, or choose another place." if error.errno == errno.ENOSPC else ""
    return ModelError(f"{doing or 'A file cannot be used'}: {why}{where}.{advice}")


def echo(text: Any) -> None:
    """Print a line on stdout, whatever characters its encoding has.

    What it does not have is shown as `\\u4f60`, and a note on stderr says how to see it.
    """
    line = str(text)
    encoding: str = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        line = line.encode(encoding, "backslashreplace").decode(encoding)
        click.echo(
            f"Note: {encoding} does not have every character of the output; "
            "set PYTHONIOENCODING=utf-8.",
            err=True,
        )
    click.echo(line)
