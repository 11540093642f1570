"""A history, message by message: what is adapted, answered, moved, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core._request.history import adapt_messages
from mimo_core._request.parts import (
    adapt_result_part,
)
from mimo_core.dialects import OPENROUTER, SELF_HOSTED, XIAOMI
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.models import model_info
from mimo_core.types import InsertedMessage

PRO, OMNI = model_info("mimo-v2.6-pro"), model_info("mimo-v2.5")


USER: Any = {"role": "user", "content": "Hi"}


URL = "https://example.org/a"


WAV = "data:audio/wav;base64,AAAA"


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def image(url: Any = URL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def audio(data: Any = WAV, **more: Any) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, **more}}


def adapted(
    *messages: Any,
    info: Any = OMNI,
    dialect: Any = XIAOMI,
    thinks: bool = True,
    blocks: bool = False,
) -> list[Any]:
    return adapt_messages(list(messages), info, dialect, thinks=thinks, blocks=blocks)


def refused(says: str, *messages: Any, error: Any = InvalidRequestError, **more: Any) -> None:
    with pytest.raises(error, match=says) as raised:
        adapted(*messages, **more)
    assert raised.value.param == "messages"


# Messages


def test_a_request_has_messages() -> None:
    nothings: Any = ([], (), None, "x", {})
    for nothing in nothings:
        with pytest.raises(InvalidRequestError, match="messages is empty") as raised:
            adapt_messages(nothing, OMNI, XIAOMI, thinks=True)
        assert raised.value.param == "messages"
    assert adapt_messages((USER,), OMNI, XIAOMI, thinks=True) == [USER]


@pytest.mark.parametrize("message", [5, {}, {"role": "x"}, {"role": ["user"]}, {"role": None}])
def test_a_message_has_a_role(message: Any) -> None:
    refused(r"^messages\[1\]: role is .*; it can be system", USER, message)


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_name_is_a_text(role: str) -> None:
    refused(r"^messages\[1\]: name must be a text", USER, {"role": role, "content": "x", "name": 5})
    assert adapted({**USER, "name": "x"}) == [{**USER, "name": "x"}]


def test_inserted_messages_are_not_counted() -> None:
    refused(r"^messages\[1\]: role", InsertedMessage(USER), USER, {"role": "x"})
    refused(r"^messages\[2\]: role", {**USER, "name": "x"}, USER, {"role": "x"})


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("", " "),
        ([], [text(" ")]),
        (["x", {"text": "y"}], [text("x"), text("y")]),
        ((text("x"),), [text("x")]),
        ([text(""), text("x")], [text("x")]),
        ([text("")], [text(" ")]),
        ([image(), text("")], [image()]),
    ],
)
def test_the_content_of_a_user_s_message(content: Any, sent: Any) -> None:
    assert adapted({"role": "user", "content": content}) == [{"role": "user", "content": sent}]


@pytest.mark.parametrize("content", [None, 5, {}])
def test_a_content_is_a_text_or_a_list(content: Any) -> None:
    for role in ("user", "system"):
        refused(
            r"^messages\[0\]: content must be a text or a list", {"role": role, "content": content}
        )


def test_instructions_are_text() -> None:
    for role in ("system", "developer"):
        assert adapted({"role": role, "content": ["x"]}, USER)[0]["content"] == [text("x")]
        message = {"role": role, "content": [text("x"), image()]}
        refused(r"^messages\[0\]: instructions are text only", message, error=UnsupportedInputError)


def test_marks_of_the_cache() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = {"role": "user", "content": "x", **mark}
    assert adapted(marked) == [{"role": "user", "content": "x"}]
    assert adapted(marked, blocks=True) == [marked]
    part = {"role": "user", "content": [text("x", **mark)]}
    assert adapted(part) == [part]
    turn = {"role": "assistant", "content": [text("x", **mark), "y"]}
    assert adapted(turn) == [{"role": "assistant", "content": "x\ny"}]
    assert adapted(turn, blocks=True) == [{**turn, "content": [text("x", **mark), text("y")]}]
    plain = {"role": "assistant", "content": [text("x"), "y"]}
    assert adapted(plain, blocks=True) == [{"role": "assistant", "content": "x\ny"}]


def test_the_messages_protocol_takes_text_and_images() -> None:
    for part in (text("x"), image()):
        assert adapted({"role": "user", "content": [part]}, blocks=True)
    says = r"^messages\[0\]: input_audio is not supported by the messages protocol"
    message = {"role": "user", "content": [text("x"), audio()]}
    refused(says, message, blocks=True, error=UnsupportedInputError)


# Assistant messages


def call(id_: Any = "a", name: Any = "f", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def turn(*calls: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "x", "tool_calls": list(calls), **more}


def result(id_: Any = "a", content: Any = "r", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": content, **more}


def test_an_assistant_message_has_a_content_and_nothing_that_is_null() -> None:
    for content in (None, "", [], [""]):
        message = {"role": "assistant", "content": content, "refusal": None, "tool_calls": []}
        assert adapted(message) == [{"role": "assistant", "content": " "}]
    assert adapted({"role": "assistant"}) == [{"role": "assistant", "content": " "}]
    refused(r"^messages\[0\]: only text parts", {"role": "assistant", "content": [image()]})
    refused(r"^messages\[0\]: content must be", {"role": "assistant", "content": 5})
    wrong: Any = ("f", {}, 5)
    for bad in wrong:
        refused(
            r"^messages\[0\]: tool_calls must be a list", {"role": "assistant", "tool_calls": bad}
        )


@pytest.mark.parametrize("bad", [5, {}, {"function": "f"}, {"function": None}])
def test_a_call_has_a_function(bad: Any) -> None:
    refused(r"^messages\[0\]: a tool call needs a function", turn(bad))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("f", "f"),
        ("a.b c", "a_b_c"),
        ("", "unknown_tool"),
        (None, "unknown_tool"),
        (5, "5"),
        ("x" * 65, "x" * 64),
    ],
)
def test_a_name_becomes_one_that_the_service_takes(name: Any, sent: str) -> None:
    (message, *_) = adapted(turn(call(name=name)), result())
    assert message["tool_calls"][0]["function"]["name"] == sent


def test_the_fields_of_a_call() -> None:
    (message, *_) = adapted(
        turn({"id": "a", "x": 1, "function": {"arguments": {"y": 1}}}), result()
    )
    assert message["tool_calls"] == [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "unknown_tool", "arguments": '{"y": 1}'},
        }
    ]
    (message, *_) = adapted(turn({**call(), "type": "custom"}), result())
    assert message["tool_calls"][0]["type"] == "custom"
    assert adapted(turn(call()), result(), thinks=False)[0] == turn(call())
    assert adapted(turn(call()), result())[0] == turn(call(), reasoning_content="")
    assert adapted({"role": "assistant", "content": "x"}) == [{"role": "assistant", "content": "x"}]


@pytest.mark.parametrize(
    ("dialect", "blocks", "sent"),
    [
        (XIAOMI, False, {"reasoning_content": "r"}),
        (
            SELF_HOSTED,
            False,
            {"reasoning_content": "r", "reasoning": "r", "reasoning_details": [1]},
        ),
        (OPENROUTER, False, {"reasoning_details": [1]}),
        (
            SELF_HOSTED,
            True,
            {"reasoning_content": "r", "reasoning_details": [1], "reasoning_signature": "s"},
        ),
        (XIAOMI, True, {"reasoning_content": "r", "reasoning_signature": "s"}),
    ],
)
def test_reasoning_goes_back_as_the_server_reads_it(dialect: Any, blocks: bool, sent: Any) -> None:
    message = {
        "role": "assistant",
        "content": "x",
        "reasoning_content": "r",
        "reasoning_signature": "s",
        "reasoning_details": [1],
    }
    (got,) = adapted(message, dialect=dialect, blocks=blocks)
    assert sent.items() <= got.items()
    if dialect is not OPENROUTER:
        assert got.keys() == {"role", "content", *sent}
    own = adapted(
        {"role": "assistant", "content": "x", "reasoning_content": "r", "reasoning": "own"},
        dialect=SELF_HOSTED,
    )
    assert own[0]["reasoning"] == "own"


# Results


def test_each_call_is_answered_before_anything_else_is_said() -> None:
    unanswered = {"role": "tool", "tool_call_id": "b", "content": "This call was not answered."}
    calls = turn(call("a"), call("b"))
    for after in (USER, {**USER, "name": "x"}, {"role": "assistant", "content": "y"}):
        sent = adapted(USER, calls, result("a"), after)
        assert sent[2:] == [result("a"), unanswered, after]
    assert adapted(calls, result("a"))[1:] == [result("a"), unanswered]
    assert adapted(calls, result("b"), result("a"), USER)[1:] == [result("b"), result("a"), USER]


def test_calls_without_an_id_of_their_own() -> None:
    (message, *results) = adapted(
        turn(call(None), call("x"), call("x"), call("call_1")),
        result(None),
        result("x"),
        result("x"),
    )
    ids = [one["id"] for one in message["tool_calls"]]
    assert ids == ["call_1", "x", "call_2", "call_3"]
    assert [one["tool_call_id"] for one in results] == ["call_1", "x", "call_2", "call_3"]
    (message, *_) = adapted(turn(call(7)), result(7))
    assert message["tool_calls"][0]["id"] == "7"
    assert adapted(turn(call(7)), result("7"))[1] == result("7")


def test_a_result_under_the_id_that_a_call_gets() -> None:
    """langchain-core gives none to the calls of an old `function_call`."""
    calls = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "21"}
    adapted = adapt_messages([calls, result, USER], PRO, XIAOMI, thinks=False)
    assert adapted[0]["tool_calls"][0]["id"] == "call_1"
    assert adapted[1:] == [result, USER]


def test_what_needs_no_change_goes_as_it_is() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history: list[dict[str, Any]] = [
        USER,
        {"role": "assistant", "content": "Wait.", "reasoning_content": "?", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "21"},
        {"role": "assistant", "content": "Sunny.", "reasoning_content": "21 is sunny."},
        {"role": "assistant", "content": "Really."},
        USER,
    ]
    adapted = adapt_messages(history, PRO, XIAOMI, thinks=True)
    assert adapted == history
    assert [a is b for a, b in zip(adapted, history, strict=True)] == [1, 0, 1, 1, 1, 1]


def test_a_result_without_its_call_becomes_a_text() -> None:
    head = "Output of the tool call{}, which is not in this conversation:"
    expected = {"role": "user", "content": [text(head.format(" z")), text("r")]}
    assert adapted(USER, result("z"), USER) == [USER, expected, USER]
    assert adapted(result("z")) == [expected]
    expected = {"role": "user", "content": [text(head.format("")), text(" ")]}
    assert adapted(result(None, "")) == [expected]


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ("r", "r"),
        ("", " "),
        (None, " "),
        ([], " "),
        (["a", text("b"), {"text": "c"}], "a\nb\nc"),
        ((text("a"),), "a"),
        ([text("")], " "),
    ],
)
def test_the_content_of_a_result_is_one_text(content: Any, sent: str) -> None:
    assert adapted(turn(call()), result("a", content))[1]["content"] == sent


@pytest.mark.parametrize("content", [5, {}, True])
def test_a_result_is_a_text_or_a_list(content: Any) -> None:
    refused(r"^messages\[1\]: content must be a text or a list", turn(call()), result("a", content))


def test_media_of_a_result_move_behind_the_results() -> None:
    sent = adapted(
        turn(call("a"), call("b"), call("c")),
        result("a", [text("t"), image()]),
        result("b", [image(), audio()]),
        result("c"),
        USER,
    )
    assert [message["content"] for message in sent[1:]] == [
        "t",
        "The output follows in the next user message.",
        "r",
        [
            text("Output of the tool call a:"),
            image(),
            text("Output of the tool call b:"),
            image(),
            audio(),
        ],
        "Hi",
    ]
    assert sent[4]["role"] == "user"


def test_results_keep_their_parts_on_the_messages_protocol() -> None:
    (_, got) = adapted(turn(call()), result("a", [text("t"), image(), audio()]), blocks=True)
    assert got["content"][:2] == [text("t"), image()]
    assert got["content"][2]["text"] == (
        "[The tool returned audio, which mimo-v2.5 cannot be shown here.]"
    )


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (image("x"), "[The tool returned an image that cannot be sent.]"),
        ({"type": "video_url"}, "[The tool returned a video that cannot be sent.]"),
        ({"type": "file"}, "[The tool returned a part of type 'file', which MiMo does not take.]"),
        (
            {"type": "file", "filename": "a.pdf", "mime_type": "application/pdf", "x": 1},
            "[The tool returned a part of type 'file' (a.pdf, application/pdf), which MiMo does "
            "not take.]",
        ),
        ({}, "[The tool returned a part of type 'unknown', which MiMo does not take.]"),
        (5, "[The tool returned a part of type 'int', which MiMo does not take.]"),
        (
            {"type": "text", "text": 5},
            "[The tool returned a part of type 'text', which MiMo does not take.]",
        ),
    ],
)
def test_what_a_tool_returned_and_cannot_be_sent_is_named(part: Any, words: str) -> None:
    assert adapt_result_part(part, OMNI, "messages[0]", XIAOMI) == text(words)


def test_what_the_model_cannot_see_is_named() -> None:
    (got,) = [adapt_result_part(image(), PRO._replace(inputs=frozenset({"text"})), "m", XIAOMI)]
    assert got == text("[The tool returned an image, which mimo-v2.6-pro cannot be shown here.]")
