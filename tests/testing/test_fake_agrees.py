"""The core's own checks and the emulator's refusals agree: what `prepare` lets through is accepted.

Values are drawn from inside the documented ranges and from outside: where the core is kinder than
the emulator, the service may refuse what the user was not warned of.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mimo_core import InvalidRequestError, UnsupportedInputError, prepare
from mimo_core.models import MODELS
from mimo_core.protocols.messages_request import messages_body
from mimo_core.testing.fake.messages_protocol import shape_refusal, to_chat
from mimo_core.testing.fake.policy import Policy, Refusal
from mimo_core.testing.fake.refusals import chat_refusal

CHAT = [info.id for info in MODELS.values() if info.kind == "chat"]
SPEECH = [info.id for info in MODELS.values() if info.kind == "tts"]
PNG = "data:image/png;base64,iVBORw0KGgo="
WAV = "data:audio/wav;base64,UklGRg=="
MP4 = "data:video/mp4;base64,AAAA"
ODD = st.sampled_from([True, "1", [], {}, -1, float("nan")])


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, null, or now and then something of another kind."""
    return st.one_of(strategy, strategy, strategy, st.none(), ODD)


def around(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low - 0.5, high + 0.5) | st.sampled_from([low, high])


SAMPLING: dict[str, st.SearchStrategy[Any]] = {
    "temperature": some(around(0, 1.5)),
    "top_p": some(around(0.01, 1)),
    "frequency_penalty": some(around(-2, 2)),
    "presence_penalty": some(around(-2, 2)),
    "max_completion_tokens": some(st.sampled_from([0, 1, 8_192, 8_193, 131_072, 131_073])),
    "max_tokens": some(st.sampled_from([0, 1, 1_024, 8_193, 131_073])),
    "stop": some(st.text(max_size=2) | st.lists(st.text(max_size=2), max_size=6)),
}
NAMES = st.text("aB0_-. é", max_size=6) | st.sampled_from(["a" * 64, "a" * 65])
FUNCTIONS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "description": st.text(max_size=3),
        "parameters": st.just({"type": "object", "properties": {}}) | st.just({}) | st.none(),
        "strict": st.booleans(),
    },
).map(lambda function: {"type": "function", "function": function})
SEARCHES = st.fixed_dictionaries(
    {"type": st.just("web_search")},
    optional={"max_keyword": st.integers(0, 51), "limit": st.integers(0, 51)},
)
TOOLING: dict[str, st.SearchStrategy[Any]] = {
    "tools": st.none() | st.lists(FUNCTIONS | SEARCHES, max_size=3),
    "tool_choice": st.sampled_from(["auto", "none", "required"])
    | st.just({"type": "function", "function": {"name": "f"}}),
    "parallel_tool_calls": st.none() | st.booleans(),
    "thinking": some(st.booleans() | st.sampled_from([{"type": "enabled"}, {"type": "disabled"}])),
    "reasoning_effort": st.sampled_from([None, "none", "low", "medium", "high"]),
    "response_format": st.sampled_from([None, {"type": "text"}, {"type": "json_object"}]),
    "n": st.sampled_from([None, 1, 2]),
    "stream_options": st.none() | st.just({"include_usage": True}),
}
PARTS = st.one_of(
    st.text(max_size=3).map(lambda text: {"type": "text", "text": text}),
    st.sampled_from([PNG, "https://example.com/a.png"]).map(
        lambda url: {"type": "image_url", "image_url": {"url": url}}
    ),
    st.sampled_from([WAV, "UklGRg=="]).map(
        lambda data: {"type": "input_audio", "input_audio": {"data": data}}
    ),
    st.fixed_dictionaries(
        {"type": st.just("video_url"), "video_url": st.just({"url": MP4})},
        optional={
            "fps": around(0.1, 10),
            "media_resolution": st.sampled_from(["default", "max", "low"]),
        },
    ),
    st.just({"type": "file", "file": {"filename": "a.pdf"}}),
)
CONTENTS = st.text(max_size=3) | st.lists(PARTS, max_size=3)
CALLS = st.lists(
    st.builds(
        lambda id, name, arguments: {
            "id": id,
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        },
        st.sampled_from(["a", "b", "", None]),
        NAMES,
        st.sampled_from(["{}", "", '{"a": 1', "[]", "NaN", '{"a": NaN}', '{"a": 1e999}', {"a": 1}])
        | st.text(max_size=4),
    ),
    max_size=2,
)
MESSAGES = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "system", "developer"]),
        CONTENTS,
    ),
    st.builds(
        lambda content, calls: {"role": "assistant", "content": content, "tool_calls": calls},
        st.none() | st.text(max_size=3),
        CALLS,
    ),
    st.builds(
        lambda id, content: {"role": "tool", "tool_call_id": id, "content": content},
        st.sampled_from(["a", "b", "c", None]),
        CONTENTS,
    ),
)
USER = {"role": "user", "content": "hi"}
SAY = {"role": "assistant", "content": "Good morning."}


def request(
    models: list[str], messages: st.SearchStrategy[Any], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    required = {"model": st.sampled_from(models), "messages": messages}
    return st.fixed_dictionaries(required, optional=fields)


def prepared(request: dict[str, Any], protocol: Any = "chat_completions") -> Any:
    """The body, or None where the core refuses the request."""
    try:
        return prepare(request, protocol)
    except (InvalidRequestError, UnsupportedInputError):
        return None


def through_json(body: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(body, allow_nan=False)))


def said(refusal: Refusal | None) -> Any:
    return refusal and (refusal.rule, refusal)


@given(request(CHAT, st.just([USER]), **SAMPLING, **TOOLING))
def test_parameters(given_request: dict[str, Any]) -> None:
    if (body := prepared(given_request)) is not None:
        assert said(chat_refusal(through_json(body), Policy())) is None


@given(request(CHAT, st.lists(MESSAGES, min_size=1, max_size=5), thinking=st.booleans()))
def test_histories(given_request: dict[str, Any]) -> None:
    if (body := prepared(given_request)) is not None:
        assert said(chat_refusal(through_json(body), Policy())) is None


@given(
    request(
        SPEECH,
        st.just([USER, SAY]),
        audio=st.none() | st.fixed_dictionaries({}, optional={"format": st.just("wav")}),
        **SAMPLING,
        thinking=st.booleans(),
    )
)
def test_speech(given_request: dict[str, Any]) -> None:
    if given_request["model"].endswith("-voiceclone"):
        audio = given_request.get("audio") or {}
        given_request = given_request | {"audio": audio | {"voice": WAV}}
    if (body := prepared(given_request)) is not None:
        assert said(chat_refusal(through_json(body), Policy())) is None


@given(
    request(
        CHAT,
        st.lists(MESSAGES, min_size=1, max_size=5),
        **{name: SAMPLING[name] for name in ("temperature", "top_p", "max_tokens", "stop")},
        **{name: TOOLING[name] for name in ("tools", "tool_choice", "thinking")},
    )
)
def test_the_messages_protocol(given_request: dict[str, Any]) -> None:
    body = prepared(given_request, "messages")
    try:
        body = through_json(messages_body(body)) if body is not None else None
    except (InvalidRequestError, UnsupportedInputError):
        return  # what this protocol does not have
    if body is None:
        return
    assert said(shape_refusal(body)) is None
    assert said(chat_refusal(to_chat(body), Policy(), messages_protocol=True)) is None
