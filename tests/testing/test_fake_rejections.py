"""FakeMiMo's rejections: the exact body of each, over HTTP."""

from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo

# Loopback has no TLS, whose context would cost 40 ms a call.
post = partial(httpx2.post, verify=False)
get = partial(httpx2.get, verify=False)
USER = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": " ", "reasoning_content": "r", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,UklGRg=="}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
NOT_SET = "`text` is not set"
REASONING = "The reasoning_content in the thinking mode must be passed back to the API."
INVALID_KEY = {
    "error": {
        "message": "Invalid API Key",
        "param": "Please provide valid API Key",
        "code": "401",
        "type": "invalid_key",
    }
}


def send(mimo: FakeMiMo, body: Any, path: str = "/chat/completions", **kwargs: Any) -> Any:
    return post(f"{mimo.base_url}{path}", json=body, **kwargs)


def request(**changes: Any) -> dict[str, Any]:
    return {"model": "mimo-v2.5-pro", "messages": [USER]} | changes


def param_incorrect(param: str) -> dict[str, Any]:
    return {"error": {"code": "400", "message": "Param Incorrect", "param": param, "type": ""}}


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": fields}


# Requests and the `param` of their 400.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": (request(messages=[]), "messages must not be empty"),
    "messages of another type": (request(messages="hi"), "messages must not be empty"),
    "unknown role": (
        request(messages=[{"role": "function", "content": "x"}]),
        "messages.role must be one of developer, system, user, assistant, tool",
    ),
    "null content": (request(messages=[USER, {"role": "assistant", "content": None}]), NOT_SET),
    "no content": (request(messages=[USER, {"role": "assistant"}]), NOT_SET),
    "empty content": (request(messages=[USER, {"role": "assistant", "content": ""}]), NOT_SET),
    "null content beside calls": (
        request(messages=[USER, ASKED | {"content": None}, RESULT]),
        NOT_SET,
    ),
    "null user content": (request(messages=[{"role": "user", "content": None}]), NOT_SET),
    "image in a system message": (
        request(model="mimo-v2.5", messages=[{"role": "system", "content": [IMAGE]}]),
        NOT_SET,
    ),
    "tool message with an image": (
        request(model="mimo-v2.5", messages=[USER, ASKED, RESULT | {"content": [IMAGE]}]),
        NOT_SET,
    ),
    "tool message with a list of text": (
        request(messages=[USER, ASKED, RESULT | {"content": [{"type": "text", "text": "42"}]}]),
        NOT_SET,
    ),
    "reasoning not passed back": (
        request(messages=[USER, {k: ASKED[k] for k in ASKED if k != "reasoning_content"}, RESULT]),
        REASONING,
    ),
    "reasoning null": (
        request(messages=[USER, ASKED | {"reasoning_content": None}, RESULT]),
        REASONING,
    ),
    "reasoning of an earlier turn": (
        request(
            messages=[
                USER,
                ASKED | {"reasoning_content": None},
                RESULT,
                {"role": "assistant", "content": "done"},
                USER,
            ]
        ),
        REASONING,
    ),
    "tool message without its call": (
        request(messages=[USER, RESULT]),
        "tool_call_id call_1 answers no tool call",
    ),
    "call without its tool message": (
        request(messages=[USER, ASKED, USER]),
        "tool_calls must be followed by tool messages for: call_1",
    ),
    "last call without its tool message": (
        request(messages=[USER, ASKED]),
        "tool_calls must be followed by tool messages for: call_1",
    ),
    "call without arguments": (
        request(messages=[USER, ASKED | {"tool_calls": [{"id": "a", "function": {"name": "f"}}]}]),
        "tool_calls must have id, type and function",
    ),
    "temperature": (request(temperature=1.6), "temperature must be between 0 and 1.5"),
    "temperature as text": (request(temperature="1"), "temperature must be between 0 and 1.5"),
    "top_p": (request(top_p=0), "top_p must be between 0.01 and 1.0"),
    "frequency_penalty": (
        request(frequency_penalty=-2.1),
        "frequency_penalty must be between -2.0 and 2.0",
    ),
    "presence_penalty": (
        request(presence_penalty=3),
        "presence_penalty must be between -2.0 and 2.0",
    ),
    "five stops": (request(stop=list("abcde")), "stop must contain at most 4 sequences"),
    "stop of another type": (request(stop=[1]), "stop must be a string or a list of strings"),
    "token limit": (
        request(max_completion_tokens=131_073),
        "max_completion_tokens must be between 1 and 131072",
    ),
    "token limit 0": (request(max_tokens=0), "max_tokens must be between 1 and 131072"),
    "token limit true": (request(max_tokens=True), "max_tokens must be between 1 and 131072"),
    "thinking": (request(thinking=True), "thinking.type must be one of enabled, disabled"),
    "tool type": (
        request(tools=[{"type": "retrieval"}]),
        "tools.type must be one of function, web_search",
    ),
    "tools of another type": (request(tools={}), "tools must be a list"),
    "tool name": (
        request(tools=[function(name="a b")]),
        "tools.function.name must match [a-zA-Z0-9_-]{1,64}",
    ),
    "long tool name": (
        request(tools=[function(name="a" * 65)]),
        "tools.function.name must match [a-zA-Z0-9_-]{1,64}",
    ),
    "web search limit": (
        request(tools=[{"type": "web_search", "limit": 51}]),
        "tools.limit must be between 1 and 50",
    ),
    "no model": (request(model=None), "model is not set"),
    "image without URL": (
        request(
            model="mimo-v2.5",
            messages=[{"role": "user", "content": [IMAGE | {"image_url": {"url": "a.png"}}]}],
        ),
        "image_url.url must be a URL or a data URL",
    ),
    "fps": (
        request(model="mimo-v2.5", messages=[{"role": "user", "content": [VIDEO | {"fps": 11}]}]),
        "fps must be between 0.1 and 10.0",
    ),
    "media_resolution": (
        request(
            model="mimo-v2.5",
            messages=[{"role": "user", "content": [VIDEO | {"media_resolution": "low"}]}],
        ),
        "media_resolution must be one of default, max",
    ),
    "file": (
        request(messages=[{"role": "user", "content": [{"type": "file"}]}]),
        "file type is not supported",
    ),
    "unknown part": (
        request(messages=[{"role": "user", "content": [{"type": "refusal"}]}]),
        "unknown content type refusal",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("streamed", [False, True])
def test_refused_with_400(mimo: FakeMiMo, name: str, streamed: bool) -> None:
    body, param = REFUSED[name]
    mimo.queue("kept")
    response = send(mimo, body | {"stream": streamed})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert response.json() == param_incorrect(param)
    assert mimo.queued == 1


ACCEPTED: dict[str, dict[str, Any]] = {
    "empty reasoning": request(messages=[USER, ASKED | {"reasoning_content": ""}, RESULT]),
    "no reasoning with thinking off": request(
        thinking={"type": "disabled"},
        messages=[USER, ASKED | {"reasoning_content": None}, RESULT],
    ),
    "no reasoning with effort none": request(
        reasoning_effort="none",
        messages=[USER, ASKED | {"reasoning_content": None}, RESULT],
    ),
    "no reasoning for a model that does not think by default": request(
        model="mimo-v2-flash",
        messages=[USER, ASKED | {"reasoning_content": None}, RESULT],
    ),
    "no reasoning without calls": request(
        messages=[USER, {"role": "assistant", "content": "x"}, USER]
    ),
    "calls null": request(messages=[{"role": "assistant", "content": "x", "tool_calls": None}]),
    "temperature under thinking": request(temperature=0.2, top_p=0.5),
    "unknown fields": request(temprature=9, foo={"bar": 1}),
    "forced tool choice": request(
        tool_choice={"type": "function", "function": {"name": "f"}}, tools=[function(name="f")]
    ),
    "tool choice none": request(tool_choice="none"),
    "json_schema": request(response_format={"type": "json_schema", "json_schema": {}}),
    "nulls": request(stop=None, temperature=None, max_completion_tokens=None, tools=None),
    "developer and name": request(
        messages=[{"role": "developer", "content": "be brief", "name": "me"}, USER]
    ),
    "text parts": request(
        messages=[
            {"role": "system", "content": [{"type": "text", "text": "a"}]},
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
        ]
    ),
    "media": request(
        model="mimo-v2.6-flash",
        messages=[{"role": "user", "content": [IMAGE, AUDIO, VIDEO | {"fps": 0.1}]}],
    ),
    "four stops": request(stop=list("abcd")),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(mimo: FakeMiMo, name: str) -> None:
    response = send(mimo, ACCEPTED[name])
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("model", ["mimo-v2.6", "MiMo-V2.5-Pro", "xiaomi/mimo-v2.5", "gpt-5"])
def test_unsupported_model(mimo: FakeMiMo, model: str) -> None:
    response = send(mimo, request(model=model))
    assert response.status_code == 400
    assert response.json() == {"error": {"code": "400", "message": f"Unsupported model {model}"}}


def test_extra_models() -> None:
    with FakeMiMo(extra_models=["mimo-v9"]) as mimo:
        assert send(mimo, request(model="mimo-v9")).status_code == 200
        models = get(f"{mimo.base_url}/models").json()["data"]
        assert {"id": "mimo-v9", "object": "model", "owned_by": "xiaomi"} in models


def test_retired_models() -> None:
    with FakeMiMo(retired=["mimo-v2-pro"]) as mimo:
        assert send(mimo, request(model="mimo-v2.6-pro")).status_code == 200
        response = send(mimo, request(model="mimo-v2-pro"))
        assert response.status_code == 400
        assert response.json()["error"]["message"] == "Unsupported model mimo-v2-pro"
        served = [one["id"] for one in get(f"{mimo.base_url}/models").json()["data"]]
    assert "mimo-v2.6-pro" in served
    assert "mimo-v2-pro" not in served


@pytest.mark.parametrize(("drops_media", "status"), [(False, 400), (True, 200)])
def test_media_that_the_messages_protocol_drops(drops_media: bool, status: int) -> None:
    blocks = [{"type": "document", "source": {}}, {"type": "text", "text": "What does it say?"}]
    body = {"model": "mimo-v2.6-pro", "max_tokens": 99}
    body["messages"] = [{"role": "user", "content": blocks}]
    with FakeMiMo(drops_media=drops_media) as mimo:
        response = post(f"{mimo.messages_base_url}/v1/messages", json=body)
    assert response.status_code == status
    assert ("document blocks are not supported" in response.text) is not drops_media


@pytest.mark.parametrize(("part", "kind"), [(IMAGE, "image"), (AUDIO, "audio"), (VIDEO, "video")])
def test_media_for_a_text_model_on_any_turn(
    mimo: FakeMiMo, part: dict[str, Any], kind: str
) -> None:
    past = {"role": "user", "content": [{"type": "text", "text": "look"}, part]}
    history = [past, {"role": "assistant", "content": "nice"}, USER]
    response = send(mimo, request(messages=history))
    assert response.status_code == 404
    assert response.json()["error"]["message"] == f"No endpoints found that support {kind} input"


def test_reasoning_can_be_waived() -> None:
    history = [USER, ASKED | {"reasoning_content": None, "content": ""}, RESULT]
    with FakeMiMo(require_reasoning=False, refuse_empty_content=False) as mimo:
        assert send(mimo, request(messages=history)).status_code == 200


def test_web_search_without_the_plugin() -> None:
    with FakeMiMo(web_search_enabled=False) as mimo:
        response = send(mimo, request(tools=[{"type": "web_search"}]))
    assert response.status_code == 400
    assert response.json() == param_incorrect(
        "web search tool found in the request body, but webSearchEnabled is false"
    )


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"x"', b'{"model": "mimo-v2.5", "messages": [{"role": []}]}']
)
def test_bodies_that_are_no_request(mimo: FakeMiMo, raw: bytes) -> None:
    response = post(f"{mimo.base_url}/chat/completions", content=raw)
    assert response.status_code == 400


def test_a_body_that_is_no_json(mimo: FakeMiMo) -> None:
    response = post(f"{mimo.base_url}/chat/completions", content=b"{")
    assert response.json() == {
        "error": {
            "code": "400",
            "message": "Invalid request parameters",
            "param": "",
            "type": "Bad Request",
        }
    }


def test_data_prefix_for_streaming_requests() -> None:
    with FakeMiMo(data_prefix_errors=True) as mimo:
        streamed = send(mimo, request(messages=[], stream=True))
        plain = send(mimo, request(messages=[]))
    assert streamed.status_code == 400
    assert streamed.text.startswith('data:{"error": {"code": "400"')
    assert plain.json() == param_incorrect("messages must not be empty")


# Keys


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"api-key": "sk-good"}, 200),
        ({"authorization": "Bearer sk-good"}, 200),
        ({"authorization": "bearer sk-good"}, 200),
        ({"authorization": "sk-good"}, 401),
        ({"authorization": "Basic sk-good"}, 401),
        ({"api-key": "sk-bad"}, 401),
        ({"api-key": "sk-good", "authorization": "Bearer sk-bad"}, 200),
        ({"api-key": "sk-bad", "authorization": "Bearer sk-good"}, 401),
        ({"x-api-key": "sk-good"}, 401),
    ],
)
def test_keys(headers: dict[str, str], status: int) -> None:
    with FakeMiMo(keys=["sk-good"]) as mimo:
        response = send(mimo, request(), headers=headers)
        assert response.status_code == status
        assert status == 200 or response.json() == INVALID_KEY
        assert get(f"{mimo.base_url}/models", headers=headers).status_code == status


