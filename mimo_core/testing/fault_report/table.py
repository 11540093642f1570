"""Every fault that a test is run under: its name, what happens, and when it can happen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mimo_core.testing.emulator import ERRORS, Fault, ReceivedRequest, Reply
from mimo_core.testing.emulator.faults import Event

Said = Reply | Mapping[str, Any]
"""What the script answers: a reply, or a raw JSON body."""

REFUSAL = "The emulator's content filter left out the answer."
_NO_TOOL = "no_such_tool"


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        name: in the report, and in the marker's `only` and `without`.
        says: what happens, in a line.
        make: the fault, of what the script answers and of the seconds that a silence lasts.
            None: the connection is refused, which only the client can be made to meet.
        applies: whether it can happen to this request and its answer.
        is_whole: whether the answer arrives whole in spite of it.
        waits: whether the client has to stop waiting.
        is_content: whether it is in what the model says, and not in how that arrives.
    """

    name: str
    says: str
    make: Callable[[Said, float], Fault] | None
    applies: Callable[[ReceivedRequest, Said], bool] = lambda request, said: True
    is_whole: bool = False
    waits: bool = False
    is_content: bool = False


def _streams(request: ReceivedRequest, said: Said) -> bool:
    return request.stream


def _scripted_stream(request: ReceivedRequest, said: Said) -> bool:
    return request.stream and isinstance(said, Reply)


def _plain(request: ReceivedRequest, said: Said) -> bool:
    return not request.stream


def _calls(request: ReceivedRequest, said: Said) -> bool:
    return isinstance(said, Reply) and bool(said.calls())


def _speaks(request: ReceivedRequest, said: Said) -> bool:
    return isinstance(said, Reply) and len(said.full_text) > 1


def _answers(request: ReceivedRequest, said: Said) -> bool:
    return _calls(request, said) or _speaks(request, said)


def _refused(name: str, says: str, **fields: Any) -> Row:
    status = ERRORS[name][0]
    return Row(f"{status} {name}", says, lambda said, wait: Fault(name, **fields))


def _delivered(name: str, says: str, **fields: Any) -> Row:
    """The scripted answer, which arrives in another way."""
    row = {key: fields.pop(key) for key in ("applies", "is_whole", "waits") if key in fields}
    return Row(name, says, lambda said, wait: Fault(reply=said, **fields), **row)


def _changed(
    name: str, says: str, change: Callable[[Reply], Reply], applies: Callable[..., bool]
) -> Row:
    """Another answer than the scripted one, which arrives whole."""

    def make(said: Said, wait: float) -> Fault:
        assert isinstance(said, Reply)  # `applies` has seen to it
        return Fault(reply=change(said))

    return Row(name, says, make, applies, is_content=True)


def _filtered(reply: Reply) -> Reply:
    return replace(
        reply, text="", json=None, tool_calls=(), refusal=REFUSAL, finish_reason="content_filter"
    )


