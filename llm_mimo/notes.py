"""Words to the user beside the answer: on stderr under the `llm` command, else in the log."""

from __future__ import annotations

import logging
import sys

import click

from llm_mimo.errors import shown

_logger = logging.getLogger("llm_mimo")
_SAID = "llm_mimo.notes"
_CUT_AT_LIMIT = {
    "text": "the answer was cut at the limit of tokens; raise it with -o max_tokens.",
    "speech": "the speech was cut at the limit of tokens; split the text.",
    "transcript": "the text was cut at the limit of tokens; split the recording.",
}


def cut_reason(finish_reason: str | None, what: str = "text") -> str:
    """Why an answer was cut, and what to do; empty where it was not.

    Args:
        finish_reason: of the answer.
        what: `text`, `speech` or `transcript`.
    """
    if finish_reason == "length":
        return _CUT_AT_LIMIT[what]
    if finish_reason == "repetition_truncation":
        return "the service cut the answer because it repeated itself; ask again or rephrase."
    if finish_reason == "content_filter":
        return "the service's content filter cut the answer; rephrase the prompt."
    return ""


def note(text: str) -> None:
    """Say `text` now, once for each command: a chain of tool calls repeats its requests."""
    text = shown(text)
    context = click.get_current_context(silent=True)
    if context is None:
        _logger.warning("%s", text)
        return
    said = context.meta.setdefault(_SAID, set())
    if text not in said:
        said.add(text)
        click.echo(f"Note: {text}", err=True)


def after_answer(text: str) -> None:
    """Say `text` on stderr below the answer, which `llm` prints after the model is done."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    if context.info_name == "chat":  # stays open for the whole session, and always streams
        click.echo(f"\n{text}", nl=False, err=True)
    else:
        context.call_on_close(lambda: click.echo(text, err=True))


def note_after_answer(text: str, *, newline: bool = False) -> None:
    """`note`, but below the answer.

    Args:
        text: what to say.
        newline: whether stderr is in the middle of a line.
    """
    text = shown(text)
    if click.get_current_context(silent=True) is None:
        _logger.warning("%s", text)
    else:
        after_answer("\n" * newline + f"Note: {text}")


def in_terminal() -> bool:
    """Whether the answer goes to a terminal of the `llm` command."""
    return click.get_current_context(silent=True) is not None and sys.stdout.isatty()
