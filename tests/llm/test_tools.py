"""Tools of the user's own: calls, ids, results, media."""

from __future__ import annotations

import base64
import json
from typing import Any

import llm
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply

pytestmark = pytest.mark.protocols("chat_completions", "messages")

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FUNCTIONS = """
import llm
def add(a: int, b: int) -> int:
    "Add two numbers"
    return a + b
def nothing():
    return "done"
"""


def test_one_tool(run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any) -> None:
    mimo.queue(
        Reply(reasoning="Add them.", tool_calls=[("add", {"a": 2, "b": 3}, "call_a")]),
        Reply("It is 5."),
    )
    result = run.ok("-m", "mimo", "--functions", FUNCTIONS, "2+3?", *both)
    assert result.stdout.strip() == "It is 5."
    assert mimo.last_request.messages[-1] == {
        "role": "tool",
        "tool_call_id": "call_a",
        "content": "5",
    }
    add, nothing = mimo.last_request.chat["tools"]
    assert add["function"]["description"] == "Add two numbers"
    assert add["function"]["parameters"]["required"] == ["a", "b"]
    assert nothing["function"]["parameters"]["type"] == "object"


def test_two_tools_at_once(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(
        Reply(tool_calls=[("add", {"a": 1, "b": 1}, "call_a"), ("nothing", {}, "call_b")]),
        Reply("Done."),
    )
    run.ok("-m", "mimo", "--functions", FUNCTIONS, "Go", *both)
    results = {m["tool_call_id"]: m["content"] for m in mimo.last_request.messages[2:]}
    assert results == {"call_a": "2", "call_b": "done"}


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_is_one_part_with_one_id(mimo: FakeMiMo, stream: bool) -> None:
    mimo.queue(Reply("Wait.", tool_calls=[("add", {"a": 1, "b": 2}, "call_a")]))
    response = llm.get_model("mimo").prompt("Go", tools=[_add], stream=stream)
    (message,) = response.messages()
    assert [type(part).__name__ for part in message.parts] == ["TextPart", "ToolCallPart"]
    (call,) = response.tool_calls()
    assert call.tool_call_id == message.parts[1].tool_call_id == "call_a"
    assert call.arguments == message.parts[1].arguments == {"a": 1, "b": 2}


def _add(a: int, b: int) -> int:
    return a + b


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_without_id_gets_one(mimo: FakeMiMo, stream: bool, protocol: str) -> None:
    call = {"type": "function", "function": {"name": "_add", "arguments": '{"a": 1, "b": 2}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    body = {"id": "x", "model": "mimo-v2.5-pro", "choices": [choice]}
    if protocol == "messages":
        block = {"type": "tool_use", "name": "_add", "input": {"a": 1, "b": 2}}
        body = {"id": "x", "model": "m", "content": [block], "stop_reason": "tool_use"}
    mimo.queue(body)
    response = llm.get_model("mimo").prompt("Go", tools=[_add], stream=stream)
    (message,) = response.messages()
    (made,) = response.tool_calls()
    assert made.tool_call_id
    assert [part.tool_call_id for part in message.parts] == [made.tool_call_id]


def test_arguments_that_are_no_object_let_the_model_try_again(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    mimo.queue(
        Reply(tool_calls=[("add", "[1, 2", "call_a")]),
        Reply(tool_calls=[("add", {"a": 1, "b": 2}, "call_b")]),
        Reply("It is 3."),
    )
    result = run.ok("-m", "mimo", "--functions", FUNCTIONS, "1+2?", *both)
    assert result.stdout.strip() == "It is 3."
    assert "Error" in mimo.requests[1].messages[-1]["content"]


def test_a_call_cut_by_the_limit_is_an_error(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    mimo.queue(Reply(tool_calls=[("add", '{"a": 1, "b"', "call_a")], finish_reason="length"))
    error = run.fails("-m", "mimo", "--functions", FUNCTIONS, "1+2?", *both)
    assert "in the middle of a call of 'add'" in error
    assert "-o max_tokens" in error


def test_a_failing_tool_is_told_to_the_model(run: Any, mimo: FakeMiMo) -> None:
    mimo.queue(Reply(tool_calls=[("boom", {})]), Reply("It failed."))
    run.ok("-m", "mimo", "--functions", "def boom():\n    raise ValueError('no luck')", "Go")
    assert mimo.last_request.messages[-1]["content"] == "Error: no luck"


PICTURE = f'''
import base64, llm
def picture():
    "Take a picture"
    data = base64.b64decode("{base64.b64encode(PNG).decode()}")
    return llm.ToolOutput("One picture.", attachments=[
        llm.Attachment(type="image/png", content=data)])
'''


def test_media_of_a_tool_arrive(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply(reasoning="Look.", tool_calls=[("picture", {}, "call_p")]), Reply("A dot."))
    result = run.ok("-m", "mimo-v2.5", "--functions", PICTURE, "What is there?", *both)
    assert result.stdout.strip() == "A dot."
    tool, user = mimo.last_request.messages[-2:]
    assert tool == {"role": "tool", "tool_call_id": "call_p", "content": "One picture."}
    assert user["role"] == "user"
    assert user["content"][-1] == _image_part()


def test_media_in_explicit_tool_results_arrive(mimo: FakeMiMo) -> None:
    conversation = llm.get_model("mimo-v2.5").conversation(tools=[_add])
    mimo.queue(Reply(tool_calls=[("_add", {"a": 1, "b": 2}, "call_p")]), Reply("A dot."))
    conversation.prompt("Go").text()
    result = llm.ToolResult(
        name="_add",
        output="One picture.",
        tool_call_id="call_p",
        attachments=[llm.Attachment(type="image/png", content=PNG)],
    )
    assert conversation.prompt(tool_results=[result]).text() == "A dot."
    tool, user = mimo.last_request.messages[-2:]
    assert tool["content"] == "One picture."
    assert user["content"][-1] == _image_part()


def test_media_for_a_text_model_become_words(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    """A tool decides by itself what it returns: the chain goes on, and so does the conversation."""
    mimo.queue(Reply(tool_calls=[("picture", {})]), Reply("I see nothing."), Reply("Still not."))
    model = ("-m", "mimo-v2.5-pro")
    run.ok(*model, "--functions", PICTURE, "What is there?", *both)
    run.ok("-c", "And now?", *both)
    (result,) = (m["content"] for m in mimo.last_request.messages if m["role"] == "tool")
    assert "One picture." in str(result)
    assert "[The tool returned an image, which mimo-v2.5-pro cannot be shown here.]" in str(result)


PDF = """
import llm
def report():
    return llm.ToolOutput("Here.", attachments=[
        llm.Attachment(type="application/pdf", content=b"%PDF"),
        llm.Attachment(type="text/csv", url="https://example.invalid/a.csv")])
"""


def test_files_of_a_tool_become_words(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    mimo.queue(Reply(tool_calls=[("report", {})]), Reply("I cannot read it."))
    run.ok("-m", "mimo", "--functions", PDF, "Report", *both)
    (result,) = (m["content"] for m in mimo.last_request.messages if m["role"] == "tool")
    assert "a part of type 'file' (application/pdf)" in str(result)
    assert "a part of type 'file' (a.csv, text/csv)" in str(result)


def test_media_of_several_tools(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    """llm hands them on without saying which tool returned which: they keep their order."""
    calls: list[tuple[Any, ...]] = [("picture", {}, "call_one"), ("picture", {}, "call_two")]
    mimo.queue(Reply(tool_calls=calls), Reply("Two dots."))
    run.ok("-m", "mimo", "--functions", PICTURE, "What is there?", *both)
    text = json.dumps(mimo.last_request.messages)
    assert "What the tools attached, in order:" in text
    assert text.count("data:image/png;base64,") == 2


def _image_part() -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def test_a_call_written_as_text_is_run(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    leaked = (
        "<tool_call><function=add><parameter=a>2</parameter><parameter=b>3</parameter>"
        "</function></tool_call>"
    )
    mimo.queue(Reply(leaked, finish_reason="tool_calls"), Reply("It is 5."))
    result = run.ok("-m", "mimo", "--functions", FUNCTIONS, "2+3?", *both)
    assert result.stdout.strip() == "It is 5."
    assert mimo.last_request.messages[-1]["content"] == "5"


def test_a_call_that_breaks_off_is_not_run(run: Any, mimo: FakeMiMo, mode: tuple[str, ...]) -> None:
    reply = Reply("Wait. ", tool_calls=[("add", {"a": 2, "b": 3})])
    mimo.queue(Fault(reply=reply, cut="mid_stream", after=-2))
    error = run.fails("-m", "mimo", "--functions", FUNCTIONS, "2+3?", *mode)
    assert "stream" in error
    assert len(mimo.requests) == 1
