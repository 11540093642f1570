"""The messages of a request, adapted to what MiMo's backends take and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core import InvalidRequestError, prepare
from mimo_core._request import history, parts
from tests.core.histories import CALL, IMAGE, RESULT, USER, assistant, refusal, sent, user

# 1. Reasoning must come back


def test_reasoning_goes_back_as_it_came_on_every_message() -> None:
    turn = assistant(content="A", reasoning_content="Because.", tool_calls=[CALL])
    talk = assistant(content="B", reasoning_content="Hm.")
    assert sent(USER, turn, RESULT, talk, USER) == [USER, turn, RESULT, talk, USER]


@pytest.mark.parametrize("missing", [{}, {"reasoning_content": None}])
def test_a_call_without_reasoning_gets_an_empty_one(missing: dict[str, Any]) -> None:
    turn = sent(USER, assistant(content="A", tool_calls=[CALL], **missing), RESULT)[1]
    assert turn["reasoning_content"] == ""


@pytest.mark.parametrize(
    "off",
    [
        {"thinking": False},
        {"thinking": {"type": "disabled"}},
        {"reasoning_effort": "none"},
        {"extra_body": {"thinking": {"type": "disabled"}}},
        {"model": "mimo-v2-flash"},
    ],
)
def test_where_the_model_does_not_think_none_is_made_up(off: dict[str, Any]) -> None:
    turn = sent(USER, assistant(content="A", tool_calls=[CALL]), RESULT, **off)[1]
    assert "reasoning_content" not in turn


@pytest.mark.parametrize(
    "on",
    [{"model": "mimo-v9-nova"}, {"model": "mimo-v2-flash", "thinking": True}],
)
def test_where_it_may_think_one_is(on: dict[str, Any]) -> None:
    turn = sent(USER, assistant(content="A", tool_calls=[CALL]), RESULT, **on)[1]
    assert turn["reasoning_content"] == ""


def test_an_answer_without_calls_needs_none() -> None:
    assert sent(USER, assistant(content="A"), USER)[1] == assistant(content="A")


# 2. Assistant content must be there


@pytest.mark.parametrize("nothing", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_a_message_of_calls_alone_has_a_space_for_content(nothing: dict[str, Any]) -> None:
    turn = sent(USER, assistant(tool_calls=[CALL], **nothing), RESULT)[1]
    assert turn["content"] == " "
    assert sent(USER, assistant(**nothing), USER)[1] == assistant(content=" ")


def test_the_content_parts_of_an_answer_become_one_text() -> None:
    parts = [{"type": "text", "text": "one"}, "two"]
    assert sent(USER, assistant(content=parts))[1]["content"] == "one\ntwo"
    assert sent(USER, assistant(content=parts[:1]))[1]["content"] == "one"
    assert "only text parts can stand here" in refusal(USER, assistant(content=[IMAGE]))


def test_a_mark_on_a_whole_message_is_for_the_messages_protocol() -> None:
    """Chat completions have no place for it. On a part it stays: there are relays that read it."""
    mark = {"cache_control": {"type": "ephemeral"}}
    part = {"type": "text", "text": "Long.", **mark}
    said = assistant(content="Yes?")
    system = {"role": "system", "content": "Be brief."}
    history = [system | mark, user(part) | mark, said | mark, USER]
    assert sent(*history) == [system, user(part), said, USER]
    request = {"model": "mimo-v2.5", "messages": history}
    assert prepare(request, "messages")["messages"] == history


def test_null_fields_of_an_answer_are_left_out() -> None:
    answer = {"role": "assistant", "content": "A", "tool_calls": None, "audio": None, "name": "Mo"}
    assert sent(USER, answer)[1] == {"role": "assistant", "content": "A", "name": "Mo"}


# 3. Tool messages take a string only


def test_the_text_parts_of_a_tool_message_become_one_text() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert sent(*CALLED, {**RESULT, "content": parts})[2] == {**RESULT, "content": "one\ntwo"}


@pytest.mark.parametrize("nothing", ["", None, []])
def test_an_empty_result_is_a_space(nothing: Any) -> None:
    assert sent(*CALLED, {**RESULT, "content": nothing})[2]["content"] == " "


def test_images_of_tools_travel_in_a_user_message_after_all_tool_messages() -> None:
    first = {**RESULT, "content": [{"type": "text", "text": "A map:"}, IMAGE]}
    second = {**RESULT, "tool_call_id": "call_2", "content": [IMAGE]}
    third = {**RESULT, "tool_call_id": "call_3"}
    calls = [{**CALL, "id": id} for id in ("call_1", "call_2", "call_3")]
    turn = assistant(content="A", tool_calls=calls, reasoning_content="R")

    assert sent(USER, turn, first, second, third, USER)[2:] == [
        {**RESULT, "content": "A map:"},
        {**second, "content": "The output follows in the next user message."},
        third,
        user(
            {"type": "text", "text": "Output of the tool call call_1:"},
            IMAGE,
            {"type": "text", "text": "Output of the tool call call_2:"},
            IMAGE,
        ),
        USER,
    ]
    assert sent(USER, turn, first)[-1]["role"] == "user"  # also at the end


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (IMAGE, "[The tool returned an image, which mimo-v2.5-pro cannot be shown here.]"),
        ({"type": "input_audio", "input_audio": {"data": "data:,"}}, "[The tool returned audio, "),
        ({"type": "video_url", "video_url": {"url": "https://h/v"}}, "[The tool returned a video"),
        (
            {"type": "file", "mime_type": "application/pdf", "filename": "a.pdf"},
            "[The tool returned a part of type 'file' (a.pdf, application/pdf), which MiMo",
        ),
        ({"type": "new"}, "[The tool returned a part of type 'new', which MiMo does not take.]"),
        (7, "[The tool returned a part of type 'int', which MiMo does not take.]"),
    ],
)
def test_what_a_tool_returned_and_a_model_cannot_see_is_named_in_a_text(
    part: Any, said: str
) -> None:
    """An error would end the thread: the result stays in the history."""
    content = [{"type": "text", "text": "Here:"}, part]
    result = sent(*CALLED, {**RESULT, "content": content}, USER, model="mimo-v2.5-pro")[2]
    assert result["content"].startswith(f"Here:\n{said}")


def test_media_of_a_tool_that_cannot_be_sent_are_named_too() -> None:
    result = sent(*CALLED, {**RESULT, "content": [{"type": "image_url"}]})[2]
    assert result["content"] == "[The tool returned an image that cannot be sent.]"


# 4. Calls and results belong together


CALLED = (USER, {"role": "assistant", "content": "A", "tool_calls": [CALL]})


@pytest.mark.parametrize("later", [(), (USER,), (CALLED[1], RESULT)], ids=["end", "user", "again"])
def test_a_call_that_nobody_answered_gets_an_answer_that_says_so(later: Any) -> None:
    history = sent(*CALLED, *later)
    answer = {"role": "tool", "tool_call_id": "call_1", "content": "This call was not answered."}
    assert history[2] == answer
    assert len(history) == 3 + len(later)


def test_a_result_without_its_call_is_a_text_of_the_users() -> None:
    """LangChain's trim_messages leaves such a one behind."""
    text = "Output of the tool call call_1, which is not in this conversation:"
    stray = user({"type": "text", "text": text}, {"type": "text", "text": "18 °C"})
    assert sent(RESULT, USER) == [stray, USER]
    other = {**RESULT, "tool_call_id": "call_9"}
    assert [m["role"] for m in sent(*CALLED, other, RESULT, USER)] == [
        *("user", "assistant", "tool", "user", "user")
    ]


