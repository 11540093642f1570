"""Damaged answers, made from a seed: what a server, a relay or a network may do to an answer.

`damaged(seed)` gives one answer of either protocol, streamed or not, with nothing to three things
done to it. The same seed gives the same bytes in every process and on every version of Python.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.damage_answers import DONE, Said, body_of, events_of, said

Rng = random.Random
_RAW = {  # what json.dumps does not write; put into the text afterwards
    "@@huge@@": "9" * 5000,
    "@@nan@@": "NaN",
    "@@infinity@@": "-Infinity",
    "@@exponent@@": "1e999",
    **{f"@@deep{n}@@": "[" * n + "]" * n for n in (10, 150, 201, 900, 2000)},
    **{f"@@nested{n}@@": '{"a":' * n + "1" + "}" * n for n in (10, 150, 201, 900, 2000)},
}
_RAWS = re.compile("|".join(f'"{name}"' for name in _RAW))
_WRONG: list[Any] = [
    *(None, True, False, 0, 1, -1, 7, 1.5, 0.0, 1.0, -2.5, 10**30, 10**400),
    *("", "x", " ", "0", "\ud83d", "\ude0a", "a\x00\x1b[31mb\r\nc", "é" * 300, "<tool_call>"),
    *([], ["x"], [[]], [None], [5], [{}], {}, {"a": 1}, {"content": "x"}, {"text": "x"}, *_RAW),
]
_REASONS: list[Any] = [
    *("stop", "length", "tool_calls", "content_filter", "repetition_truncation", "abort", "error"),
    *("ABORT", "cancelled", "failed"),
    *(
        "null",
        "",
        " ",
        "None",
        "eos",
        "end_turn",
        "max_tokens",
        "tool_use",
        "function_call",
        "STOP",
    ),
    *(None, 0, 1, 5, True, False, [], ["stop"], {}, {"type": "stop"}, "@@nan@@"),
]
_ERRORS: list[Any] = [
    {"code": "429", "message": "Too many requests"},
    {"type": "overloaded_error", "message": "Overloaded"},
    {"code": 500, "message": "x" * 3000},
    {"message": {"a": ["b"]}, "code": ["c"], "param": 5},
    {"metadata": {"raw": '{"error": {"message": "inner"}}'}},
    {"metadata": {"raw": "[" * 5000}, "message": "a\nb\ud83d"},
    *("overloaded", 5, True, ["x"], {"a": "@@huge@@"}, {"message": "@@deep150@@"}, 10**400),
    *(None, False, 0, "", {}, []),
]
_FAILED: list[Any] = [  # without the field `error`; vLLM until 0.10, FastAPI, gateways
    {"object": "error", "message": "boom", "type": "BadRequestError", "code": 400},
    {"type": "error", "message": "boom"},
    *({"detail": "boom"}, {"detail": [{"loc": ["body"], "msg": "boom"}]}),
    *({"errors": [{"message": "boom"}]}, {"code": 500, "message": "boom"}, {"message": "boom"}),
    {"choices": [], "code": "500", "msg": "boom"},
]
_JUNK = [
    *(b"", b" ", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb", b"\xbb", b"\x00", b"\xff\xfe", b"\xed\xa0"),
    *(b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", b"null"),
    *(b"{}", b"[]", b'"x"', b"data: ", b"data: [DONE]\n\n", b"data\n\n", b'{"error": "x"}'),
    b'data: {"error": {"message": "broken"}}\n\n',
    b"event: error\ndata: upstream failed\n\n",
    b'event: error\ndata: {"type": "error", "error": {"type": "api_error", "message": "x"}}\n\n',
    b"<html>" + b"<" * 3000,
]


_COUNTABLE = ("@@nan@@", "@@infinity@@", "@@exponent@@", "@@deep10@@", "@@nested10@@")
_READABLE = [v for v in _WRONG if v not in [*_RAW] or v in _COUNTABLE]  # they cost no event


class Place(NamedTuple):
    """Where a value stands in an event."""

    holder: Any
    key: Any


@dataclass
class Damaged:
    """One answer, and what was done to it."""

    seed: int
    protocol: str
    streamed: bool
    said: Said
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)
    harmless: bool = True
    """Whether every reader has to read what was said, whatever was done."""


def damaged(seed: int) -> Damaged:
    """The answer of a seed.

    Args:
        seed: any whole number.
    """
    rng = random.Random(seed)
    protocol = rng.choice(["chat_completions", "messages"])
    case = Damaged(seed, protocol, rng.random() < 0.75, said(rng))
    kind = "text/event-stream" if case.streamed or rng.random() < 0.2 else "application/json"
    case.headers["content-type"] = kind
    write = events_of if case.streamed else body_of
    events: list[Any] = write(case.protocol, case.said, rng)
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3])):
        _damage_once(case, events, rng)
    texts = [_text(event, case, rng) for event in events]
    case.body = _framed(texts, case, rng) if case.streamed else texts[0] if texts else b""
    if rng.random() < 0.2:
        _damage_bytes(case, rng)
    if rng.random() < 0.04:
        _damage_head(case, rng)
    return case


def _did(case: Damaged, what: str, *, harmless: bool = False) -> None:
    case.damages.append(what)
    case.harmless = case.harmless and harmless


def _damage_once(case: Damaged, events: list[Any], rng: Rng) -> None:
    weights = [weight for _, weight in _STRUCTURE]
    (act,) = rng.choices([act for act, _ in _STRUCTURE], weights)
    act(case, events, rng)


def places(value: Any, found: list[Place] | None = None) -> list[Place]:
    """Every place of a JSON value, from the outside to the inside.

    Args:
        value: a JSON value.
        found: what to append to.
    """
    found = [] if found is None else found
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, held in list(inner):
        found.append(Place(value, key))
        if isinstance(held, dict | list):
            places(held, found)
    return found


def _any_place(events: list[Any], rng: Rng) -> Place | None:
    found = places([event for event in events if isinstance(event, dict)])
    return rng.choice(found) if found else None


def _wrong_value(case: Damaged, events: list[Any], rng: Rng) -> None:
    if place := _any_place(events, rng):
        value = copy.deepcopy(rng.choice(_WRONG))
        place.holder[place.key] = value
        _did(case, f"{place.key!r} is {str(value)[:20]!r}")


def _dropped(case: Damaged, events: list[Any], rng: Rng) -> None:
    if place := _any_place(events, rng):
        del place.holder[place.key]
        _did(case, f"{place.key!r} is dropped")


def _renamed(case: Damaged, events: list[Any], rng: Rng) -> None:
    place = _any_place(events, rng)
    if place and isinstance(place.holder, dict):
        name = rng.choice(["message", "delta", "text", "content", "type", "error", "x"])
        place.holder[name] = place.holder.pop(place.key)
        _did(case, f"{place.key!r} is called {name!r}")


def _doubled(case: Damaged, events: list[Any], rng: Rng) -> None:
    place = _any_place(events, rng)
    if place is None:
        return
    again = copy.deepcopy(place.holder[place.key])
    if isinstance(place.holder, list):
        if isinstance(again, dict) and rng.random() < 0.5:
            again["index"] = rng.choice([0, 1, 1, "1", None])
        place.holder.insert(rng.choice([place.key, place.key + 1]), again)
    else:
        place.holder[place.key] = [again] if rng.random() < 0.5 else {place.key: again}
    _did(case, f"{place.key!r} is doubled or wrapped")


def _finish_reason(case: Damaged, events: list[Any], rng: Rng) -> None:
    found = [p for p in places(events_in(events)) if p.key in ("finish_reason", "stop_reason")]
    if found:
        reason = rng.choice(_REASONS)
        place = rng.choice(found)
        place.holder[place.key] = copy.deepcopy(reason)
        _did(case, f"a finish reason is {reason!r}")


def events_in(events: list[Any]) -> list[Any]:
    """Those that are objects.

    Args:
        events: objects, and texts such as `[DONE]`.
    """
    return [event for event in events if isinstance(event, dict)]


def _usage(case: Damaged, events: list[Any], rng: Rng) -> None:
    found = [p for p in places(events_in(events)) if p.key == "usage"]
    if not found:
        return
    place = rng.choice(found)
    usage = place.holder["usage"]
    value = copy.deepcopy(rng.choice(_READABLE))
    if isinstance(usage, dict) and usage and rng.random() < 0.7:
        name = rng.choice([*usage, "seconds", "web_search_usage"])
        inner = usage.get(name)
        if isinstance(inner, dict) and inner and rng.random() < 0.5:
            inner[rng.choice(list(inner))] = value
        else:
            usage[name] = value
    else:
        place.holder["usage"] = value
    _did(case, f"a usage holds {str(value)[:20]!r}", harmless=True)


def _unread(case: Damaged, events: list[Any], rng: Rng) -> None:
    holders = events_in(events)
    holders += [
        p.holder[p.key] for p in places(holders) if p.key not in ("arguments", "input", "usage")
    ]
    holders = [h for h in holders if isinstance(h, dict) and "city" not in h]
    if holders:
        value = rng.choice(_READABLE)
        rng.choice(holders)["x_unread"] = copy.deepcopy(value)
        _did(case, f"an unread field holds {str(value)[:20]!r}", harmless=True)


def _error(case: Damaged, events: list[Any], rng: Rng) -> None:
    error = copy.deepcopy(rng.choice(_ERRORS))
    if rng.random() < 0.5:
        events.insert(rng.randint(0, len(events)), {"type": "error", "error": error})
    elif holders := events_in(events):
        place = rng.choice([Place({"": e}, "") for e in holders] + places(holders))
        if isinstance(inner := place.holder[place.key], dict):
            inner["error"] = error
    _did(case, f"an error: {str(error)[:30]}")


def _failed(case: Damaged, events: list[Any], rng: Rng) -> None:
    failed = copy.deepcopy(rng.choice(_FAILED))
    events.insert(rng.randint(0, len(events)), failed)
    _did(case, f"a failure: {failed}")


def _added(case: Damaged, events: list[Any], rng: Rng) -> None:
    """Something that does not belong there, in a list beside what does."""
    lists = [p for p in places(events_in(events)) if isinstance(p.holder[p.key], list)]
    if lists:
        place = rng.choice(lists)
        value = copy.deepcopy(rng.choice(_WRONG))
        place.holder[place.key].insert(rng.randint(0, len(place.holder[place.key])), value)
        _did(case, f"{place.key!r} holds {str(value)[:20]!r} beside what belongs there")


def _older_protocol(case: Damaged, events: list[Any], rng: Rng) -> None:
    """The text of a choice where completions had it before there was a chat."""
    choices = [p.holder[p.key] for p in places(events_in(events)) if p.key == 0]
    choices = [c for c in choices if isinstance(c, dict) and isinstance(c.get("delta"), dict)]
    if choices:
        choice = rng.choice(choices)
        choice["text"] = choice["delta"].get("content")
        if rng.random() < 0.7:
            del choice["delta"]
        _did(case, "text in the place of a delta, or beside it")


def _events_moved(case: Damaged, events: list[Any], rng: Rng) -> None:
    if len(events) < 2:
        return
    here, there = rng.randrange(len(events)), rng.randrange(len(events))
    match rng.choice(["cut", "lost", "twice", "swapped", "mixed"]):
        case "cut":
            del events[here:]
            _did(case, f"cut before event {here}")
        case "lost":
            del events[here]
            _did(case, f"event {here} is lost")
        case "twice":
            events.insert(there, copy.deepcopy(events[here]))
            _did(case, f"event {here} comes again as {there}")
        case "swapped":
            events[here], events[there] = events[there], events[here]
            _did(case, f"events {here} and {there} are swapped")
        case "mixed":
            strange = rng.choice(
                [5, "x", "null", "{}", "[]", {}, {"choices": []}, {"type": "ping"}]
            )
            events.insert(here, copy.deepcopy(strange))
            _did(case, f"{strange!r} comes before event {here}", harmless=strange in _HARMLESS)


_HARMLESS: list[Any] = ["{}", {}, {"choices": []}, {"type": "ping"}]


def _deep_arguments(case: Damaged, events: list[Any], rng: Rng) -> None:
    names = ("arguments", "partial_json", "input", "text", "content")
    found = [p for p in places(events_in(events)) if p.key in names]
    if found:
        depth = rng.choice([10, 200, 1500, 2000])
        place = rng.choice(found)
        if rng.random() < 0.3:  # more digits than Python reads, or just as many
            digits = "9" * rng.choice([4300, 4301, 5000])
            form = rng.choice(['{"city":%s}', '{"steps":[%s', '{"city":"%s"}', "%s"])
            place.holder[place.key] = form % digits
            _did(case, f"{place.key} holds {len(digits)} digits")
            return
        place.holder[place.key] = rng.choice(["[", '{"city":', '{"city":[']) * depth
        _did(case, f"{place.key} is {depth} deep")


_Act = Callable[[Damaged, list[Any], Rng], None]
_STRUCTURE: list[tuple[_Act, int]] = [
    (_wrong_value, 8),
    (_dropped, 3),
    (_renamed, 2),
    (_doubled, 3),
    (_finish_reason, 3),
    (_usage, 3),
    (_unread, 2),
    (_error, 3),
    (_failed, 2),
    (_added, 2),
    (_older_protocol, 1),
    (_events_moved, 6),
    (_deep_arguments, 1),
]


def _text(event: Any, case: Damaged, rng: Rng) -> bytes:
    """An event as JSON, now and then written as few write it."""
    if isinstance(event, str):
        return event.encode()
    escaped = rng.random() < 0.5  # else surrogates are written as bytes that are no UTF-8
    text = json.dumps(event, ensure_ascii=escaped, indent=rng.choice([None, None, None, 1]))
    text = _RAWS.sub(lambda raw: _RAW[raw[0][1:-1]], text)
    if rng.random() < 0.03 and (key := re.search(r'"(content|text|delta|id|index)": ', text)):
        text = f'{text[: key.start()]}"{key[1]}": [5], {text[key.start() :]}'
        _did(case, f"{key[1]} stands twice in an object", harmless=True)
    return text.encode("utf-8", "surrogatepass")


def _framed(texts: list[bytes], case: Damaged, rng: Rng) -> bytes:
    """Events on the wire, in any of the ways that the standard of server-sent events allows."""
    end = rng.choice([b"\n", b"\n", b"\r\n", b"\r"])
    mixes, names = rng.random() < 0.1, case.protocol == "messages" or rng.random() < 0.05
    space = b"" if rng.random() < 0.2 else b" "
    out = b"\xef\xbb\xbf" if rng.random() < 0.1 else b""
    for text in texts:
        if rng.random() < 0.05:
            out += rng.choice([b": PROCESSING", b":", b"id: 5", b"retry: x", b"x"]) + end * 2
        if mixes:
            end = rng.choice([b"\n", b"\r\n", b"\r"])
        if names and (named := re.search(rb'"type": "([a-z_]+)"', text)):
            out += b"event: " + named[1] + end
        out += b"".join(b"data:" + space + line + end for line in text.split(b"\n")) + end
    return out


def _damage_bytes(case: Damaged, rng: Rng) -> None:
    body, at = case.body, rng.randint(0, len(case.body))
    match rng.choice(["cut", "flipped", "junk", "lost", "twice", "instead", "line ends"]):
        case "cut":
            case.body = body[:at]
        case "flipped" if body:
            at = min(at, len(body) - 1)
            case.body = body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :]
        case "junk":
            at = rng.choice([0, at, len(body)])
            case.body = body[:at] + rng.choice(_JUNK) + body[at:]
        case "lost":
            case.body = body[:at] + body[at + rng.randint(1, 40) :]
        case "twice":
            case.body = body[:at] + body[max(0, at - rng.randint(1, 40)) :]
        case "instead":
            case.body = rng.choice(_JUNK)
        case _:
            case.body = body.replace(b"\n", rng.choice([b"\r", b"\r\n", b"\n\r", b"\n\n"]))
    _did(case, f"bytes at {at}")


def _damage_head(case: Damaged, rng: Rng) -> None:
    case.status = rng.choice([200, 201, 204, 302, 400, 401, 404, 421, 429, 500, 503])
    case.headers["content-type"] = rng.choice(["text/html", "application/json", "", "x", "é;"])
    case.headers |= rng.choice(
        [
            {},
            {"retry-after": "nan"},
            {"retry-after": "x" * 50},
            {"location": "http://x/" + "y" * 9},
        ]
    )
    if rng.random() < 0.5:
        case.body = json.dumps({"error": rng.choice(_ERRORS)}).encode()
    _did(case, f"HTTP {case.status}")


__all__ = ["DONE", "Damaged", "Place", "damaged", "places"]
