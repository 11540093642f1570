"""`mimo-cassette show`: a cassette as a conversation in a terminal."""

from __future__ import annotations

import io
import os
import shutil
from typing import TextIO, TypedDict

from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from mimo_core.testing.cassette_tool.exchange import Answer, Exchange, Part, Question, Recording
from mimo_core.testing.cassette_tool.words import (
    counted,
    folded,
    line,
    pretty_json,
    size,
    visible,
)

_STYLES = {
    "reasoning": "dim italic",
    "call": "yellow",
    "result": "cyan",
    "media": "magenta",
    "data": "",
    "text": "",
}
_LABELS = {"reasoning": "reasoning", "call": "call", "result": "result", "media": "media"}
_ROLES = {"system": "blue", "user": "bold green", "assistant": "bold", "tool": "cyan"}
_WIDEST_LABEL = 10
_PLAIN_WIDTH = 100
"""Columns where nothing says how many there are."""


class _AsItIs(TypedDict):
    highlight: bool
    markup: bool
    emoji: bool


_AS_IT_IS: _AsItIs = {"highlight": False, "markup": False, "emoji": False}


def show(recording: Recording, out: TextIO, *, full: bool = False) -> None:
    """Print a cassette.

    Args:
        recording: what was loaded.
        out: where to; colours only where it is a terminal and NO_COLOR is not set.
        full: nothing is folded.
    """
    if os.environ.get("NO_COLOR") or not out.isatty():
        # Without a colour system rich writes no escape at all, not even for bold.
        text, width = io.StringIO(), shutil.get_terminal_size((_PLAIN_WIDTH, 0)).columns
        _print(recording, Console(file=text, color_system=None, width=width, **_AS_IT_IS), full)
        out.writelines(f"{row.rstrip()}\n" for row in text.getvalue().splitlines())
    else:
        _print(recording, Console(file=out, **_AS_IT_IS), full)


def _print(recording: Recording, console: Console, full: bool) -> None:
    console.print(_head(recording))
    for exchange in recording.exchanges:
        console.print(_exchange(exchange, full))


def _head(recording: Recording) -> RenderableType:
    lines = [Text(visible(recording.path), "bold")]
    whose = recording.provenance
    if whose is None:
        lines.append(Text("no provenance: the file does not say whose answers it holds", "red"))
    else:
        lines.append(Text(line(f"{whose.kind}: {whose}", 400), "green"))
        if whose.note:
            lines.append(Text(visible(whose.note)))
    counts = counted(len(recording.exchanges), "exchange")
    given = f"; given to requests by {whose.match} match" if whose else ""
    lines.append(Text(counts + given, "dim"))
    if recording.hidden:
        places = counted(recording.hidden, "place")
        said = f"credentials or request ids at {places}, hidden here: run mimo-cassette check"
        lines.append(Text(said, "bold red"))
    return Group(*lines)


def _exchange(exchange: Exchange, full: bool) -> RenderableType:
    question, answer = exchange.question, exchange.answer
    model = f" · {question.model}" if question.model else ""
    title = f"{exchange.number} · {question.method} {question.host}{question.path}{model}"
    rows = Table.grid(padding=(0, 1, 0, 0), expand=False)
    rows.add_column(width=_WIDEST_LABEL, no_wrap=True, justify="right")
    rows.add_column(overflow="fold", ratio=1)
    _add_question(rows, exchange, full)
    rows.add_row("", "")
    _add_answer(rows, question, answer, full)
    return Group(Text(""), Rule(Text(line(title)), align="left", style="dim"), rows)


def _add_question(rows: Table, exchange: Exchange, full: bool) -> None:
    question = exchange.question
    if question.options:
        options = " · ".join(f"{name}={value}" for name, value in question.options)
        rows.add_row(_label("options", "dim"), _folded(options, "dim", full))
    if question.tools:
        rows.add_row(_label("tools", "dim"), _folded(", ".join(question.tools), "dim", full))
    skipped = 0 if full else exchange.repeats
    if skipped:
        where = f"as in exchange {exchange.number - 1} (--full shows them)"
        said = f"{counted(skipped, 'message')} {where}"
        rows.add_row(_label("…", "dim"), Text(said, "dim"))
    for turn in question.turns[skipped:]:
        for number, part in enumerate(turn.parts):
            _add_part(rows, turn.role if number == 0 else "", part, full)
        if not turn.parts:
            rows.add_row(_label(turn.role, _ROLES.get(turn.role, "")), Text("(empty)", "dim"))
    if not question.protocol and question.raw:
        rows.add_row(_label("body", "dim"), _folded(pretty_json(question.raw), "", full))