def test_the_other_kind_of_key() -> None:
    with FakeMiMo(key_prefix="tp-") as mimo:
        assert send(mimo, request(), headers={"api-key": "sk-1"}).json() == INVALID_KEY
        assert send(mimo, request(), headers={"api-key": "tp-1"}).status_code == 200


def test_cloudsway_reads_bearer_only() -> None:
    with FakeMiMo(keys=["k"]) as mimo:
        body = {"messages": [USER]}
        path = "/ai/my-endpoint/chat/completions"
        assert send(mimo, body, path, headers={"api-key": "k"}).status_code == 401
        response = send(mimo, body, path, headers={"authorization": "Bearer k"})
    assert response.status_code == 200
    assert response.json()["model"] == "MaaS_Mimo_V2.5_20260423"
    assert response.json()["choices"][0]["native_finish_reason"] == "stop"


# Paths


def test_paths(mimo: FakeMiMo) -> None:
    assert send(mimo, request(), "/completions").status_code == 404
    assert send(mimo, request(model="MaaS_Mimo_V2.5_pro_20260423")).status_code == 200
    assert send(mimo, request(model="maas_mimo_v2.5_pro_20260423")).status_code == 400
    assert get(f"{mimo.base_url}/chat/completions").status_code == 405
    assert mimo.last_request.body is None
    lists = [get(f"{base}/models").json() for base in (mimo.base_url, mimo.root_url)]
    assert lists[0] == lists[1]
    assert lists[0]["object"] == "list"
    assert {"id": "mimo-v2.5", "object": "model", "owned_by": "xiaomi"} in lists[0]["data"]
    assert mimo.last_request.protocol == "models"
