"""Reasoning under the names that servers use, streamed and not: it is in one place here."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from mimo_core import collect
from mimo_core._http.errors import error_in_answer
from mimo_core._response.decode import StreamDecoder
from mimo_core._response.reasoning import adopt_reasoning
from mimo_core.types import ChatChunk


def details(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "reasoning.text", "text": text, "format": "unknown"} for text in texts]


@pytest.mark.parametrize(
    ("message", "reasoning"),
    [
        ({"reasoning_content": "Hm."}, "Hm."),  # Xiaomi, Cloudsway, SGLang, llama.cpp
        ({"reasoning": "Hm."}, "Hm."),  # vLLM, Ollama, mlx
        ({"reasoning": "Hm.", "reasoning_content": "Hm."}, "Hm."),  # mlx-vlm
        ({"reasoning": "Hm.", "reasoning_details": details("Hm.")}, "Hm."),  # OpenRouter
        ({"reasoning_details": details("H", "m.")}, "Hm."),
        ({"reasoning": None, "reasoning_content": None}, None),
        ({"reasoning": {"odd": 1}, "reasoning_details": "odd"}, None),
        ({"reasoning": "", "reasoning_details": [None, {"type": "reasoning.encrypted"}]}, None),
    ],
)
def test_where_reasoning_stands(message: Any, reasoning: str | None) -> None:
    adopted: Any = adopt_reasoning(message | {"content": "Hi"})
    assert adopted.get("reasoning_content") == reasoning
    assert "reasoning" not in adopted
    assert adopted.get("reasoning_details") == message.get("reasoning_details")


@pytest.mark.parametrize(
    "deltas",
    [
        [{"reasoning": "H"}, {"reasoning": "m."}],
        [
            {"reasoning": "H", "reasoning_content": "H"},
            {"reasoning": "m.", "reasoning_content": "m."},
        ],
        [
            {"reasoning": "H", "reasoning_details": details("H")},
            {"reasoning": "m.", "reasoning_details": details("m.")},
        ],
        [{"reasoning_details": details("H")}, {"reasoning_details": details("m.")}],
    ],
)
def test_in_a_stream_it_is_put_together(deltas: list[dict[str, Any]]) -> None:
    events: list[dict[str, Any]] = [{"delta": delta} for delta in [*deltas, {"content": "Hi"}]]
    events.append({"delta": {}, "finish_reason": "stop"})
    data = b"".join(
        b"data: " + json.dumps({"choices": [event]}).encode() + b"\n\n" for event in events
    )
    decoder = StreamDecoder(
        lambda event: (cast("ChatChunk", event),),
        lambda event: error_in_answer(event, {}, key=None, hints=None),
    )
    chunks = [*decoder.feed(data + b"data: [DONE]\n\n"), *decoder.close()]
    message: Any = collect(chunks)["choices"][0]["message"]
    assert message["reasoning_content"] == "Hm."
    assert message["content"] == "Hi"
    assert "reasoning" not in message
    if "reasoning_details" in deltas[0]:  # they go back as they came
        assert message["reasoning_details"] == details("H", "m.")
