"""What ends an answer, and what keeps it from being one: on both protocols, streamed and whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core import InvalidResponseError, MiMoError, ServerError, StreamInterruptedError, collect
from mimo_core._http.exchange import ChatCall
from mimo_core._http.options import RequestOptions
from mimo_core._response.ending import ending_problem, reason_said, says_something
from mimo_core.gateways import Endpoint
from tests.conftest import KEY
from tests.damage_trial import BASE_URLS, REQUEST

CALL = {"index": 0, "id": "call_1", "type": "function"}
WEATHER = {**CALL, "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
DONE = b"data: [DONE]\n\n"


def call(protocol: str = "chat_completions", *, stream: bool = True) -> ChatCall:
    endpoint = Endpoint.resolve(KEY, BASE_URLS[protocol], protocol, None)
    return ChatCall(endpoint, REQUEST, stream=stream, max_retries=0, options=RequestOptions())


def event(payload: Any) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def chunk(delta: Any, reason: Any = None, **choice: Any) -> bytes:
    return event(
        {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason, **choice}]}
    )


HEL, LO, STOP = chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop")


def streamed(*events: bytes, protocol: str = "chat_completions") -> Any:
    """The answer that a stream amounts to. Raises its error."""
    decoder = call(protocol).decoder(200, {"content-type": "text/event-stream"})
    chunks = [chunk for one in events for chunk in decoder.feed(one)]
    chunks += decoder.close()
    return collect(chunks)["choices"][0]


def interrupted(*events: bytes, protocol: str = "chat_completions") -> MiMoError:
    with pytest.raises(MiMoError) as raised:
        streamed(*events, protocol=protocol)
    return raised.value


def whole(payload: Any, protocol: str = "chat_completions") -> Any:
    """A whole answer's choice. Raises its error."""
    answered = call(protocol, stream=False).answer(200, {}, json.dumps(payload).encode())
    return answered["choices"][0]


def whole_chat(message: Any, **choice: Any) -> Any:
    return whole({"choices": [{"index": 0, "message": message, **choice}]})


def whole_message(*content: Any, **fields: Any) -> Any:
    return whole({"type": "message", "content": list(content), **fields}, "messages")


# An answer says that it is complete


SILENT = [None, "", " ", "null", "None", "NULL"]


@pytest.mark.parametrize("reason", SILENT)
def test_a_stream_that_does_not_say_so(reason: Any) -> None:
    error = interrupted(chunk({"content": "Hel"}, reason), chunk({}, reason), DONE)
    assert type(error) is StreamInterruptedError
    assert "it ended without a finish reason" in str(error)
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "Hel"


@pytest.mark.parametrize("reason", SILENT)
def test_a_whole_answer_that_does_not_say_so(reason: Any) -> None:
    """A call in it may lack something, and would be run."""
    with pytest.raises(InvalidResponseError, match="it ended without a finish reason") as raised:
        whole_chat({"content": "Hi", "tool_calls": [WEATHER]}, finish_reason=reason)
    assert raised.value.partial
    choice = raised.value.partial["choices"][0]
    assert choice["finish_reason"] is None
    assert choice["message"]["content"] == "Hi"
    assert choice["message"]["tool_calls"][0]["function"] == WEATHER["function"]
    with pytest.raises(InvalidResponseError, match="it ended without a finish reason"):
        whole_chat({"content": "Hi"})  # the field is missing


@pytest.mark.parametrize("reason", SILENT)
def test_a_whole_answer_of_the_messages_protocol_that_does_not_say_so(reason: Any) -> None:
    use = {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Paris"}}
    with pytest.raises(InvalidResponseError, match="it ended without a finish reason") as raised:
        whole_message({"type": "text", "text": "Hi"}, use, stop_reason=reason)
    assert raised.value.partial
    assert raised.value.partial["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.parametrize("reason", SILENT)
def test_a_stream_of_the_messages_protocol_that_does_not_say_so(reason: Any) -> None:
    error = interrupted(
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
        event(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "Hi"},
            }
        ),
        event({"type": "message_delta", "delta": {"stop_reason": reason}}),
        event({"type": "message_stop"}),
        protocol="messages",
    )
    assert "it ended without a finish reason" in str(error)
    assert error.partial


