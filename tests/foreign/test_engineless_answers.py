"""Answers that vLLM and SGLang make of MiMo's tokens, in both hosts: nothing of them is lost.

The servers' own parsers, response classes and SSE framing are at work (`scripts/foreign`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langchain_mimo import ChatMiMo
from mimo_core import InvalidRequestError, MiMoClient
from scripts.foreign.engineless_server import Engineless
from tests.foreign.hosts import Talk, add, earlier_reasoning

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.slow,
    pytest.mark.protocols("chat_completions", "messages"),
]

Address = Callable[[str], str]
CALL = "<tool_call>\n<function=add>\n<parameter=a>{}</parameter>\n</function>\n</tool_call>"
THINKING = {"thinking": True, "max_tokens": 3000}


async def test_a_plain_answer(engineless: Engineless, address: Address, way: str) -> None:
    engineless.say("Hello, “you” 🌧!")
    answer = await Talk(way, address(engineless.root), options={"thinking": False}).say("Hi")
    assert (answer.text, answer.reasoning, answer.calls) == ("Hello, “you” 🌧!", "", [])


async def test_reasoning_calls_and_counts(
    engineless: Engineless, address: Address, way: str
) -> None:
    engineless.say(f"<think>I add. Twice!</think>I will.{CALL.format(2)}\n{CALL.format(30)}")
    answer = await Talk(way, address(engineless.root), tools=[add], options=THINKING).say("2, 30")
    assert answer.reasoning == "I add. Twice!"
    assert answer.text.strip() == "I will."
    assert answer.calls == [("add", {"a": 2}), ("add", {"a": 30})]
    assert len(set(answer.ids)) == 2
    given, made = answer.tokens
    assert given == 11  # four of them cached
    assert made
    assert made > 20


async def test_a_whole_round_of_a_call(
    engineless: Engineless, server_name: str, address: Address, way: str
) -> None:
    """The reasoning goes back with the call, to where the server reads it."""
    engineless.say(f"<think>I add.</think>{CALL.format(2)}")
    talk = Talk(way, address(engineless.root), tools=[add], options=THINKING)
    first = await talk.say("2?")
    assert (first.reasoning, first.calls) == ("I add.", [("add", {"a": 2})])
    engineless.say("<think>It is three.</think>Three.")
    last = await talk.give(first, "3")
    assert (last.reasoning, last.text) == ("It is three.", "Three.")
    _, received = engineless.received()
    _, said, result = received["read"]["messages"]
    assert earlier_reasoning(said, server_name) == "I add."
    assert said["tool_calls"][0]["id"] == result["tool_call_id"] == first.ids[0]
    assert result["content"] == "3"


async def test_reasoning_only(engineless: Engineless, address: Address, way: str) -> None:
    """Cut while it thinks: no text is made up."""
    engineless.say("<think>I wonder whether", "length")
    talk = Talk(way, address(engineless.root), options=THINKING)
    if way.startswith("langchain"):
        with pytest.warns(UserWarning, match="Reasoning used up max_tokens"):
            answer = await talk.say("2?")
    else:
        answer = await talk.say("2?")
    assert (answer.text.strip(), answer.reasoning.strip()) == ("", "I wonder whether")


@pytest.mark.protocols("chat_completions")
@pytest.mark.parametrize("server_name", ["vllm"], indirect=True)
async def test_an_answer_that_is_taken_for_reasoning(
    engineless: Engineless, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """vLLM's parser expects thinking unless told otherwise; a template that has switched it off
    then gives an answer of reasoning alone (vLLM recipes, issue 425). The user is told why."""
    engineless.say("The answer is four.")
    talk = Talk(way, f"{engineless.root}/v1")
    if way.startswith("langchain"):
        with pytest.warns(UserWarning, match="put everything into the reasoning.*thinking=False"):
            answer = await talk.say("2+2?")
    else:
        answer = await talk.say("2+2?")
        assert "only thought" in caplog.text
    assert (answer.text.strip(), answer.reasoning) == ("", "The answer is four.")


def test_the_end_says_why(engineless: Engineless, address: Address) -> None:
    model = ChatMiMo(base_url=address(engineless.root), thinking=False)
    for reason, finish in (("stop", "stop"), ("length", "length")):
        for stream in (False, True):
            engineless.say("One two", reason)
            message: Any = list(model.stream("Hi"))[-1] if stream else model.invoke("Hi")
            assert message.response_metadata["finish_reason"] == finish
    model.close()


def test_a_refusal(engineless: Engineless, address: Address) -> None:
    """Their two shapes of an error; SGLang's has several lines."""
    request: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    request |= {"max_tokens": 5, "extra_body": {"top_k": "many"}}
    with MiMoClient(base_url=address(engineless.root)) as client:
        for ask in (client.chat, lambda asked: list(client.stream(asked))):
            with pytest.raises(InvalidRequestError, match="top_k") as raised:
                ask(request)
            assert "\n" not in str(raised.value)
            assert len(engineless.received()) == 1
