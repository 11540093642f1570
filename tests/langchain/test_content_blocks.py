"""LangChain's v1 view of an answer, in every way to get it.

The three hazards of langchain-core (`reference/langchain.md`, 1.4) each have a test: blocks that
are merged because their indices collide, a chunk that holds reasoning and text, and one that holds
text and a call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from langchain_mimo import ChatMiMo
from mimo_core.models import DEFAULT_MODEL
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.langchain.conftest import added_up

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]

pytestmark = [
    pytest.mark.protocols("chat_completions", "messages"),
    pytest.mark.filterwarnings("ignore:.*is in beta.*"),
]

CALLS = [
    {"type": "tool_call", "name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"},
    {"type": "tool_call", "name": "get_weather", "args": {"city": "Oslo"}, "id": "call_2"},
]
BLOCKS = [
    {"type": "reasoning", "reasoning": "Two cities, two calls."},
    {"type": "text", "text": "Let me look that up."},
    *CALLS,
]
REPLY = Reply(
    "Let me look that up.",
    reasoning="Two cities, two calls.",
    tool_calls=[("get_weather", call["args"], call["id"]) for call in CALLS],
)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


def plain(blocks: Any) -> list[dict[str, Any]]:
    """Blocks without the indices and ids by which chunks were merged."""
    return [
        {
            key: value
            for key, value in block.items()
            if key not in ("index", "extras") and not str(value).startswith("lc_")
        }
        for block in blocks
    ]


@pytest.mark.parametrize("output_version", ["v0", "v1"])
async def test_the_blocks_of_an_answer(
    mimo: FakeMiMo, chat: Chat, ask: Ask, output_version: str
) -> None:
    mimo.queue(REPLY)
    answer = await ask(chat(output_version=output_version).bind_tools([get_weather]))
    assert plain(answer.content_blocks) == BLOCKS
    assert [call["args"] for call in answer.tool_calls] == [call["args"] for call in CALLS]
    if output_version == "v1":
        assert answer.content == answer.content_blocks
        assert answer.response_metadata["output_version"] == "v1"
    else:
        assert answer.content == "Let me look that up."


@pytest.mark.protocols("chat_completions")
async def test_invalid_calls_have_a_block(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """(On the messages protocol, arguments are text in streams only.)"""
    mimo.queue(Reply(tool_calls=[("get_weather", "no JSON", "call_1")]))
    [block] = (await ask(chat().bind_tools([get_weather]))).content_blocks
    assert (block["type"], block["name"], block["args"], block["id"]) == (
        "invalid_tool_call",
        "get_weather",
        "no JSON",
        "call_1",
    )


async def test_no_blocks_for_what_is_not_there(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    mimo.queue(Reply("Hello", reasoning=""), Reply("Hello"))
    for _ in range(2):
        assert plain((await ask(chat())).content_blocks) == [{"type": "text", "text": "Hello"}]


def test_the_pieces_of_a_stream(mimo: FakeMiMo, chat: Chat) -> None:
    """Every piece says which block it belongs to, under a name that nothing else has."""
    mimo.queue(Reply("ab", reasoning="c", tool_calls=[("get_weather", {}, "1")], chunk_size=1))
    model = chat(output_version="v1").bind_tools([get_weather])
    chunks: Any = model.stream("Hi")
    pieces = [block for chunk in chunks for block in chunk.content]
    assert [(piece["type"], piece["index"]) for piece in pieces] == [
        ("reasoning", "lc_rs"),
        ("text", "lc_txt"),
        ("text", "lc_txt"),
        ("tool_call_chunk", "lc_tc_0"),
        ("tool_call_chunk", "lc_tc_0"),
    ]


def raw_stream(*deltas: dict[str, Any]) -> Fault:
    """A stream of exactly these deltas, as a backend may cut them."""
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    events = [{"id": "1", "model": "mimo-v2.5-pro", "choices": [choice]} for choice in choices]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return Fault(body=body, content_type="text/event-stream")


def fragment(index: int, **function: Any) -> dict[str, Any]:
    call = {"index": index, "type": "function", "function": function}
    return call | ({"id": f"call_{index + 1}"} if "name" in function else {})


CROWDED = [
    {"role": "assistant", "content": "Let me ", "reasoning_content": "Two cities, "},
    {"content": "look that up.", "reasoning_content": "two calls."},
    {
        "content": "",
        "tool_calls": [fragment(0, name="get_weather", arguments='{"city": "Pa')],
    },
    {"tool_calls": [fragment(0, arguments='ris"}'), fragment(1, name="get_weather", arguments="")]},
    {"tool_calls": [fragment(1, arguments='{"city": "Oslo"}')]},
]
TEXT_WITH_A_CALL = [
    {"role": "assistant", "reasoning_content": "Two cities, two calls."},
    {
        "content": "Let me look that up.",
        "tool_calls": [fragment(0, name="get_weather", arguments='{"ci')],
    },
    {"tool_calls": [fragment(0, arguments='ty": "Paris"}')]},
    {"tool_calls": [fragment(1, name="get_weather", arguments='{"city": "Oslo"}')]},
]


class TestHazards:
    """Each stream is read in v0, v1 and v3, and gives the same blocks in all of them."""

    @pytest.fixture(params=["v0", "v1", "v3", "async v3"])
    def blocks(self, request: pytest.FixtureRequest, chat: Chat) -> Callable[..., Any]:
        async def of() -> list[dict[str, Any]]:
            version = request.param
            if version in ("v0", "v1"):
                bound = chat(output_version=version).bind_tools([get_weather])
                return plain(added_up(bound.stream("Hi")).content_blocks)
            model: Any = chat().bind_tools([get_weather])
            if version == "v3":
                return plain(model.stream_events("Hi", version="v3").output.content)
            stream = await model.astream_events("Hi", version="v3")
            return plain((await stream.output).content)

        return of

    async def test_every_block_is_whole_and_alone(
        self, mimo: FakeMiMo, blocks: Callable[..., Any]
    ) -> None:
        mimo.queue(REPLY)
        assert await blocks() == BLOCKS

    @pytest.mark.protocols("chat_completions")
    @pytest.mark.parametrize(
        "deltas", [CROWDED, TEXT_WITH_A_CALL], ids=["reasoning-with-text", "text-with-a-call"]
    )
    async def test_chunks_that_hold_several_things(
        self, mimo: FakeMiMo, blocks: Callable[..., Any], deltas: Any
    ) -> None:
        mimo.queue(raw_stream(*deltas))
        assert await blocks() == BLOCKS

    @pytest.mark.protocols("messages")
    @pytest.mark.parametrize("in_start", [False, True])
    async def test_thinking_after_the_text(
        self, mimo: FakeMiMo, blocks: Callable[..., Any], in_start: bool
    ) -> None:
        """As Cloudsway sends it; the order of the blocks is LangChain's matter."""
        mimo.queue(replace(REPLY, thinking_after_text=True, thinking_in_start=in_start))
        assert sorted(await blocks(), key=BLOCKS.index) == BLOCKS

    @pytest.mark.protocols("chat_completions")
    async def test_citations(self, mimo: FakeMiMo, blocks: Callable[..., Any]) -> None:
        pages = [{"type": "url_citation", "url": f"https://{name}"} for name in "abc"]
        mimo.queue(
            raw_stream(
                {"content": "", "annotations": pages[:2]},
                {"content": "Some "},
                {"content": "text.", "annotations": pages[2:]},
            )
        )
        assert await blocks() == [
            {
                "type": "text",
                "text": "Some text.",
                "annotations": [{"type": "citation", "url": page["url"]} for page in pages],
            }
        ]


