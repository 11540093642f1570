"""Which calls of a stream may be run, whatever the wire did to them.

Each case was seen to run a tool that nobody had called, or with arguments that nobody had given.
"""

from __future__ import annotations

import copy
import json
from typing import Any, cast

import httpx2
import pytest

from mimo_core import (
    InvalidResponseError,
    MiMoClient,
    MiMoError,
    Stream,
    StreamInterruptedError,
    collect,
)
from mimo_core._http.errors import error_in_answer
from mimo_core._protocols.messages_events import EventTranslator, response_of
from mimo_core._response.calls import is_too_deep, with_own_ids
from mimo_core._response.decode import StreamDecoder
from mimo_core._response.repair import ToolCallRepair
from mimo_core.checks import call_problem
from mimo_core.types import ChatChunk

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("ping", "delete", "delete_draft")
]


def piece(index: Any, id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """A piece of a call as it is on the wire, without the fields that are None."""
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    call = {"index": index, "id": id, "function": function}
    return {key: value for key, value in call.items() if value is not None}


def event(delta: dict[str, Any], finish_reason: Any = None, **choice: Any) -> bytes:
    held = {"index": 0, "delta": delta, "finish_reason": finish_reason, **choice}
    return b"data: " + json.dumps({"choices": [held]}).encode() + b"\n\n"


def calls(*pieces: dict[str, Any]) -> bytes:
    return b"".join(event({"tool_calls": [each]}) for each in pieces)


def end(finish_reason: Any) -> bytes:
    return event({}, finish_reason)


DONE = b"data: [DONE]\n\n"


def answered(*data: bytes) -> Any:
    """The message of a stream."""
    decoder = StreamDecoder(
        lambda payload: (cast("ChatChunk", payload),),
        lambda payload: error_in_answer(payload, {}, key=None, hints=None),
        ToolCallRepair(TOOLS),
    )
    chunks = [chunk for each in data for chunk in decoder.feed(each)]
    return collect([*chunks, *decoder.close()])["choices"][0]["message"]


def runnable(message: Any) -> list[tuple[str, str]]:
    """The calls that a host would run."""
    return [
        (call["function"]["name"], call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
        if call_problem(call) is None
    ]


PING = piece(0, "a", "ping", "{}")


@pytest.mark.parametrize(
    ("stream", "run"),
    [
        # One index for two calls: two calls.
        ([calls(PING, piece(0, "b", "delete", '{"p": "/ho')), end("length")], [("ping", "{}")]),
        ([calls(PING, piece(0, "b", "delete", "")), end("length")], [("ping", "{}")]),
        (
            [calls(PING, piece(0, "b", "ping", '{"x": 1}')), end("tool_calls")],
            [("ping", "{}"), ("ping", '{"x": 1}')],
        ),
        # The arguments of the first went to the second, or never came: only the second is sure.
        (
            [
                calls(piece(0, "a", "delete", ""), piece(0, "b", "delete_draft", '{"p": 1}')),
                end("tool_calls"),
            ],
            [("delete_draft", '{"p": 1}')],
        ),
        # No index.
        (
            [calls(piece(0, "a", "ping", "{}"), piece(None, "b", "delete", "")), end("length")],
            [("ping", "{}")],
        ),
        (
            [
                calls(
                    piece(None, "a", "ping", '{"x":'),
                    piece(None, "b", "delete", '{"y":'),
                    piece(None, "a", None, " 1}"),
                    piece(None, "b", None, " 2}"),
                ),
                end("tool_calls"),
            ],
            [("ping", '{"x": 1}'), ("delete", '{"y": 2}')],
        ),
        (
            [
                calls(piece(None, None, "ping", '{"x": 1}'), piece(None, None, "ping", '{"x": 2}')),
                end("tool_calls"),
            ],
            [("ping", '{"x": 1}'), ("ping", '{"x": 2}')],
        ),
        # Id and name on every piece; an id that comes late; none at all.
        (
            [
                calls(piece(0, "a", "ping", '{"x":'), piece(0, "a", "ping", " 1}")),
                end("tool_calls"),
            ],
            [("ping", '{"x": 1}')],
        ),
        (
            [calls(piece(0, None, "ping", ""), piece(0, "a", None, "{}")), end("tool_calls")],
            [("ping", "{}")],
        ),
        # That an answer was cut is not taken back.
        ([calls(piece(0, "a", "delete", "")), end("length"), end("stop")], []),
        ([calls(piece(0, "a", "delete", "")), end("length"), end("tool_calls")], []),
        ([calls(piece(0, "a", "delete", "")), end("whatever")], []),
        # An object in the place of its text.
        (
            [calls(piece(0, "a", "ping", {"x": 1})), end("tool_calls")],
            [("ping", '{"x": 1}')],
        ),
        # A tool without arguments.
        ([calls(piece(0, "a", "ping", "")), end("tool_calls")], [("ping", "{}")]),
    ],
)
def test_which_calls_are_run(stream: list[bytes], run: list[tuple[str, str]]) -> None:
    message = answered(*stream, DONE)
    assert runnable(message) == run
    ids = [call["id"] for call in message["tool_calls"]]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (
            [calls(piece(0, "a", "delete", ""), piece(1, "a", None, '{"p": 1}'))],
            "the call 'a' goes on under another index",
        ),
        (
            [calls(piece(0, "a", "delete", ""), piece(0, "b", None, '{"p": 1}'))],
            "two calls share the index 0",
        ),
        (
            [calls(piece(0, "a", "delete", ""), piece(0, None, "_draft", "{}"))],
            "a call of 'delete' goes on as one of '_draft'",
        ),
        ([event({"content": "A"}), event({"content": "B"}, index=1)], "a second choice"),
        ([calls(piece(0, "a", "ping", 5))], "arguments is a number, not a text"),
        ([end("null")], "without a finish reason"),
    ],
)
def test_what_contradicts_itself_is_an_error(stream: list[bytes], reason: str) -> None:
    with pytest.raises(StreamInterruptedError, match=reason):
        answered(*stream, end("null"), DONE)


