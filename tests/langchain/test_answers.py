"""What an answer of MiMo becomes: one message, the same whether it was streamed or not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from langchain_mimo import ChatMiMo
from mimo_core.models import DEFAULT_MODEL
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.langchain.conftest import added_up

pytestmark = pytest.mark.protocols("chat_completions", "messages")

Chat = Callable[..., ChatMiMo]
Ask = Callable[..., Any]


@tool
def get_weather(city: str, options: dict[str, Any] | None = None) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


async def test_text_and_reasoning(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    mimo.queue(Reply("Hello, how are you?", reasoning="The user says hi."))
    answer = await ask(chat())
    assert answer.content == "Hello, how are you?"
    assert answer.additional_kwargs == {"reasoning_content": "The user says hi."}


async def test_metadata_comes_once(mimo: FakeMiMo, chat: Chat, ask: Ask, protocol: str) -> None:
    """LangChain adds chunks up: a text on two of them would read `stopstop`."""
    mimo.queue(Reply("Hello, how are you?"))
    metadata = (await ask(chat())).response_metadata
    assert metadata["model_provider"] == "mimo"
    assert metadata["model_name"] == DEFAULT_MODEL
    assert metadata["finish_reason"] == "stop"
    assert len(metadata["id"]) == 32
    assert metadata["token_usage"]["total_tokens"] == 9
    if protocol == "chat_completions":
        assert metadata["created"] < 10_000_000_000


@pytest.mark.protocols("chat_completions")
async def test_usage(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """The messages protocol counts no media and no reasoning apart."""
    mimo.queue(
        Reply(
            "Hello",
            usage={
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "prompt_tokens_details": {
                    "cached_tokens": 60,
                    "audio_tokens": 5,
                    "image_tokens": 6,
                    "video_tokens": 7,
                },
                "completion_tokens_details": {"reasoning_tokens": 12},
            },
        )
    )
    assert (await ask(chat())).usage_metadata == {
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        "input_token_details": {"cache_read": 60, "audio": 5, "image": 6, "video": 7},
        "output_token_details": {"reasoning": 12},
    }


async def test_cached_tokens(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """LangChain's `input_tokens` include them; Anthropic's do not."""
    cached = {"cached_tokens": 60, "cache_creation_tokens": 30}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": cached}
    mimo.queue(Reply("Hello", usage=usage))
    counts = (await ask(chat())).usage_metadata
    assert (counts["input_tokens"], counts["total_tokens"]) == (100, 120)
    assert counts["input_token_details"] == {"cache_read": 60, "cache_creation": 30}


@pytest.mark.parametrize("usage_on", ["last", "finish", "every"])
async def test_usage_is_counted_once(mimo: FakeMiMo, chat: Chat, ask: Ask, usage_on: Any) -> None:
    """Backends send it with the finish reason, after it, or growing on every chunk."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    mimo.queue(Reply("a b c", usage=usage, usage_on=usage_on, chunk_size=1))
    counts = (await ask(chat())).usage_metadata
    names = ("input_tokens", "output_tokens", "total_tokens")
    assert [counts[name] for name in names] == [7, 3, 10]


@pytest.mark.protocols("chat_completions")
async def test_without_usage(mimo: FakeMiMo, chat: Chat) -> None:
    """The messages protocol cannot leave it out."""
    mimo.queue(Reply("Hello", usage_on="never"))
    assert added_up(list(chat().stream("Hi"))).usage_metadata is None


async def test_the_usage_callback(mimo: FakeMiMo, chat: Chat) -> None:
    callback = UsageMetadataCallbackHandler()
    mimo.queue(Reply("Hello", usage={"prompt_tokens": 7, "completion_tokens": 3}))
    chat().invoke("Hi", config={"callbacks": [callback]})
    assert callback.usage_metadata[DEFAULT_MODEL]["total_tokens"] == 10