class TestV3:
    def test_the_message(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("Hello", reasoning="Hm.", usage={"prompt_tokens": 7}))
        events: Any = chat().stream_events("Hi", version="v3")
        message = events.output
        assert plain(message.content) == [
            {"type": "reasoning", "reasoning": "Hm."},
            {"type": "text", "text": "Hello"},
        ]
        assert message.usage_metadata["input_tokens"] == 7
        assert message.response_metadata["model_name"] == DEFAULT_MODEL
        assert message.response_metadata["model_provider"] == "mimo"
        assert message.response_metadata["finish_reason"] == "stop"

    def test_its_parts_can_be_followed(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("abcd", reasoning="xy", chunk_size=2), Reply("abcd", reasoning="xy"))
        assert list(chat().stream_events("Hi", version="v3").text) == ["ab", "cd"]
        assert list(chat().stream_events("Hi", version="v3").reasoning) == ["xy"]

    @pytest.mark.parametrize("pass_back", [True, False])
    def test_it_goes_back_with_its_reasoning_once(
        self, mimo: FakeMiMo, chat: Chat, pass_back: bool
    ) -> None:
        """The message holds the reasoning twice: as a block, and in `additional_kwargs`."""
        mimo.queue(Reply("Hello", reasoning="Hm."), "Fine.")
        model = chat(pass_back_reasoning=pass_back)
        message = model.stream_events("Hi", version="v3").output
        assert message.additional_kwargs["reasoning_content"] == "Hm."
        model.invoke([("human", "Hi"), message, ("human", "How are you?")])
        assert mimo.last_request.messages[1] == {
            "role": "assistant",
            "content": "Hello",
            **({"reasoning_content": "Hm."} if pass_back else {}),
        }


async def test_every_version_goes_back_the_same(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """v0 and v1 messages of the same answer give the same next request."""
    bodies = []
    for version in ("v0", "v1"):
        mimo.queue(REPLY, "Fine.")
        model = chat(output_version=version).bind_tools([get_weather])
        answer = await ask(model)
        results = [get_weather.invoke(call) for call in answer.tool_calls]
        await ask(model, [("human", "Hi"), answer, *results])
        bodies.append(mimo.last_request.messages)
    assert bodies[0] == bodies[1]
    assert bodies[0][1]["reasoning_content"] == "Two cities, two calls."
    assert bodies[0][1]["content"] == "Let me look that up."
    assert [call["id"] for call in bodies[0][1]["tool_calls"]] == ["call_1", "call_2"]


@pytest.mark.parametrize("output_version", ["v0", "v1"])
async def test_a_withheld_answer_goes_back_without_our_words(
    mimo: FakeMiMo, chat: Chat, ask: Ask, output_version: str
) -> None:
    """The refusal block says what happened, not what the model said."""
    mimo.queue(Reply(refusal="I can"), Reply(refusal=""), "Fine.")
    model = chat(output_version=output_version)
    history: list[Any] = []
    for _ in range(2):
        history += [("human", "Hi"), await ask(model)]
        assert history[-1].content_blocks[-1]["type"] == "refusal"
    await ask(model, [*history, ("human", "So?")])
    said = [m["content"] for m in mimo.last_request.messages if m["role"] == "assistant"]
    assert said == ["I can", " "]


def test_a_message_made_by_hand_is_left_to_langchain() -> None:
    """Content that is blocks already is read by langchain-core itself."""
    message = AIMessage(
        [{"type": "text", "text": "Hello"}], response_metadata={"model_provider": "mimo"}
    )
    assert message.content_blocks == [{"type": "text", "text": "Hello"}]
