"""Notes to the user: on stderr under the `llm` command, else in the logger `llm_mimo`."""

from __future__ import annotations

import logging
import sys

import click

from llm_mimo.errors import shown

_logger = logging.getLogger("llm_mimo")
_NOTES_SO_FAR = "llm_mimo.notes"
_CUT_AT_LIMIT = {
    "text": "the answer was cut at the limit of tokens; raise it with -o max_tokens.",
    "speech": "the speech was cut at the limit of tokens; split the text.",
    "transcript": "the text was cut at the limit of tokens; split the recording.",
}


def cut_reason(finish_reason: str | None, what: str = "text") -> str:
    """Explain why an answer was cut.

    Args:
        finish_reason: of the answer.
        what: `text`, `speech` or `transcript`.

    Returns:
        The reason and the next step; an empty text if the answer was not cut.
    """
    if finish_reason == "length":
        return _CUT_AT_LIMIT[what]
    if finish_reason == "repetition_truncation":
        return "the service cut the answer because it repeated itself; ask again or rephrase."
    if finish_reason == "content_filter":
        return "the service's content filter cut the answer; rephrase the prompt."
    return ""


def note(text: str) -> None:
    """Show a note now, but only once in a command: a chain of tool calls repeats its requests.

    Args:
        text: the note.
    """
    text = shown(text)
    context = click.get_current_context(silent=True)
    if context is None:
        _logger.warning("%s", text)
        return
    shown_notes = context.meta.setdefault(_NOTES_SO_FAR, set())
    if text not in shown_notes:
        shown_notes.add(text)
        click.echo(f"Note: {text}", err=True)


def after_answer(text: str) -> None:
    """Show a text on stderr below the answer, which `llm` prints when the model has finished.

    Args:
        text: one or more lines.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    if context.info_name == "chat":  # stays open for the whole session, and always streams
        click.echo(f"\n{text}", nl=False, err=True)
    else:
        context.call_on_close(lambda: click.echo(text, err=True))


def note_after_answer(text: str, *, newline: bool = False) -> None:
    """Show a note below the answer.

    Args:
        text: the note.
        newline: whether to end the line on stderr first.
    """
    text = shown(text)
    if click.get_current_context(silent=True) is None:
        _logger.warning("%s", text)
    else:
        after_answer("\n" * newline + f"Note: {text}")


def in_terminal() -> bool:
    """Whether the `llm` command prints the answer to a terminal."""
    return click.get_current_context(silent=True) is not None and sys.stdout.isatty()
