"""FakeMiMo's messages protocol: requests translated, answers and streams in Anthropic's shape."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
SAMPLES = Path(__file__).parents[1] / "core" / "data"  # published bodies of the real service
USER = {"role": "user", "content": "hi"}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
THINKING = {"type": "thinking", "thinking": "hmm", "signature": ""}
TOOL_USE = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}
CLOUDSWAY = "MaaS_Mimo_V2.5_20260423"


def send(mimo: FakeMiMo, path: str = "/anthropic/v1/messages", **body: Any) -> Any:
    request = {"model": "mimo-v2.5-pro", "max_tokens": 1024, "messages": [USER]} | body
    return post(f"{mimo.root_url}{path}", json=request)


def stream(mimo: FakeMiMo, **body: Any) -> list[dict[str, Any]]:
    response = send(mimo, stream=True, **body)
    assert response.status_code == 200, response.text
    events = []
    for event in response.text.removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        payload = json.loads(data.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        events.append(payload)
    return events


def test_plain_answer(mimo: FakeMiMo) -> None:
    mimo.queue(Reply("Hello.", reasoning="Greet.", tool_calls=[("f", {"a": 1}, "call_1")]))
    body = send(mimo, tools=[TOOL]).json()
    assert body["content"] == [
        {"type": "thinking", "signature": "", "thinking": "Greet."},
        {"type": "text", "text": "Hello."},
        TOOL_USE,
    ]
    assert (body["type"], body["role"], body["model"]) == ("message", "assistant", "mimo-v2.5-pro")
    assert body["stop_reason"] == "tool_use"
    assert set(body["usage"]) == {"input_tokens", "output_tokens"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("messages_introduction", "/anthropic/v1/messages"),
        ("cloudsway_messages_memory", "/my-endpoint/v1/messages"),
        ("cloudsway_messages_memory", "/v1/messages"),
    ],
)
def test_shape_equals_the_published_samples(mimo: FakeMiMo, name: str, path: str) -> None:
    sample = json.loads((SAMPLES / f"{name}.json").read_text())
    text = next(block["text"] for block in sample["content"] if block["type"] == "text")
    thoughts = [block["thinking"] for block in sample["content"] if block["type"] == "thinking"]
    usage = sample["usage"]
    mimo.queue(
        Reply(
            text,
            reasoning=thoughts[0] if thoughts else None,
            thinking_after_text=True,
            usage={
                "prompt_tokens": usage["input_tokens"],
                "completion_tokens": usage["output_tokens"],
            },
        )
    )
    body = send(mimo, path, model=sample["model"]).json()
    assert body | {"id": sample["id"]} == sample


def test_stop_reasons(mimo: FakeMiMo) -> None:
    mimo.queue("one two three", "one two three", Reply(refusal="no"), Reply("x"))
    body = send(mimo, stop_sequences=["two"]).json()
    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", "two")
    body = send(mimo, max_tokens=1).json()
    assert (body["stop_reason"], body["content"][0]["text"]) == ("max_tokens", "one")
    assert send(mimo).json()["stop_reason"] == "refusal"
    assert send(mimo).json()["stop_reason"] == "end_turn"


def test_cached_tokens(mimo: FakeMiMo) -> None:
    usage = {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 64}}
    mimo.queue(Reply("x", usage=usage))
    assert send(mimo).json()["usage"] == {
        "input_tokens": 36,
        "output_tokens": 1,
        "cache_read_input_tokens": 64,
        "cache_creation_input_tokens": 0,
    }


def test_a_request_reads_as_a_chat_request(mimo: FakeMiMo) -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "call_1",
        "content": [{"type": "text", "text": "42"}, PNG],
    }
    text = {"type": "text", "text": "and?", "cache_control": {"type": "ephemeral"}}
    response = send(
        mimo,
        model="mimo-v2.5",
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            USER,
            USER,
            {"role": "assistant", "content": [THINKING, TOOL_USE]},
            {"role": "user", "content": [result, text]},
        ],
        tools=[TOOL],
        thinking={"type": "enabled", "budget_tokens": 10},
        stop_sequences=["x"],
        temperature=0.5,
    )
    assert response.status_code == 200, response.text
    request = mimo.last_request
    assert request.protocol == "messages"
    assert request.body["max_tokens"] == 1024
    function = {"name": "f", "arguments": '{"a": 1}'}
    parameters = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert request.chat == {
        "model": "mimo-v2.5",
        "max_completion_tokens": 1024,
        "stop": ["x"],
        "temperature": 0.5,
        "thinking": {"type": "enabled", "budget_tokens": 10},
        "messages": [
            {"role": "system", "content": "Be brief."},
            USER,
            USER,
            {
                "role": "assistant",
                "content": " ",
                "reasoning_content": "hmm",
                "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}},
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
        "tools": [
            {"type": "function", "function": parameters},
        ],
    }


def history(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "42"}
    return [
        USER,
        {"role": "assistant", "content": list(blocks)},
        {"role": "user", "content": [result]},
    ]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"max_tokens": None}, 400, "max_tokens is not set"),
        ({"messages": []}, 400, "messages must not be empty"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "messages.role must be one of"),
        ({"messages": [{"role": "user"}]}, 400, "`content` is not set"),
        ({"messages": history(TOOL_USE)}, 400, "reasoning_content in the thinking mode"),
        ({"messages": history(THINKING | {"thinking": ""}, TOOL_USE)}, 200, ""),
        ({"messages": history(TOOL_USE), "thinking": {"type": "disabled"}}, 200, ""),
        ({"messages": history(THINKING)}, 400, "tool_call_id call_1 answers no tool call"),
        ({"messages": [USER, {"role": "assistant", "content": ""}]}, 400, "`text` is not set"),
        ({"messages": [{"role": "user", "content": [PNG]}]}, 404, "support image input"),
        ({"model": "mimo-v2.5-tts"}, 400, "Unsupported model mimo-v2.5-tts"),
        ({"model": CLOUDSWAY}, 400, f"Unsupported model {CLOUDSWAY}"),
        ({"temperature": 2}, 400, "temperature must be between"),
        ({"tools": [TOOL | {"name": "a b"}]}, 400, "tools.function.name must match"),
        ({"tools": ["f"]}, 400, "tools.type must be custom"),
        ({"thinking": {"type": "adaptive"}}, 200, ""),
    ],
)
def test_rejections(mimo: FakeMiMo, body: dict[str, Any], status: int, said: str) -> None:
    response = send(mimo, **body)
    assert response.status_code == status, response.text
    assert said in response.text


def test_keys() -> None:
    with FakeMiMo(keys=["k"]) as mimo:
        url, body = (
            f"{mimo.messages_base_url}/v1/messages",
            {"model": "mimo-v2.5", "max_tokens": 9, "messages": [USER]},
        )
        for headers in ({"api-key": "k"}, {"x-api-key": "k"}, {"authorization": "Bearer k"}):
            assert post(url, json=body, headers=headers).status_code == 200
        assert post(url, json=body).status_code == 401
        relayed = url.replace("/anthropic/", "/endpoint/")
        assert post(relayed, json=body, headers={"api-key": "k"}).status_code == 401


# Streams


def test_stream(mimo: FakeMiMo) -> None:
    mimo.queue(
        Reply("Hello.", reasoning="Greet them.", tool_calls=[("f", '{"a": [1, 2', "call_1")])
    )
    events = stream(mimo, tools=[TOOL])
    assert [event["type"] for event in events[:2]] == ["message_start", "ping"]
    assert events[0]["message"]["content"] == []
    starts = [e["content_block"] for e in events if e["type"] == "content_block_start"]
    assert starts == [
        {"type": "thinking", "signature": "", "thinking": ""},
        {"type": "text", "text": ""},
        TOOL_USE | {"input": {}},
    ]
    joined = {"thinking": "", "text": "", "partial_json": ""}
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert {"type": "signature_delta", "signature": ""} in deltas
    for delta in deltas:
        for name in joined.keys() & delta.keys():
            joined[name] += delta[name]
    assert joined == {"thinking": "Greet them.", "text": "Hello.", "partial_json": '{"a": [1, 2'}
    stops = [event["index"] for event in events if event["type"] == "content_block_stop"]
    assert stops == [0, 1, 2]
    assert events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert events[-2]["usage"]["output_tokens"] > 0
    assert events[-1] == {"type": "message_stop"}


def test_stream_variants(mimo: FakeMiMo) -> None:
    mimo.queue(
        Reply("x", reasoning="Think well.", thinking_after_text=True, thinking_in_start=True),
        Reply("x", usage_on="never", repeat_finish_reason=True),
    )
    starts = [e["content_block"] for e in stream(mimo) if e["type"] == "content_block_start"]
    assert starts == [
        {"type": "text", "text": ""},
        {"type": "thinking", "signature": "", "thinking": "Think we"},
    ]
    deltas = [event for event in stream(mimo) if event["type"] == "message_delta"]
    assert len(deltas) == 2
    assert deltas[-1]["usage"] == {"output_tokens": 0}


def test_stream_faults(mimo: FakeMiMo) -> None:
    mimo.queue(
        Fault(error_event="overloaded", after=3, reply="Hello."),
        Fault(empty_choices=True),
        Fault(cut="before_done", reply="Hello."),
    )
    events = stream(mimo)
    assert len(events) == 4
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["message"] == "Service overloaded"
    assert [e["type"] for e in stream(mimo)] == ["message_start", "ping", "message_stop"]
    assert stream(mimo)[-1]["type"] == "message_delta"
    mimo.queue(Fault(empty_choices=True))
    body = send(mimo).json()
    assert (body["content"], body["stop_reason"]) == ([], None)