def test_a_word_that_nobody_knows_passes_through() -> None:
    assert streamed(HEL, chunk({}, "eos"), DONE)["finish_reason"] == "eos"
    assert whole_chat({"content": "Hi"}, finish_reason="eos")["finish_reason"] == "eos"
    assert whole_message(stop_reason="eos")["finish_reason"] == "eos"


def test_an_empty_answer_may_be_honest() -> None:
    assert streamed(STOP, DONE)["message"]["content"] == ""
    assert whole_chat({"content": None}, finish_reason="stop")["message"]["content"] is None
    assert whole_message(stop_reason="end_turn")["message"]["content"] == ""


# One that ends to call a tool holds something


def test_a_lost_call() -> None:
    says = "it ended to call a tool, and holds no call"
    assert says in str(interrupted(chunk({"role": "assistant"}), chunk({}, "tool_calls"), DONE))
    with pytest.raises(InvalidResponseError, match=says):
        whole_chat({"role": "assistant", "content": None}, finish_reason="tool_calls")
    with pytest.raises(InvalidResponseError, match=says):
        whole_message(stop_reason="tool_use")


def test_a_call_written_as_a_text_that_is_none_stays_a_text() -> None:
    """The models do it (mimo-api.md, particular 5), with the finish reason of a call."""
    leaked = "<tool_call><function=unknown></function></tool_call>"
    answer = streamed(chunk({"content": leaked}), chunk({}, "tool_calls"), DONE)
    assert answer["message"]["content"] == leaked


# A stream may go on after its finish reason, and says it again


@pytest.mark.parametrize(
    "more",
    [
        {"content": "lo"},
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"tool_calls": [WEATHER]},
        {"audio": {"data": "AAAA"}},
    ],
)
def test_what_goes_on_says_again_that_it_ends(more: Any) -> None:
    error = interrupted(HEL, STOP, chunk(more), DONE)
    assert "it goes on after its finish reason, and does not say it again" in str(error)
    assert error.partial
    assert streamed(HEL, STOP, chunk(more), STOP, DONE)["finish_reason"] == "stop"
    assert streamed(HEL, STOP, chunk(more, "stop"), DONE)["finish_reason"] == "stop"


def test_what_says_nothing_may_follow() -> None:
    for nothing in ({}, {"role": "assistant", "content": ""}, {"audio": {"expires_at": 1}}, None):
        assert streamed(HEL, STOP, chunk(nothing), DONE)["message"]["content"] == "Hel"


@pytest.mark.parametrize(
    ("reasons", "last"),
    [
        (["stop", "tool_calls"], "tool_calls"),
        (["stop", "length"], "length"),
        (["length", "stop"], "length"),
        (["new", "stop"], "new"),
    ],
)
def test_of_two_reasons_the_one_that_proves_less_counts(reasons: list[str], last: str) -> None:
    events = [chunk({}, reason) for reason in reasons]
    assert streamed(HEL, *events, DONE)["finish_reason"] == last


# Errors without the field `error`


@pytest.mark.parametrize(
    ("said", "kind", "says"),
    [
        ({"object": "error", "message": "boom", "type": "x", "code": 500}, ServerError, "boom"),
        ({"code": 500, "message": "boom"}, ServerError, "boom"),
        ({"detail": "boom"}, MiMoError, "boom"),
        ({"errors": [{"message": "boom"}]}, MiMoError, "boom"),
        ({"type": "error", "message": "boom"}, MiMoError, "boom"),
        ({"choices": [], "detail": [{"msg": "boom"}]}, MiMoError, "boom"),
    ],
)
def test_an_event_that_says_that_the_server_failed(said: Any, kind: Any, says: str) -> None:
    error = interrupted(HEL, event(said), STOP, DONE)
    assert isinstance(error, kind)
    assert says in str(error)
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "Hel"


@pytest.mark.parametrize(
    "said",
    [
        {"detail": "boom"},
        {"errors": ["boom"]},
        {"code": 500, "msg": "boom"},
        {"object": "error", "message": "boom"},
    ],
)
def test_so_it_is_on_the_messages_protocol(said: Any) -> None:
    piece = {"type": "text_delta", "text": "Hel"}
    error = interrupted(
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
        event({"type": "content_block_delta", "index": 0, "delta": piece}),
        event(said),
        event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        protocol="messages",
    )
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "Hel"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"type": "ping"},
        {"type": "status", "message": "in the queue"},
        {"choices": [], "usage": {"total_tokens": 1}},
        {"choices": [], "prompt_filter_results": []},  # Azure's first event
        {"id": "c", "object": "chat.completion.chunk", "code": None, "error": None},
    ],
)
def test_an_event_that_says_something_else_is_passed_over(said: Any) -> None:
    assert streamed(HEL, event(said), LO, STOP, DONE)["message"]["content"] == "Hello"