def _cut_short(reply: Reply) -> Reply:
    text = reply.full_text
    half = text[: len(text) // 2]
    return replace(reply, text=half, json=None, refusal=None, finish_reason="length")


def _half_arguments(reply: Reply) -> Reply:
    first, *others = reply.calls()
    broken = first.arguments[: len(first.arguments) // 2] + '"'
    return replace(reply, tool_calls=[replace(first, arguments=broken), *others])


def _other_tool(reply: Reply) -> Reply:
    first, *others = reply.calls()
    return replace(reply, tool_calls=[replace(first, name=_NO_TOOL), *others])


def _other_arguments(reply: Reply) -> Reply:
    first, *others = reply.calls()
    strange = json.dumps({"no_such_argument": 1})
    return replace(reply, tool_calls=[replace(first, arguments=strange), *others])


def _with_broken_event(events: list[Event]) -> Sequence[Event]:
    half = max(1, len(events) // 2)
    return [*events[:half], '{"id": "an event that is cut off in its mid', *events[half:]]


def _silent_in_stream(said: Said, wait: float) -> Fault:
    assert isinstance(said, Reply)
    return Fault(reply=replace(said, interval=wait), cut="mid_stream", after=2)


FAULTS: tuple[Row, ...] = (
    _refused("rate_limit", "too many requests, with Retry-After: 1", retry_after=1),
    _refused("quota", "the plan's quota is used up, without Retry-After"),
    _refused("server", "an internal error"),
    _refused("bad_gateway", "a proxy's page in place of JSON"),
    _refused("overloaded", "the service is overloaded"),
    _refused("gateway_timeout", "a proxy's page, after its timeout"),
    _refused("invalid_key", "the key is not known (any more)"),
    _refused("balance", "the account has no balance"),
    _refused("region", "risk control, or a region that is not served"),
    _refused("not_found", "there is no such model or path"),
    _refused("context_overflow", "the messages are too long"),
    _refused("moderation", "the content filter refuses the request"),
    _refused("html", "a page to sign in to a network, with status 200"),
    Row(
        "429 in a relay's wrapping",
        "a relay's error, which holds the provider's",
        lambda said, wait: Fault("rate_limit", relay=True),
    ),
    Row(
        "500 as an event",
        "the error's body begins with `data:`",
        lambda said, wait: Fault("server", data_prefix=True),
        _streams,
    ),
    Row("connection refused", "nobody listens (clients of mimo_core only)", None),
    _delivered("connection closed", "closed before an answer", cut="before_headers"),
    _delivered("connection reset", "reset before an answer", cut="before_headers", reset=True),
    _delivered("cut before the body", "closed after the headers", cut="before_first_event"),
    _delivered("cut in the middle", "closed after half of the answer", cut="mid_stream"),
    _delivered(
        "ends in the middle",
        "half of the events, and a proper end",
        cut="mid_stream",
        clean=True,
        applies=_streams,
    ),
    _delivered(
        "ends without its mark",
        "everything but the last event",
        cut="before_done",
        applies=_streams,
        is_whole=True,
    ),
    Row(
        "silence before an answer",
        "the request is taken, and nothing comes",
        lambda said, wait: Fault(reply=said, latency=wait, cut="before_headers", reset=True),
        waits=True,
    ),
    Row(
        "silence after the headers",
        "the headers come, and no body",
        lambda said, wait: Fault(reply=said, first_event_latency=wait, cut="before_first_event"),
        waits=True,
    ),
    Row(
        "silence in the middle",
        "a stream stops after its first event",
        _silent_in_stream,
        _scripted_stream,
        waits=True,
    ),
    Row(
        "broken JSON",
        "half of a JSON body, with status 200",
        lambda said, wait: Fault(body='{"choices": [{"message": {"role": "assist'),
        _plain,
    ),
    _delivered(
        "malformed event",
        "an event that is no JSON, in the middle",
        edit=_with_broken_event,
        applies=_scripted_stream,
    ),
    _delivered(
        "error event",
        "the service fails in the middle of a stream",
        error_event="server",
        applies=_scripted_stream,
    ),
    _delivered(
        "moderation event",
        "the content filter ends a stream",
        error_event="moderation",
        applies=_scripted_stream,
    ),
    _delivered("empty stream", "no event at all", edit=lambda events: [], applies=_scripted_stream),
    _delivered(
        "no choices",
        "chunks or a body whose `choices` are empty",
        empty_choices=True,
        applies=lambda request, said: isinstance(said, Reply),
    ),
    _changed("content filter", "a refusal in place of the answer", _filtered, _answers),
    _changed("token limit", "half of the text, `finish_reason: length`", _cut_short, _speaks),
    _changed("invalid tool arguments", "arguments that are no JSON", _half_arguments, _calls),
    _changed("other tool arguments", "an argument that there is not", _other_arguments, _calls),
    _changed("unknown tool", "a call of a tool that there is not", _other_tool, _calls),
    _delivered(
        "JSON in place of a stream",
        "one body under text/event-stream",
        bare_json=True,
        applies=_scripted_stream,
        is_whole=True,
    ),
    _delivered(
        "no end",
        "a stream whose connection stays open",
        never_ends=True,
        applies=_scripted_stream,
        is_whole=True,
    ),
    _delivered(
        "keep-alive comments",
        "ten comment lines before the answer",
        comments=10,
        applies=_scripted_stream,
        is_whole=True,
    ),
    _delivered("byte by byte", "each byte comes alone", byte_by_byte=True, is_whole=True),
    _delivered("CRLF", "lines end in CRLF", crlf=True, applies=_scripted_stream, is_whole=True),
    _delivered("byte order mark", "the body begins with one", bom=True, is_whole=True),
)

NOT_FAULTS_OF_A_RUN = {
    "bad_request": "it is about what the request holds, and the emulator sends it by itself",
    "param_incorrect": "the same",
    "reasoning_not_passed_back": "the same",
    "image_unsupported": "the same",
}
"""The names of `ERRORS` that no row has, and why."""


def chosen(only: Sequence[str], without: Sequence[str]) -> list[Row]:
    """The rows that a marker asks for.

    Args:
        only: names; empty takes all.
        without: names to leave out.

    Returns:
        The rows, in the table's order.

    Raises:
        ValueError: there is no fault of a name.
    """
    names = [row.name for row in FAULTS]
    if unknown := [name for name in (*only, *without) if name not in names]:
        raise ValueError(f"no fault is called {unknown[0]!r}; there are: {', '.join(names)}")
    return [row for row in FAULTS if (not only or row.name in only) and row.name not in without]