async def test_tool_calls(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    mimo.queue(
        Reply(
            reasoning="Two cities.",
            tool_calls=[
                ("get_weather", {"city": "Paris"}, "call_1"),
                ("get_weather", {"city": "北京"}, "call_2"),
            ],
        )
    )
    answer = await ask(chat().bind_tools([get_weather]))
    assert answer.content == ""
    assert [(c["name"], c["args"], c["id"]) for c in answer.tool_calls] == [
        ("get_weather", {"city": "Paris"}, "call_1"),
        ("get_weather", {"city": "北京"}, "call_2"),
    ]
    assert answer.invalid_tool_calls == []
    assert answer.additional_kwargs == {"reasoning_content": "Two cities."}
    assert answer.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.protocols("chat_completions")
@pytest.mark.parametrize("arguments", ["not JSON", "[1]", '"text"'])
async def test_arguments_that_are_no_object(
    mimo: FakeMiMo, chat: Chat, ask: Ask, arguments: str
) -> None:
    """(On the messages protocol, arguments are text in streams only.) LangChain's v3 events would
    run a call with any JSON, so a stream adds a bracket that fits nothing."""
    mimo.queue(Reply(tool_calls=[("get_weather", arguments, "call_1")]))
    answer = await ask(chat().bind_tools([get_weather]))
    assert answer.tool_calls == []
    [invalid] = answer.invalid_tool_calls
    assert invalid["name"] == "get_weather"
    assert invalid["args"] in (arguments, f"{arguments}]")


@pytest.mark.protocols("messages")
def test_streamed_arguments_that_are_no_object(mimo: FakeMiMo, chat: Chat) -> None:
    for arguments in ("not JSON", "[1]"):
        mimo.queue(Reply(tool_calls=[("get_weather", arguments, "call_1")]))
        answer = added_up(list(chat().bind_tools([get_weather]).stream("Hi")))
        assert answer.tool_calls == []
        [invalid] = answer.invalid_tool_calls
        assert invalid["args"] in (arguments, f"{arguments}]")


@pytest.mark.protocols("chat_completions")
async def test_the_reason_why_a_call_is_invalid(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue(Reply(tool_calls=[("get_weather", '{"city": "Par', "call_1")]))
    [invalid] = chat().bind_tools([get_weather]).invoke("Hi").invalid_tool_calls
    assert str(invalid["error"]).startswith(
        "The call of get_weather may not be run: its arguments are not JSON (Unterminated string"
    )


@pytest.mark.protocols("chat_completions")
async def test_a_call_without_the_required_arguments(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """It was cut, whatever the answer says of its end."""
    mimo.queue(Reply(tool_calls=[("get_weather", "", "call_1")]))
    answer = await ask(chat().bind_tools([get_weather]))
    assert answer.tool_calls == []
    assert [call["name"] for call in answer.invalid_tool_calls] == ["get_weather"]


@pytest.mark.protocols("chat_completions")
async def test_a_raw_line_break_in_arguments(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """Not strictly JSON, but LangChain reads it in a stream, so it is read unstreamed too."""
    mimo.queue(Reply(tool_calls=[("get_weather", '{"city": "a\nb"}', "call_1")]))
    answer = await ask(chat().bind_tools([get_weather]))
    assert answer.tool_calls[0]["args"] == {"city": "a\nb"}


async def test_a_call_that_leaked_into_the_text(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """Seen where a tool has no `parameters`; it becomes a real call, and leaves the text."""
    text = (
        "Let me look.\n<tool_call><function=get_weather>"
        "<parameter=city>Paris</parameter></function></tool_call>"
    )
    mimo.queue(Reply(text, finish_reason="tool_calls"))
    answer = await ask(chat().bind_tools([get_weather]))
    [call] = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert call["id"].startswith("call_")
    assert answer.content.strip() == "Let me look."


async def test_a_leaked_call_ends_the_answer_as_a_call_does(
    mimo: FakeMiMo, chat: Chat, ask: Ask
) -> None:
    text = (
        "<tool_call><function=get_weather><parameter=city>Oslo</parameter></function></tool_call>"
    )
    mimo.queue(Reply(text, finish_reason="stop"))
    answer = await ask(chat().bind_tools([get_weather]))
    assert answer.response_metadata["finish_reason"] == "tool_calls"


async def test_an_object_written_as_a_json_string(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """Seen with `oneOf` parameters; decoded where the schema wants an object."""
    schema = {
        "title": "search",
        "description": "Search.",
        "type": "object",
        "properties": {"filter": {"oneOf": [{"type": "object"}, {"type": "null"}]}},
    }
    mimo.queue(Reply(tool_calls=[("search", {"filter": '{"year": 2026}'}, "call_1")]))
    answer = await ask(chat().bind_tools([schema]))
    assert answer.tool_calls[0]["args"] == {"filter": {"year": 2026}}


ANNOTATION = {
    "type": "url_citation",
    "url": "https://example.com/a",
    "title": "A page",
    "summary": "What it says.",
    "site_name": "example.com",
    "logo_url": "",
}


@pytest.mark.protocols("chat_completions")
async def test_citations(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """MiMo's `annotations` are LangChain's citations of the text."""
    mimo.queue(Reply("As A says.", annotations=[ANNOTATION, {**ANNOTATION, "url": "https://b"}]))
    answer = await ask(chat().bind_tools([{"type": "web_search"}]))
    assert [a["url"] for a in answer.additional_kwargs["annotations"]] == [
        "https://example.com/a",
        "https://b",
    ]
    [text] = [block for block in answer.content_blocks if block["type"] == "text"]
    assert text["text"] == "As A says."
    assert text["annotations"][0] == {
        "type": "citation",
        "url": "https://example.com/a",
        "title": "A page",
        "cited_text": "What it says.",
        "extras": {"site_name": "example.com"},
    }
    assert answer.response_metadata["token_usage"]["web_search_usage"] == {
        "tool_usage": 1,
        "page_usage": 2,
    }


@pytest.mark.protocols("chat_completions")
def test_citations_come_in_one_delta(mimo: FakeMiMo, chat: Chat) -> None:
    """langchain-core's v3 events replace earlier annotations by later ones."""
    mimo.queue(Reply("As A says, and again.", annotations=[ANNOTATION] * 3))
    chunks = list(chat().bind_tools([{"type": "web_search"}]).stream("Hi"))
    assert [
        len(c.additional_kwargs.get("annotations", ())) for c in chunks if c.additional_kwargs
    ] == [3]


@pytest.mark.protocols("chat_completions")
async def test_a_failed_search_is_told(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    mimo.queue(Reply("I could not look.", error_message="search timed out"))
    answer = await ask(chat().bind_tools([{"type": "web_search"}]))
    assert answer.additional_kwargs == {"error_message": "search timed out"}


async def test_a_withheld_answer(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """A plain call gives the message as it is; LangChain's parsers look for the refusal."""
    mimo.queue(Reply(refusal="I cannot"))
    answer = await ask(chat())
    assert answer.response_metadata["finish_reason"] == "content_filter"
    assert {k: v for k, v in answer.content_blocks[-1].items() if k != "index"} == {
        "type": "refusal",
        "refusal": "The service's content filter withheld the answer.",
    }


async def test_a_truncated_answer(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """Reasoning counts too, so a small budget can leave no content at all: a warning says so."""
    mimo.queue(Reply("Hello", reasoning="one two three four five"))
    with pytest.warns(UserWarning, match=r"Reasoning used up max_tokens.*Raise max_tokens"):
        answer = await ask(chat(max_tokens=3))
    assert answer.content == ""
    assert answer.additional_kwargs["reasoning_content"] == "one two three"
    assert answer.response_metadata["finish_reason"] == "length"
    assert mimo.last_request.chat["max_completion_tokens"] == 3


async def test_an_answer_that_is_all_reasoning(mimo: FakeMiMo, chat: Chat, ask: Ask) -> None:
    """Seen of the model, and of servers that take an answer for reasoning. Said once."""
    mimo.queue(Reply(reasoning="Hello!"), Reply(reasoning="Hello!"))
    with pytest.warns(UserWarning, match="put everything into the reasoning"):
        assert (await ask(chat())).content == ""
    assert (await ask(chat())).content == ""  # another warning would be an error


@pytest.mark.parametrize(
    "reply",
    [
        Reply("Hello", reasoning="Hm.", finish_reason="length"),
        Reply(reasoning="Hm.", tool_calls=[("get_weather", {"city": "Paris"})]),
        Reply(""),
        Reply(refusal=""),
    ],
    ids=["text", "call", "nothing", "refusal"],
)
async def test_no_warning(mimo: FakeMiMo, chat: Chat, ask: Ask, reply: Reply) -> None:
    """There is an answer, or nothing says why it is empty. (A warning would be an error.)"""
    mimo.queue(reply)
    await ask(chat().bind_tools([get_weather]))


@pytest.mark.protocols("chat_completions")
@pytest.mark.parametrize(
    ("sound", "mime_type"),
    [
        (b"RIFF\0\0\0\0WAVE", "audio/wav"),
        (b"ID3\3", "audio/mpeg"),
        (b"\xff\xfb\x90\x44", "audio/mpeg"),
        (b"\0\1\2\3", "audio/pcm"),
    ],
)
def test_speech(mimo: FakeMiMo, chat: Chat, sound: bytes, mime_type: str) -> None:
    """The text to speak is the assistant's message; the sound is in both places."""
    mimo.queue(Reply(audio=sound))
    model = chat(model="mimo-v2.5-tts", audio={"voice": "Mia", "format": "wav"})
    answer = model.invoke([("human", "Cheerfully."), ("ai", "Good morning!")])
    encoded = base64.b64encode(sound).decode()
    assert answer.additional_kwargs["audio"]["data"] == encoded
    assert answer.content_blocks == [{"type": "audio", "base64": encoded, "mime_type": mime_type}]
    assert mimo.last_request.body["audio"] == {"voice": "Mia", "format": "wav"}
    assert mimo.last_request.messages == [
        {"role": "user", "content": "Cheerfully."},
        {"role": "assistant", "content": "Good morning!"},
    ]


@pytest.mark.protocols("chat_completions")
def test_transcription(mimo: FakeMiMo, chat: Chat) -> None:
    mimo.queue(Reply("Good morning."))
    block = {"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"}
    answer = chat(model="mimo-v2.5-asr", asr_options={"language": "en"}).invoke(
        [("human", [block])]
    )
    assert answer.content == "Good morning."
    body = mimo.last_request.body
    assert body["asr_options"] == {"language": "en"}
    assert body["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,UklGRg=="}}
    ]


class TestChunks:
    def test_one_last_chunk_with_usage_and_metadata(self, mimo: FakeMiMo, chat: Chat) -> None:
        """langchain-core adds a second `last` where anything follows the first."""
        mimo.queue(Reply("Hello, how are you?", reasoning="Hm."))
        chunks = list(chat().stream("Hi"))
        assert [chunk.chunk_position for chunk in chunks][:-1] == [None] * (len(chunks) - 1)
        assert chunks[-1].chunk_position == "last"
        assert [chunk.usage_metadata is not None for chunk in chunks][:-1] == [False] * (
            len(chunks) - 1
        )
        assert chunks[-1].usage_metadata is not None
        assert chunks[0].response_metadata == {"model_provider": "mimo"}
        assert chunks[-1].response_metadata["finish_reason"] == "stop"

    def test_a_repeated_finish_reason_is_said_once(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("Hello, how are you?", repeat_finish_reason=True))
        answer = added_up(list(chat().stream("Hi")))
        assert answer.content == "Hello, how are you?"
        assert answer.response_metadata["finish_reason"] == "stop"

    def test_they_come_as_they_are_sent(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(Reply("abcdef", reasoning="xy", chunk_size=2))
        pieces = [
            chunk.content or chunk.additional_kwargs.get("reasoning_content")
            for chunk in chat().stream("Hi")
        ]
        assert pieces == ["xy", "ab", "cd", "ef", None]

    def test_tool_calls_keep_the_servers_index(self, mimo: FakeMiMo, chat: Chat) -> None:
        mimo.queue(
            Reply(tool_calls=[("get_weather", {"city": "A"}), ("get_weather", {"city": "B"})])
        )
        model: Any = chat().bind_tools([get_weather])
        chunks = [c for chunk in model.stream("Hi") for c in chunk.tool_call_chunks]
        assert sorted({chunk["index"] for chunk in chunks}) == [0, 1]
        assert [c["name"] for c in chunks if c["name"]] == ["get_weather", "get_weather"]

    def test_each_piece_is_a_token_to_callbacks(self, mimo: FakeMiMo, chat: Chat) -> None:
        class Tokens(BaseCallbackHandler):
            seen: ClassVar[list[str]] = []

            def on_llm_new_token(self, token: Any, **_: Any) -> None:
                self.seen.append(token)

        mimo.queue(Reply("abcd", chunk_size=2))
        list(chat().stream("Hi", config={"callbacks": [Tokens()]}))
        assert Tokens.seen == ["ab", "cd", ""]

    def test_invoke_streams_underneath_where_it_is_told_to(
        self, mimo: FakeMiMo, chat: Chat
    ) -> None:
        mimo.queue(Reply("Hello", reasoning="Hm."))
        answer = chat(streaming=True).invoke("Hi")
        assert mimo.last_request.stream
        assert type(answer) is AIMessage
        assert (answer.content, answer.additional_kwargs) == ("Hello", {"reasoning_content": "Hm."})
        assert answer.response_metadata["finish_reason"] == "stop"

    def test_a_gateway_that_does_not_stream(
        self, mimo: FakeMiMo, chat: Chat, protocol: str
    ) -> None:
        """A plain JSON answer to a streaming request is given out as chunks."""
        body = a_body(protocol, reasoning="Hm.")
        mimo.queue(Fault(body=body, content_type="application/json"))
        answer = added_up(list(chat().stream("Hi")))
        assert (answer.content, answer.additional_kwargs) == ("Hello", {"reasoning_content": "Hm."})


def a_body(protocol: str, *, reasoning: str | None = None, **fields: Any) -> dict[str, Any]:
    """An answer as a gateway may send it, with the least there can be."""
    if protocol == "messages":
        blocks = [{"type": "thinking", "thinking": reasoning}] if reasoning else []
        blocks.append({"type": "text", "text": "Hello"})
        return {"id": "1", "model": "m", "content": blocks, "stop_reason": "end_turn", **fields}
    message = {"role": "assistant", "content": "Hello", "something_new": 1}
    if reasoning:
        message = {"role": "assistant", "content": "Hello", "reasoning_content": reasoning}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "1", "model": "m", "choices": [choice], **fields}


def test_unknown_fields_of_a_gateway_are_kept(mimo: FakeMiMo, chat: Chat, protocol: str) -> None:
    mimo.queue(Fault(body=a_body(protocol, provider="Relay")))
    answer = chat().invoke("Hi")
    assert answer.response_metadata["provider"] == "Relay"
    assert answer.usage_metadata is None
    if protocol == "chat_completions":
        assert answer.additional_kwargs == {"something_new": 1}
