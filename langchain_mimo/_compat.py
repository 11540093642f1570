"""The v1 view (`content_blocks`) of MiMo's messages, registered with LangChain for `"mimo"`.

The indices are ours: left to itself, langchain-core numbers blocks by kind while tool-call chunks
keep the provider's numbers, and merging then glues a tool call into the reasoning
(`chat_models.py`, `_compat_bridge.py` of langchain-core 1.7 and 1.8).
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.content import ContentBlock

from langchain_mimo.fast_chunks import PROVIDER
from langchain_mimo.speech import make_audio_block

_INDICES = {"reasoning": "lc_rs", "text": "lc_txt", "refusal": "lc_rf", "audio": "lc_au"}
_TOOL_INDEX = "lc_tc_"


def translate(message: AIMessage) -> list[ContentBlock]:
    """The content blocks of a whole message.

    Args:
        message: MiMo's, with a text as its content.

    Returns:
        Blocks of reasoning, of text with its citations, of audio and of tool calls.

    Raises:
        NotImplementedError: the content is a list of blocks, which langchain-core reads itself.
    """
    blocks = _make_blocks(message)
    blocks += _make_audio_blocks(message, streamed=False)
    blocks += _collect_finished_calls(message)
    return cast("list[ContentBlock]", blocks)


def translate_chunk(chunk: AIMessageChunk) -> list[ContentBlock]:
    """The content blocks of a chunk, or of chunks added up.

    Args:
        chunk: MiMo's, with a text as its content.

    Returns:
        Blocks like a whole message's, each with the `index` by which langchain-core merges them.

    Raises:
        NotImplementedError: the content is a list of blocks, which langchain-core reads itself.
    """
    # Chunks added up are a message again, and are read as one.
    blocks = _make_blocks(chunk) + _make_audio_blocks(chunk, streamed=not _is_whole(chunk))
    for block in blocks:
        block["index"] = _INDICES[block["type"]]
    if chunk.chunk_position == "last" and not _has_only_pieces(chunk):
        blocks += _collect_finished_calls(chunk)
    else:
        blocks += [
            {**call, "type": "tool_call_chunk", "index": f"{_TOOL_INDEX}{call.get('index') or 0}"}
            for call in chunk.tool_call_chunks
        ]
    return cast("list[ContentBlock]", blocks)


def _has_only_pieces(chunk: AIMessageChunk) -> bool:
    """Whether its calls continue earlier ones, as the pieces that spoil a cut call do."""
    return all(
        call.get("name") is None and call.get("id") is None for call in chunk.tool_call_chunks
    )


def _make_blocks(message: AIMessage) -> list[dict[str, Any]]:
    if not isinstance(message.content, str):
        raise NotImplementedError  # content that is blocks already: langchain-core reads it itself
    blocks: list[dict[str, Any]] = []
    extra = message.additional_kwargs
    if reasoning := extra.get("reasoning_content"):
        blocks.append({"type": "reasoning", "reasoning": reasoning})
    citations = [_convert_citation(annotation) for annotation in extra.get("annotations") or ()]
    if message.content or citations:
        text: dict[str, Any] = {"type": "text", "text": message.content}
        if citations:
            text["annotations"] = citations
        blocks.append(text)
    if refusal := extra.get("refusal"):
        blocks.append({"type": "refusal", "refusal": refusal})
    return blocks


def _make_audio_blocks(message: AIMessage, *, streamed: bool) -> list[dict[str, Any]]:
    block = make_audio_block(message.additional_kwargs.get("audio") or {}, streamed=streamed)
    return [block] if block else []


def _is_whole(chunk: AIMessageChunk) -> bool:
    """Whether this is a stream's chunks added up: one chunk has its beginning or its end."""
    audio = chunk.additional_kwargs.get("audio") or {}
    return chunk.chunk_position == "last" and "format" in audio


def _convert_citation(annotation: dict[str, Any]) -> dict[str, Any]:
    """LangChain's citation for one of MiMo's `annotations` (a web page that the answer used)."""
    citation = {"type": "citation"}
    for ours, theirs in (("url", "url"), ("title", "title"), ("cited_text", "summary")):
        if annotation.get(theirs):
            citation[ours] = annotation[theirs]
    rest = {
        key: value
        for key, value in annotation.items()
        if value and key not in ("type", "url", "title", "summary")
    }
    return {**citation, "extras": rest} if rest else citation


def _collect_finished_calls(message: AIMessage) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = [{**call, "type": "tool_call"} for call in message.tool_calls]
    return calls + [{**call, "type": "invalid_tool_call"} for call in message.invalid_tool_calls]


register_translator(PROVIDER, translate, translate_chunk)  # importing this module does it