def _add_part(rows: Table, role: str, part: Part, full: bool) -> None:
    kind = part.kind
    label = role if kind in ("text", "data") else _LABELS[kind]
    if kind == "media" and role and role != "assistant":
        label = role  # whose picture it is matters more than that it is one
    style = _ROLES.get(label, _STYLES.get(kind, ""))
    rows.add_row(_label(label, style), _of_part(part, full))


def _of_part(part: Part, full: bool) -> Text:
    head = Text()
    if part.kind in ("call", "result"):
        head.append(line(part.name or "?"), "bold " + _STYLES[part.kind])
        head.append(f" [{line(part.id, 60)}] " if part.id else " ", "dim")
    elif part.kind == "media":
        head.append(f"{line(part.name, 60)}, ", _STYLES["media"])
    return head.append_text(_folded(part.text, _STYLES[part.kind], full))


def _add_answer(rows: Table, question: Question, answer: Answer, full: bool) -> None:
    style = "green" if answer.is_fine else "bold red"
    status = Text(line(answer.outcome), style)
    status.append(f" · {line(answer.content_type)}" if answer.content_type else "", "dim")
    if question.model and answer.model not in ("", question.model):
        status.append(f" · answered by {line(answer.model)}", "yellow")
    rows.add_row(_label("answer", style), status)
    for number, part in enumerate(answer.parts):
        role = "assistant" if question.protocol else "body"
        _add_part(rows, role if number == 0 or part.kind == "text" else "", part, full)
    if answer.error:
        rows.add_row(_label("error", "bold red"), Text(visible(answer.error), "red"))
    if answer.finish_reason or answer.usage:
        rows.add_row(_label("end", "dim"), Text(line(end_of(answer), 400), "dim"))
    if answer.stream is not None:
        rows.add_row(_label("stream", "dim"), Text(delivery_of(answer), "dim"))
    if answer.broken:
        rows.add_row(_label("broken", "bold red"), Text(visible(answer.broken), "red"))
    if answer.note:
        rows.add_row(_label("note", "dim"), Text(visible(answer.note), "dim"))


def end_of(answer: Answer) -> str:
    """Why an answer ended, and its counts of tokens, in one line."""
    usage = answer.usage
    counts = [
        f"{usage[name]} {word}"
        for name, word in (
            ("prompt_tokens", "prompt"),
            ("completion_tokens", "completion"),
            ("total_tokens", "total"),
            ("seconds", "seconds"),
        )
        if isinstance(usage.get(name), int | float)
    ]
    for name in ("prompt_tokens_details", "completion_tokens_details", "web_search_usage"):
        details = usage.get(name)
        if isinstance(details, dict):
            counts += [f"{key} {value}" for key, value in details.items() if value]
    tokens = ", ".join(counts)
    return "; ".join(filter(None, (answer.finish_reason or "no finish reason", tokens)))


def delivery_of(answer: Answer) -> str:
    """How a stream was delivered, in one line."""
    stream = answer.stream
    if stream is None:
        return ""
    events = sum(event.kind != "comment" for event in stream.events)
    comments = len(stream.events) - events
    cut = sum(e.first != e.last and e.kind != "comment" for e in stream.events)
    pieces = counted(len(stream.pieces), "piece") if stream.has_pieces else "pieces not recorded"
    told = [f"{counted(events, 'event')} in {size(stream.size)}, {pieces}"]
    if comments:
        told.append(counted(comments, "comment"))
    if cut:
        told.append(f"{counted(cut, 'event')} cut by a piece's end")
    if stream.pieces and stream.pieces[-1].at is not None:
        told.append(f"first piece after {stream.pieces[0].at} ms, last {stream.pieces[-1].at} ms")
    if answer.broken:
        told.append(f"broke after {size(stream.size)}")
    return "; ".join(told)


def _label(text: str, style: str) -> Text:
    return Text(line(text, _WIDEST_LABEL), style)


def _folded(text: str, style: str, full: bool) -> Text:
    kept, left_out = (text, 0) if full else folded(text)
    shown = Text(visible(kept), style)
    if left_out:
        shown.append(f"\n… {left_out:,} characters more (--full)", "dim")
    return shown
