"""`ChatMiMo` on other servers than Xiaomi's: what it keeps of their answers and gives back."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError
from mimo_core.testing.emulator import FakeMiMo

DETAILS = {
    "text": {"type": "reasoning.text", "text": "Hm.", "signature": "S", "index": 0},
    "encrypted": {"type": "reasoning.encrypted", "data": "ENC==", "index": 0},
    "summary": {"type": "reasoning.summary", "summary": "I think", "index": 0},
}
SOUND = {"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,QUJD"}}


def at(server: FakeMiMo, kind: str, **arguments: Any) -> ChatMiMo:
    """A model on a server of this kind, at the address of `server`."""
    return ChatMiMo(base_url=f"{kind}+{server.base_url}", api_key="key-0123456789", **arguments)


def answer(**message: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hi", **message}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize("kind", DETAILS)
def test_reasoning_details_go_back_with_or_without_a_text(mimo: FakeMiMo, kind: str) -> None:
    details = [DETAILS[kind]]
    mimo.queue(answer(reasoning_details=details))
    model = at(mimo, "openrouter")
    first = model.invoke("Hello")
    assert first.additional_kwargs["reasoning_details"] == details
    model.invoke([HumanMessage("Hello"), first, HumanMessage("And?")])
    assert mimo.last_request.body["messages"][1]["reasoning_details"] == details


def test_a_summary_is_shown_where_there_is_no_text(mimo: FakeMiMo) -> None:
    mimo.queue(answer(reasoning_details=[DETAILS["summary"]]))
    assert at(mimo, "openrouter").invoke("Hi").additional_kwargs["reasoning_content"] == "I think"


def test_a_field_that_a_stream_repeats_is_given_once(mimo: FakeMiMo) -> None:
    """LangChain adds numbers up, doubles texts, and fails on a float."""
    mimo.queue(answer(phase="final", p=0.25, n=1))
    whole = None
    for chunk in at(mimo, "vllm").stream("Hello"):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    kept = {k: v for k, v in whole.additional_kwargs.items() if k in ("phase", "p", "n")}
    assert kept == {"phase": "final", "p": 0.25, "n": 1}


def test_sound_in_vllms_form(mimo: FakeMiMo) -> None:
    call: Any = {"id": "c", "name": "f", "args": {}, "type": "tool_call"}
    history = [
        HumanMessage([SOUND]),
        AIMessage("", tool_calls=[call]),
        ToolMessage([SOUND], tool_call_id="c"),
    ]
    with pytest.raises(MiMoInvalidRequestError):  # of the emulator, which is no vLLM
        at(mimo, "vllm").invoke(history)
    sent = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
    messages = mimo.last_request.body["messages"]
    assert messages[0]["content"] == [sent]
    assert messages[-1]["content"][-1] == sent


@pytest.mark.parametrize("off", [{"thinking": False}, {"reasoning_effort": "none"}])
def test_thinking_that_was_turned_off_in_vain_is_said(mimo: FakeMiMo, off: dict[str, Any]) -> None:
    mimo.queue(answer(reasoning="Hm."))
    with pytest.warns(UserWarning, match="reasoned although thinking was turned off"):
        at(mimo, "vllm", **off).invoke("Hello")
