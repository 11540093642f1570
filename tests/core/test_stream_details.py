"""From events to chunks: stages, bare bodies, limits, ends, and what `stream()` gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core._response.accumulate import ContradictionError, response_from
from mimo_core._response.body import BodyDecoder, BodyReader
from mimo_core._response.decode import StreamDecoder
from mimo_core._response.normalise import ChunkNormaliser, as_chunks
from mimo_core._response.stage import COMPLETE, FAILED, STARTED, WAITING
from mimo_core._response.stream import AsyncStream, Stream
from mimo_core.errors import InvalidResponseError, MiMoError, StreamInterruptedError
from mimo_core.limits import Limits

HIGH, LOW = "\ud83d", "\ude0a"  # the halves of 😊


END: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


# The decoder of a stream


def decoder(**more: Any) -> StreamDecoder:
    return StreamDecoder(None, lambda event: MiMoError(str(event["error"])), **more)


def said(text: str) -> bytes:
    chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


ENDED = b"data: " + json.dumps(END).encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"


def test_the_stages_of_a_stream() -> None:
    stream = decoder()
    stages = [stream.stage]
    for data in (b": comment\n\n", said("a"), ENDED, DONE):
        stream.feed(data)
        stages.append(stream.stage)
    assert stages == [WAITING, WAITING, STARTED, STARTED, COMPLETE]
    assert stream.trailing == 0
    assert stream.feed(b"\n\n") == []
    assert stream.feed(said("too late")) == []
    assert stream.trailing == 2 + len(said("too late"))
    assert stream.close() == []


def test_after_a_failure_nothing_is_read() -> None:
    stream = decoder()
    assert stream.feed(said("a") + b"data: 5\n\n" + said("b"))
    assert stream.stage is FAILED
    assert stream.feed(said("c")) == []
    with pytest.raises(StreamInterruptedError, match="an event is not JSON") as raised:
        stream.close()
    assert raised.value.partial
    assert raised.value.partial["choices"][0]["message"]["content"] == "a"


def test_an_error_event_has_what_had_arrived() -> None:
    stream = decoder()
    stream.feed(said("a") + b'data: {"error": "busy"}\n\n')
    with pytest.raises(MiMoError, match="busy") as raised:
        stream.close()
    assert raised.value.partial
    nothing = decoder()
    nothing.feed(b'data: {"error": "busy"}\n\n')
    with pytest.raises(MiMoError, match="busy") as raised:
        nothing.close()
    assert raised.value.partial is None


def test_an_event_with_an_empty_error_is_a_chunk() -> None:
    stream = decoder()
    chunk = {"error": None, "choices": [{"index": 0, "delta": {"content": "a"}}]}
    assert stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@pytest.mark.parametrize("shown", [b"x" * 80, b"x" * 81])
def test_of_an_event_that_is_not_json_80_bytes_are_shown(shown: bytes) -> None:
    stream = decoder()
    stream.feed(b"data: " + shown + b"\n\n")
    with pytest.raises(StreamInterruptedError) as raised:
        stream.close()
    assert str(raised.value).count("x") == 80


def test_a_body_that_just_ends_after_a_finish_reason_is_complete() -> None:
    stream = decoder()
    stream.feed(said("a") + ENDED)
    (last,) = stream.close()
    assert last["choices"][0]["finish_reason"] == "stop"
    assert stream.stage is COMPLETE
    assert stream.response()["choices"][0]["finish_reason"] == "stop"


WHOLE = response_from({"role": "assistant", "content": "Hi"}, "stop", None, {"id": "1"})
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "pieces",
    [
        [b"{}"],
        [b"{", b"}"],
        [b" \t\r\n", b"\n", b"{", b"}"],
        [BOM, b"{}"],
        [BOM + b" {}"],
        [b"\xef", b"\xbb", b"\xbf", b" ", b"{}"],
        [b"", b"{}"],
    ],
)
def test_a_bare_body_is_read_as_the_answer_that_it_is(pieces: list[bytes]) -> None:
    bodies = []

    def read(body: bytes) -> Any:
        bodies.append(body)
        return WHOLE

    stream = decoder(whole=read)
    assert [stream.feed(piece) for piece in pieces] == [[]] * len(pieces)
    assert stream.stage is WAITING
    chunks = stream.close()
    assert bodies == [b"{}"]
    assert chunks[0]["choices"][0]["delta"]["content"] == "Hi"
    assert stream.response() is WHOLE
    assert stream.stage is COMPLETE


@pytest.mark.parametrize(
    "pieces",
    [
        [said("a")],
        [b"\n", said("a")],
        [b"\r\n\r\n", said("a")],
        [BOM + said("a")],
        [BOM, said("a")],
        [b"\xef", b"\xbb\xbf", said("a")],
        [b"d", said("a")[1:]],
    ],
)
def test_events_are_read_as_events_where_a_bare_body_may_come(pieces: list[bytes]) -> None:
    stream = decoder(whole=lambda body: pytest.fail("it is no bare body"))
    chunks = [chunk for piece in [*pieces, b"{\n", said("b")] for chunk in stream.feed(piece)]
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["a", "b"]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\xef", b"data: 1\n\n"],
        [b" ", said("a"), said("b")],
        [b"\n ", said("a"), said("b")],
        [b"", said("a")],
    ],
)
def test_where_a_bare_body_may_come_events_are_no_others(pieces: list[bytes]) -> None:
    plain, careful = decoder(), decoder(whole=lambda body: pytest.fail("it is no bare body"))
    for piece in pieces:
        assert careful.feed(piece) == plain.feed(piece)
        assert careful.stage is plain.stage


def test_what_looks_like_an_event_in_a_bare_body_is_none() -> None:
    stream = decoder(whole=lambda body: WHOLE)
    for piece in (b"{\ndata: 5\n\n", b"\ndata: 5\n\n}"):
        assert stream.feed(piece) == []
    assert stream.stage is WAITING
    assert stream.close()
    assert stream.stage is COMPLETE


def test_where_no_bare_body_may_come_it_is_no_answer() -> None:
    stream = decoder()
    stream.feed(b"{}")
    with pytest.raises(StreamInterruptedError, match="held no answer"):
        stream.close()


@pytest.mark.parametrize("more", [0, 1])
def test_a_stream_may_be_as_large_as_the_limit(more: int) -> None:
    stream = decoder(limits=Limits(answer=100))
    stream.feed(b"\n" * 60)
    assert stream.feed(b"\n" * (40 + more)) == []
    assert (stream.stage is FAILED) is bool(more)
    with pytest.raises(StreamInterruptedError, match=r"limits: answer" if more else "no answer"):
        stream.close()


def test_a_bare_body_that_is_too_large_is_not_read() -> None:
    stream = decoder(
        limits=Limits(answer=10), whole=lambda body: pytest.fail("it is larger than may be")
    )
    stream.feed(b"{" + b" " * 5)
    stream.feed(b" " * 10)
    with pytest.raises(StreamInterruptedError, match=r"the answer is larger than .*limits: answer"):
        stream.close()


def test_an_event_that_is_too_large_fails_the_stream() -> None:
    stream = decoder(limits=Limits(event=10))
    assert stream.feed(b"data: 678901") == []
    assert stream.stage is FAILED
    with pytest.raises(StreamInterruptedError, match=r"an event is larger than .*limits: event"):
        stream.close()


# Whole bodies


def test_of_a_refusal_the_beginning_is_kept() -> None:
    reader = BodyReader(is_answer=False, limits=Limits(error=5))
    reader.feed(b"abc")
    assert not reader.has_enough
    reader.feed(b"defg")
    assert reader.has_enough
    assert reader.body() == b"abcde"


def test_an_answer_that_is_too_large_is_an_error() -> None:
    reader = BodyReader(is_answer=True, limits=Limits(answer=5))
    reader.feed(b"abcdef")
    with pytest.raises(InvalidResponseError, match=r"limits \(answer\)"):
        reader.body()


def test_the_decoder_of_a_whole_body() -> None:
    body = BodyDecoder(
        lambda data: response_from({"content": data.decode()}, "stop", None, {}),
        BodyReader(is_answer=True, limits=Limits(answer=5)),
    )
    assert (body.stage, body.trailing) == (WAITING, 0)
    assert body.feed(b"Hi") == []
    assert body.stage is WAITING
    assert body.response()["choices"][0]["message"]["content"] == ""
    chunks = body.close()
    assert chunks[0]["choices"][0]["delta"] == {"content": "Hi"}
    assert body.response()["choices"][0]["message"]["content"] == "Hi"
    assert body.stage is COMPLETE
    assert "The answer broke off: x" in str(body.interrupted("x"))
    body.feed(b"Hello")
    assert body.stage is FAILED


def test_a_body_that_is_no_answer_does_not_complete() -> None:
    body = BodyDecoder(
        lambda data: response_from({"content": "x"}, None, None, {}), BodyReader(is_answer=True)
    )
    with pytest.raises(MiMoError):
        body.close()
    assert body.stage is WAITING


# The normaliser


def added(*chunks: Any) -> tuple[ChunkNormaliser, list[Any]]:
    normaliser = ChunkNormaliser()
    out: list[Any] = []
    for chunk in chunks:
        normaliser.add(chunk, out)
    return normaliser, out


def chunk(delta: Any = None, reason: Any = None, index: Any = 0, **more: Any) -> Any:
    return {
        **more,
        "choices": [{"index": index, "delta": delta, "finish_reason": reason}],
    }


def test_what_a_chunk_says_of_itself_stays_to_the_end() -> None:
    first = chunk({"content": "a"}, id="1", model="m", created=1, usage={"total_tokens": 1})
    normaliser, out = added(first, chunk(None, "stop", created=2))
    assert "usage" not in out[0]
    (last,) = normaliser.end(said=True)
    assert (last["id"], last["model"], last["created"]) == ("1", "m", 2)
    assert last["usage"] == {"total_tokens": 1}
    response: Any = normaliser.response()
    assert (response["id"], response["created"], response["usage"]) == ("1", 2, {"total_tokens": 1})


def test_of_several_usages_the_last_readable_one_counts() -> None:
    normaliser, _ = added(
        chunk({"content": "a"}, usage={"total_tokens": 1}),
        chunk({}, "stop", usage={"total_tokens": 2}),
        {"choices": [], "usage": None},
        {"choices": [], "usage": {"total_tokens": "x"}},
    )
    assert normaliser.end(said=True)[-1]["usage"] == {"total_tokens": 2}


def test_a_finish_reason_is_held_back_and_what_came_with_it_is_not() -> None:
    _, out = added(
        chunk({"content": "a"}, ""), chunk({"role": "assistant", "content": "b"}, "stop")
    )
    assert [one["choices"][0]["finish_reason"] for one in out] == [None, None]
    assert [one["choices"][0]["delta"].get("content") for one in out] == ["a", "b"]


@pytest.mark.parametrize("delta", [None, {}, {"role": "assistant"}, {"content": "", "role": "a"}])
def test_the_last_chunk_s_empty_delta_is_left_out(delta: Any) -> None:
    assert added(chunk({"content": "a"}), chunk(delta, "stop"))[1] == [chunk({"content": "a"})]


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["stop", "length"], "length"),
        (["length", "stop"], "length"),
        (["stop", "null"], "stop"),
        (["tool_calls", "stop"], "stop"),
    ],
)
def test_two_finish_reasons(reasons: list[str], expected: str) -> None:
    normaliser, _ = added(chunk({"content": "a"}), *(chunk({}, reason) for reason in reasons))
    assert normaliser.end(said=True)[-1]["choices"][0]["finish_reason"] == expected


def test_without_a_finish_reason_there_is_no_end() -> None:
    normaliser, _ = added(chunk({"content": "a"}), chunk({"content": "b"}, "null"))
    with pytest.raises(StreamInterruptedError, match="without a finish reason"):
        normaliser.end(said=True)


@pytest.mark.parametrize("index", [1, "0", None])
def test_a_second_choice_is_a_contradiction(index: Any) -> None:
    if index is None:
        assert len(added(chunk({"content": "a"}), chunk({"content": "b"}, index=None))[1]) == 2
        return
    with pytest.raises(ContradictionError):
        added(chunk({"content": "a"}), chunk({"content": "b"}, index=index))


def test_the_one_choice_may_have_any_number() -> None:
    assert len(added(chunk({"content": "a"}, index=3), chunk({"content": "b"}, index=3))[1]) == 2


@pytest.mark.parametrize(
    "delta",
    [
        {"content": 5},
        {"reasoning_content": 5},
        {"tool_calls": 5},
        {"content": None, "reasoning_content": 5},
        {"content": 5, "reasoning_content": "x"},
        5,
    ],
)
def test_what_is_not_usual_passes_the_gate(delta: Any) -> None:
    with pytest.raises(ContradictionError):
        added(chunk({"content": "a"}), chunk(delta))


@pytest.mark.parametrize("key", ["reasoning", "reasoning_details"])
def test_reasoning_under_another_name_is_adopted(key: str) -> None:
    value: Any = "x" if key == "reasoning" else [{"text": "x"}]
    assert added(chunk({key: value}))[1][0]["choices"][0]["delta"]["reasoning_content"] == "x"


def test_arguments_that_are_nested_too_deeply_are_no_answer() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "[" * 201}}
    normaliser, _ = added(chunk({"tool_calls": [call]}, "tool_calls"))
    with pytest.raises(StreamInterruptedError, match="nested more than 200 deep"):
        normaliser.end(said=True)


def test_a_stream_that_broke_has_a_partial_answer_and_one_without_a_chunk_has_none() -> None:
    nothing = ChunkNormaliser().interrupted("x")
    assert "held no answer: x" in str(nothing)
    assert nothing.partial is None
    some = added(chunk({"content": "a" + HIGH}))[0]
    assert some.started
    error = some.interrupted("x")
    assert "broke before the answer was complete: x" in str(error)
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "a\ufffd"
    assert error.partial["choices"][0]["finish_reason"] is None


def test_a_half_letter_at_the_end_is_given_out() -> None:
    normaliser = ChunkNormaliser()
    out: list[Any] = []
    normaliser.expect_halves()
    normaliser.add(chunk({"content": "a" + HIGH}), out)
    normaliser.expect_halves()  # what it holds is not forgotten
    normaliser.add(chunk({}, "stop"), out)
    first, last = normaliser.end(said=True)
    assert out[0]["choices"][0]["delta"]["content"] == "a"
    assert first["choices"][0] == {
        "index": 0,
        "delta": {"content": "\ufffd"},
        "finish_reason": None,
    }
    assert last["choices"][0]["finish_reason"] == "stop"


# What `stream()` gives


def test_an_answer_that_is_there_already_as_a_stream() -> None:
    with Stream.of(WHOLE) as stream:
        assert stream.response is WHOLE
        assert iter(stream) is stream._chunks
        assert next(stream) == as_chunks(WHOLE)[0]
    assert list(stream) == []


async def test_an_answer_that_is_there_already_as_an_asynchronous_stream() -> None:
    async with AsyncStream.of(WHOLE) as stream:
        assert stream.response is WHOLE
        assert aiter(stream) is stream._chunks
        assert await anext(stream) == as_chunks(WHOLE)[0]
    assert [chunk async for chunk in stream] == []
