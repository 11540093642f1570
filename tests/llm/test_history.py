"""What goes back to the service on later turns: the body on the wire is what counts."""

from __future__ import annotations

from typing import Any

import llm
import pytest

from mimo_core.testing import FakeMiMo, Reply

pytestmark = pytest.mark.protocols("chat_completions", "messages")

CALLS: list[tuple[Any, ...]] = [("llm_version", {}, "call_one"), ("llm_time", {}, "call_two")]


def _first_turn(run: Any, mimo: FakeMiMo, arguments: tuple[str, ...]) -> None:
    mimo.queue(
        Reply("I look it up.", reasoning="I need two tools.", tool_calls=CALLS),
        Reply("It is 0.36.", reasoning="Now I know."),
    )
    tools = ("-T", "llm_version", "-T", "llm_time")
    run.ok("-m", "mimo", "-s", "Be brief", "What do you run on?", *tools, *arguments)


def test_reasoning_goes_back_with_the_calls(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...]
) -> None:
    _first_turn(run, mimo, both)
    mimo.queue(Reply("You are welcome."))
    run.ok("-c", "Thanks", *both)
    first, second, third = mimo.requests  # the emulator refuses what the service refuses
    assert first.messages == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "What do you run on?"},
    ]
    calls = third.messages[2]["tool_calls"]
    assert [(call["id"], call["function"]) for call in calls] == [
        ("call_one", {"name": "llm_version", "arguments": "{}"}),
        ("call_two", {"name": "llm_time", "arguments": "{}"}),
    ]
    assert third.messages[:5] == second.messages
    assert third.messages[2] == {
        "role": "assistant",
        "content": "I look it up.",
        "reasoning_content": "I need two tools.",
        "tool_calls": calls,
    }
    assert [m["tool_call_id"] for m in third.messages[3:5]] == ["call_one", "call_two"]
    assert third.messages[5:] == [
        {"role": "assistant", "content": "It is 0.36.", "reasoning_content": "Now I know."},
        {"role": "user", "content": "Thanks"},
    ]


def test_the_tools_are_there_again(run: Any, mimo: FakeMiMo, mode: tuple[str, ...]) -> None:
    _first_turn(run, mimo, mode)
    run.ok("-c", "Once more", *mode)
    assert mimo.last_request.tool_names == ["llm_version", "llm_time"]


@pytest.mark.parametrize("arguments", [(), ("-s", "Be rude")])
def test_the_system_prompt_survives_or_is_replaced(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    run.ok("-m", "mimo", "-s", "Be brief", "Hi", *both)
    run.ok("-c", "Again", *arguments, *both)
    systems = [m["content"] for m in mimo.last_request.messages if m["role"] == "system"]
    assert systems == ["Be rude" if arguments else "Be brief"]
    assert mimo.last_request.messages[0]["role"] == "system"


def test_a_system_prompt_can_come_late(run: Any, mimo: FakeMiMo) -> None:
    run.ok("-m", "mimo", "Hi")
    run.ok("-c", "Again", "-s", "Be brief")
    assert mimo.last_request.messages[0] == {"role": "system", "content": "Be brief"}


def test_a_new_system_prompt_holds_from_then_on(
    run: Any, mimo: FakeMiMo, both: tuple[str, ...], logged: Any
) -> None:
    """llm itself gives it to one turn, and forgets it."""
    run.ok("-m", "mimo", "-s", "Be brief", "Hi", *both)
    run.ok("-c", "Again", "-s", "Be rude", *both)
    run.ok("-c", "And again", *both)
    assert _systems(mimo) == ["Be rude"]
    run.ok("-c", "Once more", "-s", "Be brief", *both)
    run.ok("-c", "And once more", *both)
    assert _systems(mimo) == ["Be brief"]
    users = [m["content"] for m in mimo.last_request.messages if m["role"] == "user"]
    assert users == ["Hi", "Again", "And again", "Once more", "And once more"]


def test_it_holds_while_tools_run(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    run.ok("-m", "mimo", "-s", "Be brief", "Hi", *both)
    mimo.queue(Reply(tool_calls=[("llm_version", {})]), Reply("0.36"), Reply("Yes."))
    run.ok("-c", "-s", "Be rude", "-T", "llm_version", "Which version?", *both)
    assert _systems(mimo) == ["Be rude"]
    run.ok("-c", "Sure?", *both)
    assert _systems(mimo) == ["Be rude"]


def test_a_new_system_prompt_in_chat(run: Any, mimo: FakeMiMo) -> None:
    run.ok("-m", "mimo", "-s", "Be brief", "Hi")
    run.ok("chat", "-c", "-s", "Be rude", input="One\nTwo\nquit\n")
    assert [_systems(mimo, at) for at in (-2, -1)] == [["Be rude"]] * 2
    run.ok("-c", "Three")
    assert _systems(mimo) == ["Be rude"]


def test_in_python_it_holds_too(mimo: FakeMiMo) -> None:
    conversation = llm.get_model("mimo").conversation()
    conversation.prompt("Hi", system="Be brief").text()
    conversation.prompt("Again", system="Be rude").text()
    response = conversation.prompt("And again")
    response.text()
    assert _systems(mimo) == ["Be rude"]
    response.reply("Sure?").text()
    assert _systems(mimo) == ["Be rude"]


def test_other_instructions_on_the_way_stay_where_they_are(mimo: FakeMiMo) -> None:
    given = [llm.system("Be brief"), llm.user("Hi"), llm.system("Mind the gap"), llm.user("Now")]
    response = llm.get_model("mimo").prompt(messages=given)
    response.text()
    response.reply("Again", system="Be rude").text()
    assert _systems(mimo)[0].startswith("Be rude")
    assert "Be brief" not in str(mimo.last_request.messages)
    assert "Mind the gap" in str(mimo.last_request.messages)


def _systems(mimo: FakeMiMo, at: int = -1) -> list[str]:
    return [m["content"] for m in mimo.requests[at].messages if m["role"] == "system"]


def test_calls_without_reasoning_go_back_too(run: Any, mimo: FakeMiMo, both: Any) -> None:
    mimo.queue(Reply(tool_calls=[("llm_version", {})]), Reply("0.36"))
    run.ok("-m", "mimo", "-T", "llm_version", "Which version?", *both)
    assert mimo.last_request.messages[1]["reasoning_content"] == ""


@pytest.mark.protocols("messages")
def test_a_signature_goes_back_unchanged(run: Any, mimo: FakeMiMo, both: tuple[str, ...]) -> None:
    """MiMo's are empty; a relay's are not, and belong to the reasoning."""
    calls: list[tuple[Any, ...]] = [("llm_version", {}, "call_one")]
    mimo.queue(
        Reply("I look.", reasoning="Hm.", tool_calls=calls, signature="EqMB+/=="),
        Reply("0.36", reasoning="Now I know.", signature="second"),
    )
    run.ok("-m", "mimo", "-T", "llm_version", "Which version?", *both)
    run.ok("-c", "Thanks", *both)
    thinking = [
        message["content"][0]
        for message in mimo.last_request.body["messages"]
        if message["role"] == "assistant"
    ]
    assert thinking == [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqMB+/=="},
        {"type": "thinking", "thinking": "Now I know.", "signature": "second"},
    ]


def test_another_model_goes_on(run: Any, mimo: FakeMiMo) -> None:
    _first_turn(run, mimo, ())
    run.ok("-c", "-m", "mimo-v2-flash", "Thanks")
    assert mimo.last_request.model == "mimo-v2-flash"