def test_ids_that_are_missing_are_made_up_and_pair_up_in_order() -> None:
    calls = [{"function": {"name": name}} for name in "ab"]
    results = [{"role": "tool", "content": text} for text in "12"]
    _, turn, first, second = sent(USER, assistant(tool_calls=calls), *results)
    ids = [call["id"] for call in turn["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(m["tool_call_id"], m["content"]) for m in (first, second)] == [
        (ids[0], "1"),
        (ids[1], "2"),
    ]


def test_calls_of_one_message_do_not_share_an_id() -> None:
    turn = assistant(tool_calls=[CALL, CALL])
    _, asked, *results = sent(USER, turn, RESULT, {**RESULT, "content": "19 °C"})
    ids = [call["id"] for call in asked["tool_calls"]]
    assert len(set(ids)) == 2
    assert [result["tool_call_id"] for result in results] == ids


@pytest.mark.parametrize(
    ("name", "adapted"),
    [
        ("functions.get_weather:0", "functions_get_weather_0"),
        ("x" * 70, "x" * 64),
        (None, "unknown_tool"),
    ],
)
def test_the_name_of_an_earlier_call_is_one_that_the_service_takes(name: Any, adapted: str) -> None:
    turn = sent(USER, assistant(tool_calls=[{"id": "c", "function": {"name": name}}]))[1]
    assert turn["tool_calls"][0]["function"]["name"] == adapted


# 6. Arguments are the text of a JSON object


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"a":1}', '{"a":1}'),
        ('{"a":', '{"_raw": "{\\"a\\":"}'),  # cut off
        ("[1]", '{"_raw": "[1]"}'),
        ([1], '{"_raw": [1]}'),
        ('{"a": NaN}', '{"_raw": "{\\"a\\": NaN}"}'),
        ('{"a": 1e999}', '{"_raw": "{\\"a\\": 1e999}"}'),
        ('{"a": "x\ny"}', '{"a": "x\\ny"}'),
        ({"a": float("inf")}, '{"_raw": "{\'a\': inf}"}'),
        ({"a": "ü"}, '{"a": "ü"}'),
        ('{"a": "\ud83d"}', '{"a": "\ud83d"}'),  # half an emoji
        (None, "{}"),
        ("", "{}"),
        ({}, "{}"),
    ],
)
def test_arguments(arguments: Any, text: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    turn = sent(USER, assistant(tool_calls=[call]), RESULT)[1]
    assert turn["tool_calls"] == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}
    ]


