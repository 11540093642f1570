"""From the bytes of a streamed answer to chunks that keep `ChatChunk`'s promises."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimo_core import (
    ContentFilterError,
    InvalidResponseError,
    MiMoError,
    RateLimitError,
    StreamInterruptedError,
    collect,
)
from mimo_core._http.errors import error_in_answer
from mimo_core._response.body import BodyDecoder, BodyReader
from mimo_core._response.decode import StreamDecoder, parse_json
from mimo_core._response.stage import Stage
from mimo_core.types import ChatChunk
from tests.conftest import KEY

DONE = b"data: [DONE]\n\n"


def decoder() -> StreamDecoder:
    """What the chat completions protocol reads with: an event is a chunk as it stands."""
    return StreamDecoder(
        lambda event: (cast("ChatChunk", event),),
        lambda event: error_in_answer(event, {}, key=KEY, hints=None),
    )


def event(*choices: Any, **fields: Any) -> bytes:
    return (
        b"data: " + json.dumps({"id": "c1", "choices": list(choices), **fields}).encode() + b"\n\n"
    )


def delta(finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "delta": fields, "finish_reason": finish_reason}


def decoded(*pieces: bytes) -> list[Any]:
    """What the pieces of a stream give, checked for every promise."""
    stream = decoder()
    chunks: list[Any] = [chunk for piece in pieces for chunk in stream.feed(piece)]
    chunks += stream.close()
    *body, last = chunks
    for chunk in body:
        assert len(chunk["choices"]) == 1
        assert chunk["choices"][0].get("finish_reason") is None
        assert chunk.get("usage") is None
    assert [choice["delta"] for choice in last["choices"]] == [{}]
    assert last["choices"][0]["finish_reason"] is not None
    assert stream.stage is Stage.COMPLETE
    return chunks


def broken(*pieces: bytes) -> tuple[list[Any], Any]:
    """The chunks that a failing stream gives before its error, and the error."""
    stream = decoder()
    chunks = [chunk for piece in pieces for chunk in stream.feed(piece)]
    with pytest.raises(MiMoError) as e:
        chunks += stream.close()
    assert "\n" not in str(e.value)
    return chunks, e.value


def text(chunks: list[Any]) -> str:
    return collect(chunks)["choices"][0]["message"]["content"] or ""


ROLE = event(delta(role="assistant", content="", tool_calls=None, reasoning_content=None))
HEL, LO = event(delta(content="Hel")), event(delta(content="lo"))
STOP = event(delta("stop", content="", tool_calls=None, reasoning_content=None))
USAGE = event(usage={"total_tokens": 3})


# Complete answers


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param([ROLE, HEL, LO, STOP, USAGE, DONE], id="documented"),
        pytest.param([ROLE, HEL, LO, STOP, USAGE], id="without [DONE]"),
        pytest.param([ROLE, HEL, LO, STOP, USAGE, DONE, HEL, DONE], id="goes on after [DONE]"),
        pytest.param(
            [ROLE, HEL, LO, event(delta("stop"), usage={"total_tokens": 3}), DONE],
            id="usage with finish_reason",
        ),
        pytest.param(
            [ROLE, HEL, event(delta("stop", content="lo"), usage={"total_tokens": 3}), DONE],
            id="content with finish_reason and usage",
        ),
        pytest.param(
            [
                event(delta(role="assistant"), usage={"total_tokens": 1}),
                event(delta(content="Hel"), usage={"total_tokens": 2}),
                event(delta(content="lo"), usage={"total_tokens": 3}),
                STOP,
                DONE,
            ],
            id="cumulative usage",
        ),
        pytest.param([ROLE, HEL, STOP, LO, STOP, USAGE, DONE], id="repeated finish_reason"),
        pytest.param([USAGE, ROLE, HEL, LO, STOP, DONE], id="usage first"),
        pytest.param([ROLE + HEL + LO + STOP + USAGE + DONE], id="in one read"),
        pytest.param([ROLE, HEL, LO, STOP, USAGE, DONE.strip()], id="last event without its end"),
        pytest.param([ROLE, HEL, LO, STOP, USAGE.strip()], id="last usage without its end"),
    ],
)
def test_ways_to_say_the_same(stream: list[bytes]) -> None:
    chunks = decoded(*stream)
    assert text(chunks) == "Hello"
    assert chunks[-1]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert chunks[-1]["usage"] == {"total_tokens": 3}
    assert chunks[-1]["id"] == "c1"


def test_a_backend_that_sends_no_usage() -> None:
    assert decoded(ROLE, HEL, STOP, DONE)[-1]["usage"] is None


def test_an_answer_may_be_empty_where_it_says_that_it_is_over() -> None:
    assert decoded(event(delta("length")), DONE)[-1]["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("index", [0, 1, None])
def test_two_choices_in_an_event_are_an_error(index: Any) -> None:
    """One was asked for: the other one is a piece of the same, or of a second answer."""
    other = {**delta(content="b"), "index": index}
    _, error = broken(HEL, event(delta(content="a"), other), STOP, DONE)
    assert "an event holds two choices, where one was asked for" in str(error)
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "Hel"


def test_a_chunk_without_a_delta_says_nothing() -> None:
    bare = event({"index": 0, "finish_reason": None})
    assert len(decoded(bare, HEL, bare, event({"index": 0, "finish_reason": "stop"}), DONE)) == 2


def test_fields_that_nobody_foresaw_pass_through() -> None:
    chunks = decoded(event(delta(content="a", mood="good"), provider="x"), STOP, DONE)
    assert chunks[0]["provider"] == "x"
    assert chunks[0]["choices"][0]["delta"]["mood"] == "good"


def test_calls_without_an_index_are_numbered() -> None:
    def piece(arguments: str, id: str | None = None) -> bytes:
        call = {"id": id, "function": {"name": "f" if id else None, "arguments": arguments}}
        return event(delta(tool_calls=[call]))

    for later in (None, "", "a"):  # some repeat the id on every piece
        chunks = decoded(piece("{", "a"), piece("}", later), piece("[]", "b"), STOP, DONE)
        calls = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls") or ()]
        assert [call["index"] for call in calls] == [0, 0, 1]


def test_halves_of_an_emoji_pass_and_are_joined_by_collect() -> None:
    chunks = decoded(
        b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\\ude0a"}}]}\n\n',
        STOP,
    )
    assert text(chunks) == "😊"


@settings(max_examples=40)
@given(data=st.data())
def test_any_cut_of_the_bytes_gives_the_same_chunks(data: st.DataObject) -> None:
    whole = b": PROCESSING\r\n\r\n" + ROLE + HEL + b"data: {}\n\n" + LO + STOP + USAGE + DONE
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=9)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert decoded(*pieces) == decoded(whole)


# Failures: none of them may look like a complete answer


@pytest.mark.parametrize(
    "stream",
    [
        [],
        [b": PROCESSING\n\n"],
        [DONE],
        [event(), event(usage={"total_tokens": 3}), DONE],
        [event()] * 3,
        [b'{"choices":[]}'],
    ],
)
def test_nothing_but_empty_choices_is_an_error(stream: list[bytes]) -> None:
    chunks, error = broken(*stream)
    assert chunks == []
    assert isinstance(error, StreamInterruptedError)
    assert str(error).startswith("The stream held no answer: it ended without a finish reason.")
    assert error.partial is None


@pytest.mark.parametrize("end", [b"", DONE, USAGE, b": x\n\n"])
def test_no_finish_reason_is_an_error_that_carries_what_had_arrived(end: bytes) -> None:
    reasoning = event(delta(reasoning_content="Hm"))
    call = event(delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f"}}]))
    chunks, error = broken(ROLE, reasoning, HEL, call, end)
    assert len(chunks) == 4
    assert isinstance(error, StreamInterruptedError)
    assert error.is_retryable
    assert error.partial is not None
    assert error.partial["id"] == "c1"
    assert error.partial["choices"] == [
        {
            "index": 0,
            "finish_reason": None,
            "message": {
                "role": "assistant",
                "content": "Hel",
                "reasoning_content": "Hm",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
                ],
            },
        }
    ]


def test_audio_is_not_kept_for_an_error() -> None:
    _, error = broken(event(delta(audio={"id": "a1", "data": "AAAA"})))
    assert error.partial["choices"][0]["message"]["audio"] == {"id": "a1"}


@pytest.mark.parametrize(
    "cut", [b'data: {"choices":[{"delta":{"content":"lo', b"data: [1]\n\n", b"data: <html>\n\n"]
)
def test_half_a_json_text_is_an_error_and_what_came_before_is_not_lost(cut: bytes) -> None:
    chunks, error = broken(ROLE + HEL + cut)
    assert text(chunks) == "Hel"
    assert isinstance(error, StreamInterruptedError)
    assert "an event is not JSON" in str(error)
    assert error.partial is not None


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [None]},
        {"choices": ["x"]},
        {"choices": {"0": 1}},
        {"choices": 7},
    ],
)
def test_what_is_json_but_no_chunk(odd: Any) -> None:
    chunks, error = broken(HEL, b"data: " + json.dumps(odd).encode() + b"\n\n", LO, STOP)
    assert text(chunks) == "Hel"
    assert isinstance(error, StreamInterruptedError)
    assert "an event is not a chunk" in str(error)


def test_an_error_event_ends_the_stream_after_the_text_of_the_same_read() -> None:
    failure = b'data: {"error":{"code":"429","message":"Too many requests"}}\n\n'
    stream = decoder()
    assert text(stream.feed(ROLE + HEL + failure + LO + STOP)) == "Hel"
    assert stream.stage is Stage.FAILED
    assert stream.feed(LO) == []
    with pytest.raises(RateLimitError, match="Too many requests"):
        stream.close()


def test_an_error_event_in_the_service_s_own_words() -> None:
    moderation = {
        "code": "421",
        "message": "Moderation Block",
        "param": f"considered high risk, {KEY}",
        "type": "content_filter",
    }
    _, error = broken(ROLE, b"data:" + json.dumps({"error": moderation}).encode() + b"\n\n")
    assert isinstance(error, ContentFilterError)
    assert (error.status, error.code) == (421, "421")
    assert "Moderation Block: considered high risk, *** (code 421)." in str(error)


@pytest.mark.parametrize("payload", [{"error": "overloaded"}, {"error": {"message": "overloaded"}}])
def test_an_error_event_without_a_code_has_no_status(payload: Any) -> None:
    _, error = broken(b"data: " + json.dumps(payload).encode() + b"\n\n")
    assert error.status is None
    assert "overloaded" in str(error)


def test_a_connection_that_breaks() -> None:
    stream = decoder()
    stream.feed(ROLE + HEL)
    error = stream.interrupted("silence")
    assert str(error).startswith("The stream broke before the answer was complete: silence. ")
    assert error.partial is not None


# JSON


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b'"\\ud83d"', "\ud83d"),
        (b"\xef\xbb\xbf1", 1),
        (b'["\\ud83d"' + b"]", ["\ud83d"]),
        (str(2**70).encode(), 2**70),
    ],
)
def test_json_that_only_the_slow_parser_takes(payload: bytes, value: Any) -> None:
    assert parse_json(payload) == value


DEEP = b"[" * 203 + b"]" * 203  # no honest answer is
DEEP_AND_ODD = b'["\\ud83d",' + DEEP[1:]


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[" * 200_000, DEEP, DEEP_AND_ODD])
def test_what_is_no_json(payload: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(payload)


# A streaming request that is answered in one piece


def whole(**choice: Any) -> BodyDecoder:
    response: Any = {"id": "c1", "choices": [{"index": 0, **choice}], "usage": {"total_tokens": 3}}
    return BodyDecoder(
        lambda body: response if body == b"ab" else pytest.fail(body.decode()),
        BodyReader(is_answer=True),
    )


def test_an_unstreamed_answer_becomes_chunks_with_the_same_promises() -> None:
    message = {
        "role": "assistant",
        "content": "Hi",
        "reasoning_content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f"}}, {"id": "b"}],
    }
    body = whole(message=message, finish_reason="tool_calls")
    assert body.feed(b"a") == body.feed(b"b") == []
    stages = [body.stage]
    first, last = body.close()
    assert [*stages, body.stage] == [Stage.WAITING, Stage.COMPLETE]
    assert first["choices"][0]["finish_reason"] is None
    calls = first["choices"][0]["delta"]["tool_calls"] or ()
    assert [call["index"] for call in calls] == [0, 1]
    assert "usage" not in first
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert last["usage"] == {"total_tokens": 3}


def test_one_that_does_not_say_that_it_is_over() -> None:
    body = whole(message={"content": "Hi"}, finish_reason=None)
    body.feed(b"ab")
    with pytest.raises(StreamInterruptedError) as e:
        body.close()
    assert e.value.partial is not None


def test_one_that_breaks_off() -> None:
    assert isinstance(whole().interrupted("silence"), InvalidResponseError)


# Letters that are cut in two


HIGH, LOW = b"\\ud83d", b"\\ude00"


def raw(field: bytes, text: bytes) -> bytes:
    """A piece whose JSON is written by hand: an escape is half a letter."""
    return b'data: {"choices":[{"index":0,"delta":{"' + field + b'":"' + text + b'"}}]}\n\n'


@pytest.mark.parametrize("field", [b"content", b"reasoning_content"])
def test_halves_of_a_letter_in_two_pieces_are_one(field: bytes) -> None:
    chunks = decoded(raw(field, b"a" + HIGH), raw(field, LOW + b"b"), raw(field, b"c"), STOP, DONE)
    pieces = [chunk["choices"][0]["delta"].get(field.decode()) for chunk in chunks[:-1]]
    assert pieces == ["a", "😀b", "c"]


def test_a_half_without_the_other_one_is_replaced() -> None:
    chunks = decoded(
        raw(b"content", b"a" + HIGH), raw(b"content", b"b"), raw(b"content", HIGH), STOP, DONE
    )
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:-1]]
    assert "".join(text or "" for text in texts) == "a\ufffdb\ufffd"
    assert collect(chunks)["choices"][0]["message"]["content"] == "a\ufffdb\ufffd"


def test_a_half_in_the_arguments_of_a_call() -> None:
    def piece(text: bytes, opening: bytes = b"") -> bytes:
        call = b'{"index":0,' + opening + b'"function":{"name":null,"arguments":"' + text + b'"}}'
        return b'data: {"choices":[{"index":0,"delta":{"tool_calls":[' + call + b"]}}]}\n\n"

    opened = event(delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f"}}]))
    chunks = decoded(
        opened,
        piece(b'{\\"a\\":\\"' + HIGH),
        piece(LOW + b'\\"}'),
        event(delta("tool_calls")),
        DONE,
    )
    [call] = collect(chunks)["choices"][0]["message"]["tool_calls"] or []
    assert call["function"]["arguments"] == '{"a":"😀"}'


def test_a_stream_that_breaks_within_a_letter() -> None:
    chunks, error = broken(raw(b"content", b"a" + HIGH))
    assert error.partial["choices"][0]["message"]["content"] == "a\ufffd"
    assert text(chunks) == "a"


def test_id_and_model_that_are_left_out_at_the_end_are_those_of_the_beginning() -> None:
    first = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    rest = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    *_, last = decoded(first, rest, b'data: {"choices":[],"usage":{"total_tokens":1}}\n\n', DONE)
    assert (last["id"], last["model"], last["usage"]) == ("c1", "m", {"total_tokens": 1})
