"""Hypothesis strategies: any message that LangChain has a class for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.content import (
    create_audio_block,
    create_file_block,
    create_image_block,
    create_plaintext_block,
    create_video_block,
)

URL = "https://example.com/file"
PDF = "data:application/pdf;base64,JVBERi0="


def _blocks(*blocks: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(blocks)


TEXTS = st.sampled_from(["", " ", "\n", "Hi", "{}", "\ud83d", "<tool_call>"]) | st.text(max_size=4)
TEXT_BLOCKS = st.one_of(
    TEXTS,
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    TEXTS.map(lambda text: {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}),
    TEXTS.map(lambda text: {"type": "input_text", "text": text}),
    TEXTS.map(lambda text: dict(create_plaintext_block(text=text))),
    _blocks(
        {"type": "text"},
        {"type": "text", "text": None},
        {"text": "no type"},
        {"type": "text", "text": "Hi", "extras": {"cache_control": {"type": "ephemeral"}}},
        {"type": "file", "base64": "SGk=", "mime_type": "text/plain"},
        {"type": "file", "base64": "//8=", "mime_type": "text/plain"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}},
        {"type": "document", "source": {"type": "text", "data": ""}},
    ),
)
# (Base64 without a mime type is refused by langchain-core itself, when it traces the messages.)
MEDIA_BLOCKS = _blocks(
    create_image_block(url=URL),
    create_image_block(base64="AAAA", mime_type="image/png"),
    create_image_block(file_id="file-1"),
    create_audio_block(base64="AAAA", mime_type="audio/wav"),
    create_audio_block(base64="AAAA", mime_type="audio/aac"),
    create_audio_block(url=URL),
    create_video_block(base64="AAAA", mime_type="video/mp4"),
    create_video_block(url=URL, fps=50),
    create_file_block(url=URL),
    create_file_block(base64="JVBERi0=", mime_type="application/pdf"),
    create_file_block(base64="AAAA", mime_type="image/png"),
    {"type": "image", "base64": "AAAA", "mime_type": "application/pdf"},
    {"type": "image", "url": "gs://bucket/a.png"},
    {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    {"type": "image", "source": {"type": "file", "file_id": "f"}},
    {"type": "image"},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf"}},
    {"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}},
    {"type": "image_url", "image_url": URL},
    {"type": "image_url", "image_url": {"url": PDF}},
    {"type": "image_url", "image_url": {"url": ""}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
    {"type": "image_url"},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "flv"}},
    {"type": "input_audio", "input_audio": {}},
    {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}, "fps": 2},
    {"type": "video_url", "video_url": {"url": "/tmp/a.mp4"}},
    {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "file"},
    {"type": "media", "data": "AAAA", "mime_type": "image/png"},
)
ARGUMENTS = st.sampled_from(
    ["", "{}", "{", '{"a": 1', "[1]", "null", '{"a": NaN}', '{"a": 1e999}', '{"a": "b\nc"}', '"x"']
)
VALUES = st.sampled_from([{}, {"a": 1}, {"a": float("nan")}, {"a": {"b": [None]}}, {"é": "\ud83d"}])
IDS = st.sampled_from(["call_1", "call_2", "", "toolu_01/é", None])
NAMES = st.sampled_from(["look", "my.tool", "", "a" * 70, "文"])
FOREIGN_BLOCKS = st.one_of(
    st.builds(
        lambda i, n, v: {"type": "tool_use", "id": i, "name": n, "input": v}, IDS, NAMES, VALUES
    ),
    st.builds(
        lambda i, n, a: {"type": "tool_use", "id": i, "name": n, "input": a}, IDS, NAMES, ARGUMENTS
    ),
    st.builds(
        lambda i, n, v: {"type": "tool_call", "id": i, "name": n, "args": v}, IDS, NAMES, VALUES
    ),
    st.builds(
        lambda i, n, a: {"type": "function_call", "call_id": i, "name": n, "arguments": a},
        IDS,
        NAMES,
        ARGUMENTS,
    ),
    _blocks(
        {"type": "reasoning", "reasoning": "Hm."},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "reasoning", "summary": None},
        {"type": "thinking", "thinking": "Hm.", "signature": "EqMB"},
        {"type": "thinking"},
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "reasoning_content", "reasoning_content": {"text": "Hm."}},
        {"type": "reasoning_content", "reasoning_content": None},
        {"type": "refusal", "refusal": "No."},
        {"type": "refusal"},
        {"type": "invalid_tool_call", "id": "call_1", "name": "look", "args": "{", "error": None},
        {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
        {"type": "server_tool_result", "tool_call_id": "s", "status": "success"},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "executable_code", "executable_code": "1+1", "language": "python"},
        {"type": "search_result", "url": URL},
        {"type": "json", "json": {"a": 1}},
        {"type": "non_standard", "value": {"type": "custom", "data": 1}},
        {"type": "non_standard", "value": {"type": "text", "text": "Hi"}},
        {"type": "non_standard", "value": None},
        {"type": "unheard-of", "x": [1]},
        {"type": ""},
        {"type": None},
        {},
    ),
)
TOOL_RESULTS = st.builds(
    lambda id_, content: {"type": "tool_result", "tool_use_id": id_, "content": content},
    IDS,
    TEXTS | st.none() | st.lists(TEXT_BLOCKS | MEDIA_BLOCKS | FOREIGN_BLOCKS, max_size=2),
)
RESULTS = TEXTS | st.lists(TEXT_BLOCKS | MEDIA_BLOCKS | FOREIGN_BLOCKS, max_size=3)
"""What a tool returns."""


def _content(*blocks: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return TEXTS | st.lists(st.one_of(*blocks), max_size=3)


def _made(make: Callable[..., BaseMessage], *args: Any, **kwargs: Any) -> st.SearchStrategy[Any]:
    """Messages by `make`; what LangChain's own class refuses never was a message."""

    def attempt(*given: Any, **named: Any) -> BaseMessage | None:
        try:
            return make(*given, **{k: v for k, v in named.items() if v is not ...})
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    return st.builds(attempt, *args, **kwargs).filter(lambda message: message is not None)


