"""Streams read for how they are framed: bytes and times in, words out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core.doctor._framing import finish_count, first_chunk, framing, usage_place
from mimo_core.doctor._wire import Exchange


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'choices': choices, **more})}\n\n".encode()


ROLE = chunk({"role": "assistant", "content": ""})
HI = chunk({"content": "Hi"})
STOP = chunk({}, "stop")
USAGE = chunk(None, usage={"completion_tokens": 1})
DONE = b"data: [DONE]\n\n"


def read(*pieces: bytes) -> Any:
    return framing([(float(when), piece) for when, piece in enumerate(pieces)])


def test_comments_events_and_the_end() -> None:
    found = read(b": PROCESSING\n\n", ROLE, HI, b": still here\n\n", STOP, USAGE, DONE)
    assert (found.comments, found.later_comments, found.done) == (1, 1, True)
    assert [when for when, _ in found.events] == [1.0, 2.0, 4.0, 5.0]
    assert found.text_times() == [2.0]


def test_an_event_that_is_cut_anywhere_counts_when_it_is_whole() -> None:
    found = read(ROLE + HI[:9], HI[9:-2], HI[-2:] + STOP)
    assert found.text_times() == [2.0]
    assert not found.done


@pytest.mark.parametrize(
    ("stream", "place"),
    [
        ((ROLE, HI, STOP, USAGE, DONE), "in a chunk of its own"),
        ((ROLE, HI, chunk({}, "stop", usage={"total_tokens": 1}), DONE), "with finish_reason"),
        ((chunk({"content": "Hi"}, usage={"total_tokens": 1}), STOP), "with a piece of text"),
        ((ROLE, USAGE, HI, USAGE, DONE), "on 2 chunks"),
        ((ROLE, HI, STOP, DONE), "nowhere"),
    ],
)
def test_where_usage_stands(stream: tuple[bytes, ...], place: str) -> None:
    assert usage_place(read(*stream)) == place


def test_the_first_chunk_and_the_finish_reason() -> None:
    assert first_chunk(read(ROLE, HI)) == "role and empty content"
    assert first_chunk(read(HI)) == "content at once"
    assert first_chunk(read(chunk({"role": "assistant"}))) == "role, no content"
    assert first_chunk(read(DONE)) == "no chunk"
    assert [finish_count(read(*[STOP] * n)) for n in range(3)] == ["never", "once", "2 times"]


def test_what_is_no_stream_has_no_events() -> None:
    found = read(b"<html>data: no</html>", b"\n[1, 2]\n", b"data: [1]\n\ndata: nonsense\n\n")
    assert found.events == []


def test_a_body_that_is_compressed_all_the_same_is_read() -> None:
    import gzip

    body = gzip.compress(HI + DONE)
    exchange = Exchange(
        0.0, "/", 200, {"content-encoding": "gzip"}, [(1.0, body[:9]), (2.0, body[9:])]
    )
    found = framing(exchange.plain_pieces)
    assert (found.text_times(), found.done) == ([2.0], True)