def test_an_error_in_a_choice() -> None:
    failed = chunk({"content": "lo"}, error={"code": 500, "message": "boom"})
    error = interrupted(HEL, failed, STOP, DONE)
    assert "a choice holds an error: {'code': 500, 'message': 'boom'}" in str(error)
    assert (
        streamed(HEL, chunk({"content": "lo"}, error=None), STOP)["message"]["content"] == "Hello"
    )
    with pytest.raises(InvalidResponseError, match="a choice holds an error: 'boom'"):
        whole_chat({"content": "Hi"}, finish_reason="stop", error="boom")


def test_a_text_in_place_of_a_delta() -> None:
    """As the older protocol of completions has it."""
    error = interrupted(HEL, event({"choices": [{"index": 0, "text": "lo"}]}), STOP, DONE)
    assert "a choice holds 'text' in place of 'delta'" in str(error)
    both = event({"choices": [{"index": 0, "text": "lo", "delta": {"content": "lo"}}]})
    assert streamed(HEL, both, STOP, DONE)["message"]["content"] == "Hello"


def test_each_event_may_have_an_id_of_its_own() -> None:
    """Some servers make a new one for each (Foundry Local #144, llama.cpp #5876 until 2024)."""
    events = [
        event({"id": f"c{n}", "choices": [{"index": 0, "delta": {"content": text}}]})
        for n, text in enumerate(["Hel", "lo"])
    ]
    assert streamed(*events, STOP, DONE)["message"]["content"] == "Hello"


# Arguments that a host's parser cannot survive


def arguments(text: str) -> bytes:
    opened = {**CALL, "function": {"name": "weather", "arguments": text}}
    return chunk({"tool_calls": [opened]})


def test_a_number_of_more_digits_than_python_reads() -> None:
    """`json.loads` raises a bare `ValueError` for it, which hosts such as llm do not expect."""
    error = interrupted(arguments('{"city":' + "9" * 5000 + "}"), chunk({}, "tool_calls"), DONE)
    assert type(error) is StreamInterruptedError
    assert "the arguments of a call hold a number of more than 4300 digits" in str(error)
    assert error.partial


@pytest.mark.parametrize(
    "text",
    [
        '{"city":"' + "9" * 5000 + '"}',  # a text
        '{"city":0.' + "9" * 5000 + "}",
        '{"city":' + "9" * 4300 + "}",
        '{"city" ' + "9" * 5000 + "}",  # no JSON: every host expects that
    ],
)
def test_digits_that_are_no_such_number(text: str) -> None:
    answer = streamed(arguments(text), chunk({}, "tool_calls"), DONE)
    assert answer["message"]["tool_calls"][0]["function"]["arguments"] == text


def test_text_that_was_held_back_is_once_in_what_had_arrived() -> None:
    """What waits for its end (here, for a `<tool_call>`) is in `partial`, and not twice."""
    error = interrupted(
        chunk({"content": "a <tool_call> b"}), arguments("[" * 300), chunk({}, "tool_calls"), DONE
    )
    assert error.partial
    assert error.partial["choices"][0]["message"]["content"] == "a <tool_call> b"


def test_an_event_that_is_nested_too_deeply_is_json_all_the_same() -> None:
    deep = b'data: {"choices":[],"x":' + b"[" * 300 + b"]" * 300 + b"}\n\n"
    assert "an event is nested deeper than 200" in str(interrupted(HEL, deep, STOP, DONE))


# The rules, one by one


def test_which_reasons_say_nothing() -> None:
    assert [reason_said(reason) for reason in SILENT] == [None] * len(SILENT)
    assert [reason_said(reason) for reason in ("stop", "eos", "nullable")] == [
        "stop",
        "eos",
        "nullable",
    ]


def test_what_holds_nothing() -> None:
    nothing = {"role": "assistant", "content": "", "tool_calls": []}
    assert ending_problem("tool_calls", lambda: nothing)
    assert not ending_problem("stop", lambda: nothing)
    assert not ending_problem("tool_calls", lambda: {"reasoning_content": "hm"})
    assert not says_something({"role": "assistant", "audio": {"data": ""}})
