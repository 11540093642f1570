"""llama.cpp's own server with both hosts: what reaches it, what comes back, how it refuses.

Its model has random weights, so what it says means nothing; what a grammar forces holds. Where a
test needs a rare answer (a call, reasoning) it asks until one comes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import llm
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import BaseModel

from langchain_mimo import ChatMiMo, MiMoOutputCheckError
from mimo_core import MiMoClient
from scripts.foreign.llama_server import last_slot
from scripts.foreign.relay import Relay
from tests.foreign.hosts import Answer, Talk, add

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.slow,
    pytest.mark.protocols("chat_completions", "messages"),
    # Random weights do that; what is said of it is tested elsewhere.
    pytest.mark.filterwarnings("ignore:Reasoning used up max_tokens:UserWarning"),
    pytest.mark.filterwarnings("ignore:mimo-v2.* was cut at max_tokens in its call:UserWarning"),
    pytest.mark.filterwarnings("ignore:.* reasoned although thinking was turned off:UserWarning"),
    pytest.mark.filterwarnings("ignore:Mimo-v2.* put everything into the reasoning:UserWarning"),
]

Address = Callable[[str], str]
HELLO = [{"role": "user", "content": "Hello"}]
MANY = 150  # times to ask for an answer that one in ten is like
NO_THINKING = "<|im_start|>assistant\n<think></think>"


async def until(ask: Callable[[], Awaitable[Answer]], wanted: Callable[[Answer], object]) -> Answer:
    """The first answer that is as wanted."""
    for _ in range(MANY):
        if wanted(answer := await ask()):
            return answer
    pytest.fail(f"no answer of {MANY} was as wanted")


# What goes there and back


async def test_a_chat(llama: Relay, address: Address, way: str) -> None:
    answer = await Talk(way, address(llama.root), options={"max_tokens": 8}).say("Hello, rain")
    assert answer.text or answer.reasoning
    assert answer.calls == []
    assert 1 <= (answer.tokens[1] or 0) <= 8
    (passed,) = llama.passed
    assert passed.status == 200
    assert passed.body["stream"] is way.endswith("stream")
    assert "<|im_start|>user\nHello, rain<|im_end|>" in last_slot(llama.behind)["prompt"]


@pytest.mark.protocols("chat_completions")
async def test_nothing_of_the_text_is_lost(llama: Relay, way: str) -> None:
    """Token by token, with the halves of characters that a byte of a random model is."""
    answer = await Talk(way, llama.root + "/v1", options={"max_tokens": 300}).say("Hello")
    if way.endswith("stream"):
        events = llama.last.answer.decode().split("\n\n")
        payloads = [e.removeprefix("data: ") for e in events if e.startswith("data: {")]
        choices = [c for p in payloads for c in json.loads(p)["choices"]]
        pieces = [choice["delta"] for choice in choices]
    else:
        pieces = [json.loads(llama.last.answer)["choices"][0]["message"]]
    assert answer.text.strip() == "".join(p.get("content") or "" for p in pieces).strip()
    assert answer.reasoning == "".join(p.get("reasoning_content") or "" for p in pieces)


async def test_reasoning_arrives(llama: Relay, address: Address, way: str) -> None:
    options = {"max_tokens": 40}
    await until(
        lambda: Talk(way, address(llama.root), options=options).say("Hello"), lambda a: a.reasoning
    )
    assert last_slot(llama.behind)["generated"].startswith("<think>")


async def test_a_call_and_its_result(llama: Relay, address: Address, way: str) -> None:
    """A grammar makes a call hold once the model has begun one. The second turn has it again."""
    talks: list[Talk] = []

    async def ask() -> Answer:
        talks.append(Talk(way, address(llama.root), tools=[add], options={"max_tokens": 900}))
        try:
            return await talks[-1].say("Hello")
        except llm.ModelError:  # a call that max_tokens cut
            return Answer("", "", [], (None, None))

    answer = await until(ask, lambda a: a.calls)
    assert {name for name, _ in answer.calls} == {"add"}
    (_, arguments), *_ = answer.calls
    assert isinstance(arguments["a"], int)
    with suppress(llm.ModelError):  # the same of the next answer
        await talks[-1].give(answer, *["the result, rain"] * len(answer.calls))
    assert llama.last.status == 200
    prompt = last_slot(llama.behind)["prompt"]
    call = f"<function=add>\n<parameter=a>{arguments['a']}</parameter>\n</function>"
    assert f"{call}\n</tool_call>" in prompt
    assert "<tool_response>\nthe result, rain\n</tool_response>" in prompt


class Found(BaseModel):
    """What was found."""

    is_rain: bool


@pytest.mark.protocols("chat_completions")
@pytest.mark.parametrize("mode", ["invoke", "ainvoke"])
async def test_a_json_schema_holds(llama: Relay, mode: str) -> None:
    """As a grammar: a model of random weights keeps to it at once."""
    model = ChatMiMo(base_url=llama.root + "/v1", thinking=False, max_tokens=900)
    bound = model.with_structured_output(Found, method="json_schema", max_attempts=10)
    made = bound.invoke("Rain?") if mode == "invoke" else await bound.ainvoke("Rain?")
    assert isinstance(made, Found)


@pytest.mark.parametrize("choice", ["any", "add"])
async def test_a_forced_call(llama: Relay, address: Address, choice: str) -> None:
    """A grammar after what the model thinks aloud; ChatMiMo asks again where none came."""
    model = ChatMiMo(base_url=address(llama.root), max_tokens=2000, thinking=False)
    bound = model.bind_tools([add], tool_choice=choice)
    for _ in range(MANY):
        try:
            message = await bound.ainvoke("Hello")
            break
        except MiMoOutputCheckError:  # what random weights say in three attempts
            continue
    assert {call["name"] for call in message.tool_calls} == {"add"}
    sent = llama.last.body["tool_choice"]
    assert sent in ("required", {"type": "any"}) or "add" in json.dumps(sent)
    await model.aclose()


# Parameters


@pytest.mark.parametrize("thinking", [True, False, None])
async def test_the_switch_reaches_the_template(
    llama: Relay, address: Address, way: str, thinking: bool | None
) -> None:
    """Only what the user set is sent."""
    options = {"max_tokens": 3} | ({} if thinking is None else {"thinking": thinking})
    await Talk(way, address(llama.root), options=options).say("Hello")
    assert last_slot(llama.behind)["prompt"].endswith(NO_THINKING) is (thinking is False)
    switched = {
        True: {"enable_thinking": True, "keep_all_reasoning": True},
        False: {"enable_thinking": False},
        None: None,
    }
    assert llama.last.body.get("chat_template_kwargs") == switched[thinking]


async def test_sampling_of_the_server_s_own(llama: Relay, address: Address, protocol: str) -> None:
    """Xiaomi's ranges and names do not bind other servers; nobody reads `repetition_penalty`, and
    the server's messages protocol does not read `min_p` (0.05 is its default)."""
    own = {"top_k": 7, "min_p": 0.25, "repetition_penalty": 1.25, "nonsense": [1]}
    model = ChatMiMo(
        base_url=address(llama.root), temperature=2, max_tokens=3, extra_body=own, max_retries=0
    )
    await model.ainvoke("Hello")
    used = last_slot(llama.behind)["params"]
    min_p = {"chat_completions": 0.25, "messages": 0.05}[protocol]
    assert (used["temperature"], used["top_k"]) == (2.0, 7)
    assert used["min_p"] == pytest.approx(min_p)
    assert own.items() <= llama.last.body.items()
    await model.aclose()