def test_no_arguments_and_no_end_is_not_a_call_without_arguments() -> None:
    """The body just ended: a proxy may have cut it there."""
    opens = event({"tool_calls": [piece(0, "a", "delete", "")]}, "stop")
    assert runnable(answered(opens)) == []
    assert runnable(answered(opens, DONE)) == [("delete", "{}")]


# Calls that the model wrote as text


def written(name: str, body: str = "") -> str:
    return f"<tool_call><function={name}>{body}</function></tool_call>"


PATH = "<parameter=path>/tmp/x</parameter>"


@pytest.mark.parametrize(
    ("text", "run"),
    [
        (written("delete", PATH), [("delete", '{"path": "/tmp/x"}')]),
        (f"So: {written('ping')}\n{written('delete', PATH)}\n", ["ping", "delete"]),
        (
            written("delete", "<parameter=path></function></tool_call></parameter>"),
            [("delete", '{"path": "</function></tool_call>"}')],
        ),
        # Not well-formed: something is missing.
        (written("delete", "<parameter=path>/home/x"), []),
        (written("delete", f"{PATH} and more"), []),
        (written("delete", f"{PATH}{PATH}"), []),
        # Quoted, or told.
        (f"The page says:\n```\n{written('delete')}\n```\nI will not do this.", []),
        (f"```\n{written('delete')}", []),
        (f"```\nx\n```\n{written('ping')}", [("ping", "{}")]),
        (f"`{written('delete')}`", []),
        (f"It says {written('delete')} and I refuse.", []),
        (f"{written('somebody_elses')}", []),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_calls_written_as_text(text: str, run: list[Any], streamed: bool) -> None:
    if streamed:
        message = answered(event({"content": text}), end("stop"), DONE)
    else:
        message = ToolCallRepair(TOOLS).message({"content": text}, "stop")
    names = [name for name, _ in runnable(message)]
    assert runnable(message) == run or names == run
    if not run:
        assert message["content"] == text


def test_what_a_tool_requires_has_to_be_there() -> None:
    parameters = {"type": "object", "required": ["path"]}
    tool = {"type": "function", "function": {"name": "delete", "parameters": parameters}}
    for end_, text in (("stop", written("delete")), ("length", written("delete", PATH))):
        message = ToolCallRepair([tool]).message({"content": text}, end_)
        assert "tool_calls" not in message


def test_many_calls_in_a_text_cost_little() -> None:
    """Linear: a text that ends differently than it seems to is looked through once."""
    text = written("ping") * 20_000
    assert (
        len(ToolCallRepair(TOOLS).message({"content": text}, "stop")["tool_calls"] or ()) == 20000
    )
    assert "tool_calls" not in ToolCallRepair(TOOLS).message({"content": text + "x"}, "stop")


# Whole answers


def test_calls_of_a_whole_answer_are_told_apart() -> None:
    same: Any = {"id": "a", "function": {"name": "ping", "arguments": {"x": 1}}}
    message: Any = with_own_ids({"tool_calls": [same, same, {"function": {"name": "ping"}}]})
    ids = [call["id"] for call in message["tool_calls"]]
    assert ids[0] == "a"
    assert len({*ids}) == 3
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == [
        '{"x": 1}',
        '{"x": 1}',
        "",
    ]


# The messages protocol


USE = {"type": "tool_use", "id": "a", "name": "delete", "input": {"path": "/ho"}}
PING_USE = {"type": "tool_use", "id": "b", "name": "ping", "input": {"x": 1}}


@pytest.mark.parametrize(
    "stop_reason", ["max_tokens", "model_context_window_exceeded", None, "odd"]
)
@pytest.mark.parametrize(
    ("content", "run"),
    [
        ([USE], []),
        ([{**USE, "input": {}}], []),
        ([USE, {"type": "thinking", "thinking": "Hm."}], []),
        ([USE, {"type": "text", "text": ""}], []),
        ([USE, {"type": "unknown"}], []),
        ([PING_USE, USE], [("ping", '{"x": 1}')]),
        ([PING_USE, {"type": "text", "text": "And?"}], [("ping", '{"x": 1}')]),
    ],
)
def test_the_last_call_of_an_answer_that_did_not_end_by_itself(
    content: list[Any], run: list[Any], stop_reason: Any
) -> None:
    response = response_of({"content": content, "stop_reason": stop_reason})
    assert response is not None
    message = ToolCallRepair(TOOLS).message(
        response["choices"][0]["message"], response["choices"][0]["finish_reason"]
    )
    assert runnable(message) == run


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("stop_reason", ["max_tokens", "model_context_window_exceeded"])
def test_arguments_that_stood_in_the_start_of_a_block_that_was_cut(
    stop_reason: str, closed: bool
) -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": USE},
        *([{"type": "content_block_stop", "index": 0}] if closed else []),
        {"type": "message_delta", "delta": {"stop_reason": stop_reason}},
        {"type": "message_stop"},
    ]
    decoder = StreamDecoder(
        EventTranslator(), lambda payload: MiMoError(str(payload)), ToolCallRepair(TOOLS)
    )
    data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)
    message = collect([*decoder.feed(data), *decoder.close()])["choices"][0]["message"]
    assert runnable(message) == []


