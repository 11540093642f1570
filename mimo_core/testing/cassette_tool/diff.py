"""`mimo-cassette diff`: what differs between two cassettes, by meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mimo_core.testing.cassette_tool.answers import answer_of
from mimo_core.testing.cassette_tool.exchange import Answer, Question
from mimo_core.testing.cassette_tool.interaction import Interaction, interaction_of
from mimo_core.testing.cassette_tool.loading import secrets_of, without_keys
from mimo_core.testing.cassette_tool.questions import question_of
from mimo_core.testing.cassette_tool.stream import payloads_of
from mimo_core.testing.cassette_tool.words import line
from mimo_core.testing.cassettes.differences import first_difference
from mimo_core.testing.cassettes.edits import json_of
from mimo_core.testing.cassettes.matching import difference
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.cassettes.vcrpy import Request

_OF_THE_MOMENT = frozenset({"id", "created", "request_id", "system_fingerprint"})
"""Fields of an answer that differ between any two recordings of it."""


class Side(NamedTuple):
    """One interaction of a file that is compared."""

    number: int
    found: Interaction
    question: Question
    answer: Answer

    @property
    def request(self) -> Request:
        """As vcrpy represents it."""
        headers = {name: ", ".join(values) for name, values in self.found.sent_headers.items()}
        return Request(self.found.method, self.found.uri, self.found.sent, headers)

    def __str__(self) -> str:
        last = self.question.turns[-1].parts if self.question.turns else ()
        asked = f": {last[-1].text}" if last else ""
        return line(f"{self.question.method} {self.question.path}{asked}", 80)


@dataclass(frozen=True)
class Difference:
    """A line of the report.

    Attributes:
        kind: `same`, `request`, `answer`, `missing` (in the second file) or `added`.
        text: the line.
    """

    kind: str
    text: str


def compare(first: str | Path, second: str | Path, *, events: bool = False) -> list[Difference]:
    """Compare two cassettes.

    Args:
        first: the file that counts as the old one.
        second: the new one.
        events: compare the events of streams one by one, not only the answers that they make.

    Returns:
        A line for each interaction of either.

    Raises:
        CassetteError: a file is missing or is not a cassette.
    """
    old, new = _sides(first), _sides(second)
    return list(_differences(old, new, events))


def _sides(path: str | Path) -> list[Side]:
    found = [
        interaction_of(one, f"{path}: interaction {number}")
        for number, one in enumerate(read(path)["interactions"], 1)
    ]
    secrets = frozenset[str]().union(*map(secrets_of, found))
    sides = []
    for number, one in enumerate(found, 1):
        clean, _ = without_keys(one, secrets)
        question = question_of(clean)
        sides.append(Side(number, clean, question, answer_of(clean, question)))
    return sides


def _differences(old: list[Side], new: list[Side], events: bool) -> Iterator[Difference]:
    same = _equal_requests(old, new)
    taken = set(same.values())
    left = [side for side in new if side.number not in taken]
    for side in old:
        other = same.get(side.number)
        if other is not None:
            yield _of_pair(side, new[other - 1], None, events)
            continue
        near = next((one for one in left if _is_near(side, one)), None)
        if near is None:
            yield Difference("missing", f"- {side.number}. {side}")
            continue
        left.remove(near)
        yield _of_pair(side, near, difference(near.request, side.request, "exact"), events)
    for side in left:
        yield Difference("added", f"+ {side.number}. {side}")


def _equal_requests(old: list[Side], new: list[Side]) -> dict[int, int]:
    """Which requests of the one are which of the other: the same host first, then any."""
    pairs: dict[int, int] = {}
    for hosts in (True, False):
        for side in old:
            if side.number in pairs:
                continue
            for other in new:
                if other.number in pairs.values():
                    continue
                if hosts and side.question.host != other.question.host:
                    continue
                if difference(other.request, side.request, "exact") is None:
                    pairs[side.number] = other.number
                    break
    return pairs


def _is_near(side: Side, other: Side) -> bool:
    """Whether two requests, which are not equal, are worth comparing."""
    return side.question.method == other.question.method and (
        side.question.path == other.question.path
        if not side.question.protocol
        else side.question.protocol == other.question.protocol
    )


def _of_pair(side: Side, other: Side, asked: str | None, events: bool) -> Difference:
    numbers = f"{side.number}" if side.number == other.number else f"{side.number}→{other.number}"
    answered = difference_of_answers(side, other, events=events)
    if asked is None and answered is None:
        return Difference("same", f"= {numbers}. {side}")
    told = [f"~ {numbers}. {side}"]
    told += [f"    request: {line(asked, 400)}"] if asked else []
    told += [f"    answer: {line(answered, 400)}"] if answered else []
    return Difference("request" if asked else "answer", "\n".join(told))


def difference_of_answers(side: Side, other: Side, *, events: bool) -> str | None:
    """Where two answers differ first, or None where they say the same.

    Args:
        side: of the first file, which counts as recorded.
        other: of the second file.
        events: compare streams event by event.
    """
    found = first_difference(_essence(other), _essence(side))
    if found is None and events:
        found = first_difference(_events(other), _events(side))
    return found


def _essence(side: Side) -> dict[str, Any]:
    """What an answer says: without ids and times, and whether or not it was streamed."""
    answer = side.answer
    essence: dict[str, Any] = {"status": answer.status}
    if answer.error:
        essence["error"] = answer.error
    if answer.broken:
        essence["broken"] = answer.broken
    if not side.question.protocol:
        body = json_of(side.found.body)
        essence["body"] = _lasting(body) if body is not None else answer.raw
        return essence
    message = {name: value for name, value in answer.message.items() if value}
    essence["message"] = _lasting(message)
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        essence["message"]["tool_calls"] = [_call(call) for call in calls]
    essence["finish_reason"] = answer.finish_reason
    essence["usage"] = answer.usage
    return essence


def _call(call: Any) -> Any:
    """A call by its meaning: its arguments parsed, without its id and its place."""
    if not isinstance(call, dict) or not isinstance(function := call.get("function"), dict):
        return call
    text = function.get("arguments")
    parsed = json_of(text)
    return {"name": function.get("name"), "arguments": text if parsed is None else parsed}


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _lasting(v) for k, v in value.items() if k not in _OF_THE_MOMENT}
    return [_lasting(one) for one in value] if isinstance(value, list) else value


def _events(side: Side) -> dict[str, Any]:
    if side.answer.stream is None:
        return {"events": []}
    return {"events": [_event(payload) for payload in payloads_of(side.found.body)]}


def _event(payload: bytes) -> Any:
    try:
        return _lasting(json.loads(payload))
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")