CALLS = st.lists(
    st.builds(lambda n, a, i: {"name": n, "args": a, "id": i}, NAMES, VALUES, IDS), max_size=2
)
INVALID_CALLS = st.lists(
    st.builds(
        lambda n, a, i: {"name": n, "args": a, "id": i, "error": None}, NAMES, ARGUMENTS, IDS
    ),
    max_size=2,
)
CALL_CHUNKS = st.lists(
    st.builds(
        lambda n, a, i, x: {"name": n, "args": a, "id": i, "index": x},
        NAMES,
        ARGUMENTS,
        IDS,
        st.sampled_from([0, 1, None]),
    ),
    max_size=2,
)
EXTRAS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "reasoning_content": st.sampled_from(["Hm.", "", None, 5]),
        "reasoning": st.sampled_from(
            ["Hm.", {"summary": []}, {"summary": [{"text": "Hm."}]}, None]
        ),
        "reasoning_signature": st.sampled_from(["", "EqMB", None]),
        "refusal": st.sampled_from(["No.", None, 5]),
        "audio": st.just({"id": "audio_1", "data": "AAAA"}),
        "function_call": st.builds(lambda n, a: {"name": n, "arguments": a}, NAMES, ARGUMENTS),
        "tool_calls": st.lists(
            st.builds(
                lambda n, a, i: {
                    "id": i,
                    "type": "function",
                    "function": {"name": n, "arguments": a},
                },
                NAMES,
                ARGUMENTS,
                IDS,
            ),
            max_size=2,
        ),
    },
)
METADATA = st.sampled_from(
    [
        {},
        {"model_provider": "mimo"},
        {"model_provider": "openai"},
        {"output_version": "v1"},
        {"model_provider": "anthropic", "output_version": "v1"},
    ]
)
LEFT_BEHIND = ("assistant", "ai", "tool", "function")
SPEAKERS = st.sampled_from([None, "ann", "Ann Bee"])
ASSISTANT = _content(TEXT_BLOCKS, MEDIA_BLOCKS, FOREIGN_BLOCKS)

MESSAGES = st.one_of(
    _made(HumanMessage, _content(TEXT_BLOCKS, MEDIA_BLOCKS, TOOL_RESULTS), name=SPEAKERS),
    _made(HumanMessage, _content(TEXT_BLOCKS, FOREIGN_BLOCKS)),
    _made(
        SystemMessage,
        _content(TEXT_BLOCKS) | _content(TEXT_BLOCKS, MEDIA_BLOCKS),
        additional_kwargs=st.sampled_from([{}, {"__openai_role__": "developer"}]),
    ),
    _made(
        AIMessage,
        ASSISTANT,
        tool_calls=CALLS,
        invalid_tool_calls=INVALID_CALLS,
        additional_kwargs=EXTRAS,
        response_metadata=METADATA,
        name=SPEAKERS,
    ),
    _made(AIMessage, ASSISTANT, additional_kwargs=EXTRAS, response_metadata=METADATA),
    _made(AIMessage, content_blocks=st.lists(TEXT_BLOCKS | FOREIGN_BLOCKS, max_size=3)),
    _made(AIMessageChunk, TEXTS.map(str), tool_call_chunks=CALL_CHUNKS, additional_kwargs=EXTRAS),
    _made(
        ToolMessage,
        RESULTS,
        tool_call_id=st.sampled_from(["call_1", "call_2", "", "toolu_01/é", "nobody's"]),
        status=st.sampled_from(["success", "error"]),
    ),
    _made(FunctionMessage, RESULTS, name=NAMES),
    _made(
        ChatMessage,
        _content(TEXT_BLOCKS, MEDIA_BLOCKS, FOREIGN_BLOCKS),
        role=st.sampled_from(["user", "human", "system", "developer", "critic", ""]),
    ),
    _made(
        ChatMessage,
        RESULTS,
        role=st.sampled_from([*LEFT_BEHIND]),
        name=SPEAKERS,
        additional_kwargs=st.sampled_from([{}, {"tool_call_id": "call_1"}]),
    ),
)


def may_be_refused(message: BaseMessage) -> bool:
    """Whether a user, or the author of the program, wrote it. What models and tools left behind
    stays in a thread, so it has to be taken."""
    if isinstance(message, ChatMessage):
        return message.role not in LEFT_BEHIND
    return isinstance(message, HumanMessage | SystemMessage)