async def test_fields_that_no_option_names_pass(llama: Relay) -> None:
    model = ChatMiMo(base_url=llama.root + "/v1", max_tokens=3, model_kwargs={"top_k": 3})
    model.invoke("Hello", min_p=0.5)
    used = last_slot(llama.behind)["params"]
    assert (used["top_k"], used["min_p"]) == (3, 0.5)
    model.close()


async def test_temperature_two_in_llm(llama: Relay, address: Address) -> None:
    options = {"temperature": 2, "max_tokens": 3}
    await Talk("llm-sync-stream", address(llama.root), options=options).say("Hello")
    assert last_slot(llama.behind)["params"]["temperature"] == 2.0


async def test_the_name_with_an_address(llama: Relay, way: str) -> None:
    where = f"llama.cpp+{llama.root}/v1"
    await Talk(way, where, options={"max_tokens": 3, "thinking": False}).say("Hello")
    assert last_slot(llama.behind)["prompt"].endswith(NO_THINKING)


def test_its_models(llama: Relay) -> None:
    with MiMoClient(base_url=llama.root + "/v1") as client:
        assert client.models() == ["/tiny.gguf"]


# Ends


async def test_an_answer_that_is_cut(llama: Relay, address: Address) -> None:
    own = {"ignore_eos": True}
    model = ChatMiMo(base_url=address(llama.root), max_tokens=5, extra_body=own)
    for message in (model.invoke("Hello"), await model.ainvoke("Hello")):
        assert message.response_metadata["finish_reason"] == "length"
        usage: Any = message.usage_metadata
        assert usage["output_tokens"] == 5
    *_, last = model.stream("Hello")
    assert last.response_metadata["finish_reason"] == "length"
    model.close()
    await model.aclose()


@pytest.mark.parametrize("mode", ["stream", "astream"])
async def test_leaving_a_stream_stops_the_server(llama: Relay, address: Address, mode: str) -> None:
    own = {"ignore_eos": True}
    model = ChatMiMo(base_url=address(llama.root), max_tokens=3800, extra_body=own)
    if mode == "stream":
        stream: Any = model.stream("Hello")
        next(stream)
        stream.close()
    else:
        async_stream: Any = model.astream("Hello")
        await anext(async_stream)
        await async_stream.aclose()
    for _ in range(100):
        if llama.last.left and not last_slot(llama.behind)["is_processing"]:
            break
        await asyncio.sleep(0.05)
    assert llama.last.left
    assert not last_slot(llama.behind)["is_processing"]
    model.close()
    await model.aclose()


# A history that cannot be parsed


CUT = '{"a": 1, "text": "half of'


@pytest.mark.parametrize("arguments", [CUT, "[1, 2]", "", "null", "rain"])
def test_a_cut_call_does_not_end_the_thread(llama: Relay, address: Address, arguments: str) -> None:
    """As it came, it is HTTP 500 "Failed to parse tool call arguments as JSON" on every turn."""
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": arguments}}
    history = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "The call was cut."},
        *HELLO,
    ]
    with MiMoClient(base_url=address(llama.root)) as client:
        client.chat({"model": "mimo-v2.5", "messages": history, "max_tokens": 3})
    assert len(llama.passed) == 1
    prompt = last_slot(llama.behind)["prompt"]
    assert "<function=add>" in prompt
    if arguments not in ("", "null"):
        assert arguments.partition('"')[0] in prompt


async def test_a_cut_call_in_langchain(llama: Relay, address: Address) -> None:
    call: Any = {"id": "c", "name": "add", "args": CUT, "error": "cut", "type": "invalid_tool_call"}
    cut = AIMessage("", invalid_tool_calls=[call])
    model = ChatMiMo(base_url=address(llama.root), max_tokens=3)
    history = [HumanMessage("Hello"), cut, ToolMessage("Again.", tool_call_id="c")]
    await model.ainvoke(history)
    assert [passed.status for passed in llama.passed] == [200]
    await model.aclose()
