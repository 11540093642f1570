"""The plugin's errors: one line each.

`llm prompt` shows any exception as one line; `llm chat` and commands show a traceback unless the
exception is click's, so these are.
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

_REALTIME = "MIMO_BASE_URL"
BATCHES = "MIMO_BATCH_BASE_URL (or --base-url)"
"""What sets the address of batches; `for_the_shell` and `llm_errors` take it."""

# What the core's errors tell a Python programmer to set -> what an `llm` user sets instead.
_SHELL_WORDS = (
    ("Set MIMO_API_KEY or pass api_key=…", "Run llm keys set mimo or set MIMO_API_KEY"),
    ("use protocol='chat_completions' (or its base URL)", "set MIMO_BASE_URL to chat completions"),
    ("Set MIMO_API_KEY or api_key to one", "Run llm keys set mimo or set MIMO_API_KEY"),
    ("batch_base_url", BATCHES),
    ("Give another path", "Name another file with --job"),
    ("Ask for one of them, or use MiMoClient", "Name one of them with -m, or use llm -m"),
    ("Ask for it with MiMoClient", "Ask for it with llm -m"),
    ("max_completion_tokens", "max_tokens"),
    (
        "messages is empty; a request needs at least one message",
        "The prompt is empty: give a text, or attach a file",
    ),
)
_BASE_URL = re.compile(r"\bbase_url\b(?!=)|\bbase_url=")


class ModelError(llm.ModelError, click.ClickException):
    """A model or a command failed; the message says why, and what to do next."""

    def __init__(self, message: str) -> None:
        """
        Args:
            message: the text; API keys, line breaks and terminal escapes are removed from it.
        """
        super().__init__(shown(message))


class MissingKeyError(llm.NeedsKeyException, ModelError):
    """No API key was found, and the service needs one."""


class InputError(ModelError, ValueError):
    """The user's input cannot be sent."""


def shown(text: str) -> str:
    """Make a text safe to show in a terminal.

    Args:
        text: from anywhere.

    Returns:
        One line without API keys and terminal escapes.
    """
    from mimo_core.errors import one_line

    return one_line(text)


def sentence(text: object) -> str:
    """A text from elsewhere as the end of a sentence: with one full stop.

    Args:
        text: what is said; an error, for instance.
    """
    said = str(text)
    return said if said.endswith((".", "!", "?")) else f"{said}."


def for_the_shell(text: str, address: str = _REALTIME) -> str:
    """Translate an error's text from Python arguments to what an `llm` user sets.

    Args:
        text: of an error of the core.
        address: what sets the address that it is about; `BATCHES` for those.

    Returns:
        The text with the names of keys, options and environment variables.
    """
    for said, meant in _SHELL_WORDS:
        text = text.replace(said, meant)
    return _BASE_URL.sub(lambda match: address + "=" * match[0].endswith("="), text)


def model_error(error: Exception, address: str = _REALTIME) -> ModelError:
    """Translate an error of the core.

    Args:
        error: a `MiMoError`.
        address: as for `for_the_shell`.

    Returns:
        The error for llm, which tells an `llm` user the next step.
    """
    from mimo_core.errors import AuthenticationError

    if getattr(error, "param", None) == "base_url":  # that variable itself is malformed
        address = _REALTIME
    text = for_the_shell(str(error), address)
    if isinstance(error, AuthenticationError):
        text += " With llm: llm keys set mimo (a saved key wins over MIMO_API_KEY)."
    return ModelError(text)


@contextmanager
def llm_errors(address: str = _REALTIME) -> Iterator[None]:
    """Turn errors of the core and of files into `ModelError`.

    Args:
        address: as for `for_the_shell`.

    Raises:
        ModelError: the block raised a `MiMoError` or an `OSError`.
        BrokenPipeError: the program that reads the output has ended; click handles it.
    """
    from mimo_core.errors import MiMoError

    try:
        yield
    except MiMoError as error:
        raise model_error(error, address) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise file_error(error) from error


def file_error(error: OSError, doing: str = "") -> ModelError:
    """Translate an error of a file.

    Args:
        error: the reason.
        doing: the beginning of the line, e.g. "The audio was not written".

    Returns:
        The error for llm.
    """
    why = error.strerror or str(error) or type(error).__name__
    where = f": {error.filename}" if error.filename else ""
    advice = " Free some space, or choose another place." if error.errno == errno.ENOSPC else ""
    return ModelError(f"{doing or 'A file cannot be used'}: {why}{where}.{advice}")


def echo(text: Any) -> None:
    """Print a line on stdout, in any encoding.

    A character that the encoding does not have becomes `\\u4f60`, with a note on stderr.

    Args:
        text: the line.
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
