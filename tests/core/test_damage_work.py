"""Time and memory grow as the answer does: eight times the bytes, about eight times the work.

A quadratic reader would need sixty-four times the time. Ratios are compared, not seconds, and of
several measurements the least counts: whatever else runs on the machine only adds to it.
"""

from __future__ import annotations

import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mimo_core import MiMoError
from mimo_core._http.exchange import ChatCall
from mimo_core._http.options import RequestOptions
from mimo_core.gateways import Endpoint
from tests.conftest import KEY
from tests.damage_trial import BASE_URLS, REQUEST

_SIZE = 160
_TIMES = 8
_MOST = 14  # above the 8 of linear work, far below the 64 of quadratic work


def chat(*deltas: Any) -> bytes:
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def calls(pieces: int, text: str) -> bytes:
    first = {"index": 0, "id": "a", "function": {"name": "plan", "arguments": ""}}
    piece = {"index": 0, "function": {"arguments": text}}
    return chat({"tool_calls": [first]}, *[{"tool_calls": [piece]}] * pieces)


def signatures(pieces: int) -> bytes:
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}}
    piece = {"type": "signature_delta", "signature": "x" * 50}
    events = [start, *[{"type": "content_block_delta", "index": 0, "delta": piece}] * pieces]
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


ANSWERS: dict[str, tuple[Callable[[int], bytes], int]] = {
    # name: the answer for a size, and the bytes of a read
    "many events": (lambda n: chat(*[{"content": "word "}] * n), 4096),
    "one long event": (lambda n: chat({"content": "x" * 400 * n}), 4096),
    "one long event, byte by byte": (lambda n: chat({"content": "x" * 20 * n}), 1),
    "a line without end": (lambda n: b"data: " + b"x" * 400 * n, 64),
    "many lines of one event": (lambda n: b"data: 1\n" * 10 * n, 64),
    "comments": (lambda n: b": still here\r\n\r\n" * 10 * n, 64),
    "carriage returns": (lambda n: b"\r" * 40 * n, 7),
    "blank, and no event": (lambda n: b" " * 100 * n, 7),
    "a bare body": (lambda n: b'{"choices": "' + b"x" * 400 * n, 64),
    "choices": (  # only the first one of a whole answer is read
        lambda n: (
            b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}'
            + b', {"index": 1}' * 40 * n
            + b"]}"
        ),
        4096,
    ),
    "choices of an event": (
        lambda n: b'data: {"choices": [{"index": 0}' + b', {"index": 1}' * 40 * n + b"]}\n\n",
        4096,
    ),
    "choices, read slowly": (  # half of a letter is what the fast parser refuses
        lambda n: b'data: {"x": "\\ud83d", "choices": [{}' + b", {}" * 40 * n + b"]}\n\n",
        4096,
    ),
    "digits": (lambda n: calls(1, '{"a":"' + ("9" * 4000 + " ") * n + '"}'), 4096),
    "pieces of a call": (lambda n: calls(n, '{"steps": [1, 2, 3]}'), 4096),
    "nested arguments": (lambda n: calls(1, '{"a":[' * 30 * n), 4096),
    "calls": (
        lambda n: chat(
            *(
                {"tool_calls": [{"index": i, "id": f"c{i}", "function": {"name": "plan"}}]}
                for i in range(n)
            )
        ),
        4096,
    ),
    "calls in a text": (
        lambda n: chat(*[{"content": "<tool_call><function=plan><parameter=a>"}] * n),
        4096,
    ),
    "whole calls in a text": (
        lambda n: chat(*[{"content": "<tool_call><function=plan></function></tool_call>"}] * n),
        4096,
    ),
    "beginnings of a call": (lambda n: chat(*[{"content": "<tool_cal"}] * n), 4096),
    "fences": (lambda n: chat(*[{"content": "```"}] * n), 4096),
    "sources": (lambda n: chat(*[{"annotations": [{"url": "x"}] * 5}] * n), 4096),
    "details": (
        lambda n: chat(
            *[{"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "hm"}]}] * n
        ),
        4096,
    ),
    "signatures": (signatures, 4096),
    "brackets of a page": (lambda n: b"<html>" + b"<" * 100 * n, 4096),
}


def read(body: bytes, size: int, protocol: str) -> None:
    """Read an answer to its end, whatever that is."""
    url = BASE_URLS[protocol]
    endpoint = Endpoint.resolve(KEY, url, protocol, None)
    call = ChatCall(endpoint, REQUEST, stream=True, max_retries=0, options=RequestOptions())
    decoder = call.decoder(200, {"content-type": "text/event-stream"})
    try:
        for at in range(0, len(body), size):
            decoder.feed(body[at : at + size])
        decoder.close()
    except MiMoError:
        pass
    decoder.response()


def seconds(body: bytes, size: int, protocol: str, enough: float = 0.0) -> float:
    """The least of three measurements; the first that is `enough` needs no other."""
    taken: list[float] = []
    while len(taken) < 3 and min(taken, default=enough + 1) > enough:
        began = time.process_time()
        read(body, size, protocol)
        taken.append(time.process_time() - began)
    return min(taken)


def memory(body: bytes, size: int, protocol: str) -> int:
    tracemalloc.start()
    try:
        read(body, size, protocol)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def no_garbage_search() -> Iterator[None]:
    """None falls into what is measured. (To make one before each measurement would cost more than
    all of them, at the end of a long run.)"""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_search")
@pytest.mark.parametrize("name", ANSWERS)
def test_eight_times_the_answer_is_about_eight_times_the_work(name: str) -> None:
    make, size = ANSWERS[name]
    protocol = "messages" if name == "signatures" else "chat_completions"
    tiny, small, large = make(_SIZE // _TIMES), make(_SIZE), make(_TIMES * _SIZE)
    read(small, size, protocol)  # what is imported late is no work of the answer's
    assert memory(small, size, protocol) <= _MOST * memory(tiny, size, protocol) + 2**16

    def is_linear() -> bool:
        # The floor keeps an answer that is read in no time at all from being judged by the clock.
        most = _MOST * max(seconds(small, size, protocol), 0.001)
        return seconds(large, size, protocol, most) <= most

    # A busy machine can slow down between the two; what grows too fast does so every time.
    assert any(is_linear() for _ in range(4))
