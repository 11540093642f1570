"""Translation of conversations that did not come from this plugin, and of odd ones."""

from __future__ import annotations

from typing import Any

import llm
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from llm_mimo.chat_models import ChatModel
from llm_mimo.messages import request_messages, system_prompt
from mimo_core._request.prepare import prepare
from mimo_core.models import model_info


def _prompt(*messages: Message, system: str | None = None) -> llm.Prompt:
    model: Any = ChatModel(model_info("mimo-v2.5-pro"))
    return llm.Prompt(None, model, messages=list(messages), system=system)


def test_reasoning_of_another_provider_stays_out() -> None:
    signed = ReasoningPart(text="Hm.", provider_metadata={"anthropic": {"signature": "x"}})
    redacted = ReasoningPart(text="", redacted=True)
    own = ReasoningPart(text="Mine.", provider_metadata={"mimo": {}})
    (translated,) = request_messages(
        _prompt(Message("assistant", [redacted, signed, own, TextPart("Hi")]))
    )
    assert translated == {"role": "assistant", "content": "Hi", "reasoning_content": "Mine."}


def test_calls_without_ids_pair_up() -> None:
    call = ToolCallPart(name="f", arguments={"a": 1})
    result = ToolResultPart(name="f", output="2")
    given = request_messages(
        _prompt(
            llm.user("Go"),
            Message("assistant", [call, call]),
            Message("tool", [result, result]),
        )
    )
    translated = prepare({"model": "mimo-v2.6-pro", "messages": given})["messages"]
    ids = [call["id"] for call in translated[1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in translated[2:]]
    assert len(set(ids)) == 2


def test_what_the_service_executed_does_not_go_back() -> None:
    parts = [
        ToolCallPart(name="web_search", tool_call_id="s", server_executed=True),
        ToolResultPart(name="web_search", output="{}", tool_call_id="s", server_executed=True),
    ]
    assert request_messages(_prompt(llm.user("Go"), Message("assistant", parts))) == [
        {"role": "user", "content": "Go"}
    ]


def test_system_prompts() -> None:
    chain = (llm.system("Old"), llm.user("Hi"), llm.system("Mind the gap"))
    assert system_prompt(_prompt(*chain)) == "Old"
    assert system_prompt(_prompt(*chain, system="New")) == "New"
    assert [m["content"] for m in request_messages(_prompt(*chain, system="New"))] == [
        "New",
        "Hi",
        "Mind the gap",
    ]
    assert [m["content"] for m in request_messages(_prompt(*chain))] == [
        "Old",
        "Hi",
        "Mind the gap",
    ]


def test_several_texts_are_one() -> None:
    assert request_messages(_prompt(llm.user("One", "Two"))) == [
        {"role": "user", "content": "One\nTwo"}
    ]