def test_the_index_of_a_streamed_call_does_not_go_back() -> None:
    turn = sent(USER, assistant(tool_calls=[{**CALL, "index": 0}]), RESULT)[1]
    assert turn["tool_calls"] == [CALL]


@pytest.mark.parametrize(
    "call",
    [
        "x",
        {},
        {"id": "c"},
        {"id": "c", "function": "f"},
    ],
)
def test_what_is_not_a_tool_call(call: Any) -> None:
    assert "a tool call needs a function with a name" in refusal(USER, assistant(tool_calls=[call]))


def test_calls_are_a_list() -> None:
    assert "tool_calls must be a list" in refusal(USER, assistant(tool_calls=CALL))


# 10. Empty texts


@pytest.mark.parametrize("role", ["user", "system", "developer"])
@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_a_message_without_text_holds_a_space(role: str, content: Any) -> None:
    message = sent({"role": role, "content": content}, USER)[0]
    space = " " if content == "" else [{"type": "text", "text": " "}]
    assert message == {"role": role, "content": space}


def test_an_empty_text_beside_others_is_left_out() -> None:
    empty = {"type": "text", "text": ""}
    assert sent(user(empty, IMAGE, empty))[0] == user(IMAGE)


def test_instructions_are_text_only() -> None:
    said = refusal({"role": "system", "content": [IMAGE]}, USER)
    assert said == "messages[0]: instructions are text only; move the media into a user message."


# 14. Roles


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_roles_and_names(role: str) -> None:
    message = {"role": role, "content": "Hi", "name": "Bo"}
    assert sent(message, USER)[0] == message


@pytest.mark.parametrize(
    "message", [{"role": "function", "content": "x"}, {"content": "x"}, "x", None]
)
def test_other_roles(message: Any) -> None:
    assert "it can be system, developer, user, assistant or tool" in refusal(message)


@pytest.mark.parametrize("role", ["system", "developer", "user"])
@pytest.mark.parametrize("content", [None, 7, {"text": "x"}])
def test_content_is_a_text_or_parts(role: str, content: Any) -> None:
    message = {"role": role, "content": content}
    assert refusal(message) == "messages[0]: content must be a text or a list of parts."


@pytest.mark.parametrize("content", [7, {"text": "x"}])
def test_content_of_answers_and_tools_is_a_text_or_parts(content: Any) -> None:
    assert "content must be a text or a list" in refusal(USER, assistant(content=content))
    assert "content must be a text or a list" in refusal(USER, {**RESULT, "content": content})


@pytest.mark.parametrize("messages", [[], (), None, "Hi", {"role": "user", "content": "Hi"}])
def test_an_empty_history(messages: Any) -> None:
    with pytest.raises(InvalidRequestError, match="at least one message"):
        prepare({"model": "mimo-v2.5-pro", "messages": messages})
    with pytest.raises(InvalidRequestError, match="at least one message"):
        prepare({"model": "mimo-v2.5-pro"})


# Length


def test_a_long_history_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: each part is looked at once."""
    seen = 0
    adapt_part = parts.adapt_part

    def count(*args: Any) -> Any:
        nonlocal seen
        seen += 1
        return adapt_part(*args)

    monkeypatch.setattr(history, "adapt_part", count)
    monkeypatch.setattr(parts, "adapt_part", count)
    turn = [
        user({"type": "text", "text": "x"}, IMAGE),
        assistant(tool_calls=[CALL]),
        {**RESULT, "content": [IMAGE]},
    ]
    adapted = sent(*turn * 500)
    assert len(adapted) == 4 * 500  # the images of the tools stand in messages of their own
    assert seen == 3 * 500
