"""Any history that llm can make is accepted, or is one error that names what is wrong with it.

The emulator is as strict as the service is known to be. An error has to come before anything is
sent: what reaches the service is accepted, and the conversation can go on from there.
"""

from __future__ import annotations

import base64
from typing import Any

import click
import llm
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from llm.parts import (
    AttachmentPart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from mimo_core.audio import wav_header
from mimo_core.testing import FakeMiMo, Reply

pytestmark = [pytest.mark.slow, pytest.mark.protocols("chat_completions", "messages")]

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NAMES_THE_PART = ("messages[", "attachment", "Message ", "prompt is empty", "instructions only")

texts = st.one_of(
    st.sampled_from(["", " ", "\n", "Hi", "你好", "\x1b[31m", "</tool_call>"]), st.text(max_size=12)
)
ids = st.sampled_from([None, "", "call_1", "call_2", "call_0", "toolu_01/x"])
names = st.sampled_from(["add", "", "a.b", "web_search", "x" * 80, "add two"])
metadata: st.SearchStrategy[dict[str, Any] | None] = st.sampled_from(
    [
        None,
        {},
        {"mimo": {}},
        {"mimo": "odd"},
        {"mimo": {"signature": "Eq"}},
        {"openai": {"id": "rs_1"}},
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
arguments = st.one_of(
    st.dictionaries(texts, json_values, max_size=2),
    st.builds(lambda cut: {"_raw": cut}, st.sampled_from(["", '{"a": 1', "[1", "null"])),
    st.sampled_from([[1, 2], "text", None, 7]),  # what a provider wrote in an object's place
)
attachments = st.sampled_from(
    [
        llm.Attachment(type="image/png", content=PNG),
        llm.Attachment(type="image/png", url="https://example.invalid/dot.png"),
        llm.Attachment(type="audio/wav", content=wav_header(8) + bytes(8)),
        llm.Attachment(type="video/mp4", content=b"\0\0\0\x18ftypmp42"),
        llm.Attachment(type="application/pdf", content=b"%PDF-1.7"),
        llm.Attachment(type="application/pdf", url="https://example.invalid/a.pdf"),
        llm.Attachment(type="text/csv", content=b"a,b"),
        llm.Attachment(type="image/png", path="/nowhere/dot.png"),
        llm.Attachment(path="/nowhere/dot"),
        llm.Attachment(type="image/png", content=b""),
        llm.Attachment(type="odd"),
    ]
)
parts = st.one_of(
    st.builds(TextPart, texts, metadata),
    st.builds(ReasoningPart, texts, st.booleans(), metadata),
    st.builds(ToolCallPart, names, arguments, ids, st.booleans()),
    st.builds(ToolResultPart, names, texts, ids, st.booleans(), st.lists(attachments, max_size=2)),
    st.builds(AttachmentPart, st.none() | attachments),
)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool", "user", "assistant", "developer"]),
    st.lists(parts, max_size=4),
)
histories = st.lists(messages, min_size=1, max_size=6)


def _calls_then_results(calls: list[ToolCallPart], media: list[Any]) -> list[Message]:
    """What a round of tool calls leaves, as llm's chains write it."""
    results: list[Part] = [ToolResultPart(call.name, "done", call.tool_call_id) for call in calls]
    ends = [llm.user(*map(AttachmentPart, media))] if media else []
    return [llm.user("Go"), Message("assistant", list(calls)), Message("tool", results), *ends]


own_histories = st.builds(
    _calls_then_results,
    st.lists(st.builds(ToolCallPart, names, arguments, ids), min_size=1, max_size=3),
    st.lists(attachments, max_size=2),
)


def _add(a: int, b: int) -> int:
    return a + b


def _is_accepted(mimo: FakeMiMo, model_id: str, **prompt: Any) -> None:
    """The invariant, for one prompt and the turn after it."""
    mimo.reset()
    model = llm.get_model(model_id)
    mimo.queue(Reply("Yes.", reasoning="Hm."), Reply("Still yes."))
    response = model.prompt(**prompt)
    if error := _error_of(response):
        assert not mimo.requests, f"the service refused it: {error}"
        assert any(words in error for words in NAMES_THE_PART), error
        assert "\n" not in error
        return
    response.reply("Are you sure?").text()
    assert len(mimo.requests) == 2


def _error_of(response: Any) -> str:
    """The one line of a refusal; empty where it is answered."""
    try:
        response.text()
    except click.ClickException as error:
        return str(error)
    return ""


any_prompt = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@any_prompt
@given(
    history=histories,
    model_id=st.sampled_from(["mimo", "mimo-v2.5-pro", "mimo-v2-flash"]),
    system=st.none() | texts,
    with_tools=st.booleans(),
)
@example([Message("tool", [ToolResultPart("f", "", None)])], "mimo", None, False)
@example([Message("user", [TextPart("")])], "mimo", "Be brief", False)
def test_of_any_provider(
    mimo: FakeMiMo, history: Any, model_id: str, system: str | None, with_tools: bool
) -> None:
    tools = [_add] if with_tools else []
    _is_accepted(mimo, model_id, messages=history, system=system, tools=tools)


@any_prompt
@given(history=own_histories, model_id=st.sampled_from(["mimo", "mimo-v2.5-pro"]))
def test_after_calls_of_tools_there_is_no_error_at_all(
    mimo: FakeMiMo, history: list[Message], model_id: str
) -> None:
    """What a tool returned cannot stop a conversation: it is nobody's fault, and it stays."""
    mimo.reset()
    mimo.queue(Reply("Yes."))
    assert llm.get_model(model_id).prompt(messages=history, tools=[_add]).text() == "Yes."
