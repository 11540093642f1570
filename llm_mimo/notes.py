"""Words to the user beside the answer: on stderr under the `llm` command, else in the log."""

from __future__ import annotations

import logging
import sys

import click

_logger = logging.getLogger("llm_mimo")
_SAID = "llm_mimo.notes"


def note(text: str) -> None:
    """Say `text` now, once for each command: a chain of tool calls repeats its requests."""
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
    """`note`, but below the answer; with `newline` where stderr is in the middle of a line."""
    if click.get_current_context(silent=True) is None:
        _logger.warning("%s", text)
    else:
        after_answer("\n" * newline + f"Note: {text}")


def in_terminal() -> bool:
    """Whether the answer goes to a terminal of the `llm` command."""
    return click.get_current_context(silent=True) is not None and sys.stdout.isatty()