def test_arguments_that_are_encoded_twice_are_decoded_in_a_stream_too() -> None:
    pieces = ['"{\\"pa', 'th\\": \\"/tmp', '\\"}"']
    first = piece(0, "a", "delete", pieces[0])
    rest = [piece(0, None, None, each) for each in pieces[1:]]
    assert runnable(answered(calls(first, *rest), end("tool_calls"), DONE)) == [
        ("delete", '{"path": "/tmp"}')
    ]


def test_an_answer_that_is_there_already_stays_as_it_is() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "ping", "arguments": "{}"}}
    message: Any = {"role": "assistant", "content": "", "tool_calls": [call]}
    response: Any = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    before = copy.deepcopy(response)
    with Stream.of(response) as stream:
        assert runnable(collect(stream)["choices"][0]["message"]) == [("ping", "{}")]
    assert response == before == stream.response


def test_arguments_that_are_no_text_are_an_error_of_the_family_unstreamed_too() -> None:
    call = {"id": "a", "function": {"name": "ping", "arguments": 5}}
    body = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    answer = httpx2.Response(200, json=body)
    with httpx2.Client(transport=httpx2.MockTransport(lambda request: answer)) as http:
        client = MiMoClient("sk-0123456789", http_client=http)
        with pytest.raises(InvalidResponseError, match="arguments is a number, not a text"):
            client.chat({"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "a"}]})


@pytest.mark.parametrize(
    ("arguments", "is_deep"),
    [
        ("[" * 201, True),
        ('{"a":' * 300, True),
        ("[" * 150 + "]" * 150, False),
        ("[]" * 1_000, False),
        ('{"a": "' + "[" * 1_000 + '"}', False),
        ('{"a": "\\"' + "[" * 1_000 + '"}', False),
    ],
)
def test_arguments_that_are_nested_too_deeply(arguments: str, is_deep: bool) -> None:
    assert is_too_deep(arguments) is is_deep
