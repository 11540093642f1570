"""The fast path builds what langchain-core's public constructors build, in every respect."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_mimo import fast_chunks
from langchain_mimo.fast_chunks import differs, fast_chunk, make_chunk, public_chunk

texts = st.text(max_size=12)
fragments = st.one_of(st.none(), st.text(alphabet='{}[]":,ab1 \n\\\u00a0', max_size=12), texts)
calls = st.lists(
    st.builds(
        tool_call_chunk,
        name=st.none() | texts,
        args=fragments,
        id=st.none() | texts,
        index=st.none() | st.integers(0, 3),
    ),
    max_size=3,
)
extras = st.dictionaries(st.sampled_from(["reasoning_content", "error_message"]), texts, max_size=2)


@given(texts, extras, calls)
def test_both_ways_build_equal_chunks(
    content: str, extra: dict[str, Any], tool_calls: list[Any]
) -> None:
    fast = make_chunk(content, dict(extra), [dict(call) for call in tool_calls])
    public = public_chunk(content, dict(extra), [dict(call) for call in tool_calls])
    assert not differs(fast, public)
    assert fast == public
    assert fast.model_dump() == public.model_dump()
    assert pickle.loads(pickle.dumps(fast)) == public
    assert fast.message.content_blocks == public.message.content_blocks
    assert (fast + fast) == (public + public)
    assert fast.message.model_copy(update={"id": "1"}) == public.message.model_copy(
        update={"id": "1"}
    )


def test_this_environment_takes_the_fast_path() -> None:
    """Fails where a new langchain-core has other fields: then streams are correct, but slower."""
    assert fast_chunks._trusted()


def test_where_the_two_differ_the_public_constructors_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def another_layout(*sample: Any) -> ChatGenerationChunk:
        chunk = fast_chunk(*sample)
        chunk.message.__dict__["a_field_of_another_version"] = None
        return chunk

    monkeypatch.setattr(fast_chunks, "fast_chunk", another_layout)
    fast_chunks._trusted.cache_clear()
    try:
        assert not fast_chunks._trusted()
        assert not differs(make_chunk("text", {}, []), public_chunk("text", {}, []))
    finally:
        fast_chunks._trusted.cache_clear()


def test_a_long_fragment_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """langchain-core would parse it once for each of its characters."""
    assert fast_chunks._trusted()
    parsed: list[str] = []

    def parse(text: str) -> dict[str, Any]:
        parsed.append(text)
        return {}

    monkeypatch.setattr("langchain_core.messages.ai.parse_partial_json", parse)
    call = tool_call_chunk(name=None, args="x" * 1000, id=None, index=0)
    chunk = make_chunk("", {}, [dict(call)])
    assert parsed == []
    assert isinstance(chunk.message, AIMessageChunk)
    assert chunk.message.tool_call_chunks == [call]
