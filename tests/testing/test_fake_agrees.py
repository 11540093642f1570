"""The core's checks and the emulator's rejections agree: what `prepare` lets through is accepted.

Values are drawn from the documented ranges and from around them. A value that the core refuses has
to be one that the emulator refuses as well, else the core is stricter than the service.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimo_core import InvalidRequestError, prepare
from mimo_core._protocols.messages_request import messages_body
from mimo_core.models import MODELS, model_info
from mimo_core.testing.emulator import service
from mimo_core.testing.emulator.policy import Policy, Rejection
from mimo_core.testing.emulator.rejections import chat_rejection

USER = {"role": "user", "content": "hi"}
CHAT_MODELS = sorted(id for id, info in MODELS.items() if info.kind == "chat")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def around(low: float, high: float) -> st.SearchStrategy[Any]:
    """Numbers of a range and its neighbourhood, and what is not a number."""
    inside = st.floats(low, high) | st.integers(math.ceil(low), math.floor(high))
    return inside | st.floats(low - 1, high + 1) | st.sampled_from([low, high, True, "1", math.inf])


FUNCTIONS = st.fixed_dictionaries(
    {"name": st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)},
    optional={
        "description": st.text(max_size=9),
        "parameters": st.sampled_from([SCHEMA, {}, None]),
        "strict": st.booleans(),
    },
)
SEARCHES = st.fixed_dictionaries(
    {"type": st.just("web_search")},
    optional={
        "force_search": st.booleans(),
        "max_keyword": st.integers(1, 50),
        "limit": st.integers(1, 50),
        "user_location": st.just({"type": "approximate", "country": "China"}),
    },
)
TOOLS = st.lists(
    st.builds(lambda function: {"type": "function", "function": function}, FUNCTIONS) | SEARCHES,
    max_size=3,
)
CHECKED: dict[str, st.SearchStrategy[Any]] = {
    "temperature": around(0, 1.5),
    "top_p": around(0.01, 1),
    "frequency_penalty": around(-2, 2),
    "presence_penalty": around(-2, 2),
    "max_completion_tokens": st.integers(-1, 131_074) | st.sampled_from([True, 1.5, "9"]),
    "max_tokens": st.integers(-1, 131_074),
    "stop": st.text(max_size=3)
    | st.lists(st.text(min_size=1, max_size=3), max_size=6)
    | st.sampled_from([3, ["a", 3], [""]]),
    "thinking": st.booleans()
    | st.sampled_from([{"type": "enabled"}, {"type": "disabled"}, {"type": "auto"}, "on", {}]),
    "n": st.integers(0, 3),
}
"""Parameters that the core checks: values in their ranges and around them."""
PASSED: dict[str, st.SearchStrategy[Any]] = {
    "reasoning_effort": st.sampled_from(["none", "low", "medium", "high"]),
    "response_format": st.sampled_from(
        [
            {"type": "text"},
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
        ]
    ),
    "tools": TOOLS,
    "tool_choice": st.sampled_from(
        ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}]
    ),
    "parallel_tool_calls": st.booleans(),
    "stream": st.booleans(),
    "stream_options": st.just({"include_usage": True}),
}
"""Parameters of which other servers take more values: the documented ones."""


def request(
    fields: dict[str, st.SearchStrategy[Any]], models: list[str]
) -> st.SearchStrategy[dict[str, Any]]:
    """Each field set, null or left out."""
    given = {name: st.none() | strategy for name, strategy in fields.items()}
    needed = {"model": st.sampled_from(models), "messages": st.just([USER])}
    return st.fixed_dictionaries(needed, optional=given)


def prepared(request: dict[str, Any], **kwargs: Any) -> dict[str, Any] | None:
    """What the core would send, or None where it refuses; other errors are its defects."""
    try:
        return prepare(request, **kwargs)
    except InvalidRequestError:
        return None


def on_the_wire(body: dict[str, Any]) -> dict[str, Any]:
    """As it arrives: what JSON makes of it."""
    arrived: dict[str, Any] = json.loads(json.dumps(body))
    return arrived


def rejection_of_messages(body: dict[str, Any]) -> Rejection | None:
    record = service.record("POST", "/anthropic/v1/messages", {}, json.dumps(body).encode())
    return service.rejection(record, Policy())


@given(request(CHECKED | PASSED, CHAT_MODELS))
@settings(max_examples=300)
@pytest.mark.slow
def test_what_the_core_lets_through_is_accepted(asked: dict[str, Any]) -> None:
    body = prepared(asked)
    if body is not None:
        assert chat_rejection(on_the_wire(body), Policy()) is None


@given(request(CHECKED | PASSED, CHAT_MODELS))
@settings(max_examples=200)
@pytest.mark.slow
def test_on_the_messages_protocol_as_well(asked: dict[str, Any]) -> None:
    body = prepared(asked, protocol="messages")
    if body is None:
        return
    try:
        translated = messages_body(body)
    except InvalidRequestError:  # a parameter that this protocol does not have
        return
    assert rejection_of_messages(translated) is None


@pytest.mark.parametrize("name", CHECKED)
def test_one_field_is_judged_alike(name: str) -> None:
    """Refused by both or by neither, each value of its own."""

    @given(request({name: CHECKED[name]}, CHAT_MODELS))
    def judged(asked: dict[str, Any]) -> None:
        refused = chat_rejection(asked, Policy())
        body = prepared(asked)
        if body is None:
            assert refused is not None, "the core refuses what the emulator accepts"
        else:
            assert chat_rejection(on_the_wire(body), Policy()) is None

    judged()


@given(request(PASSED, CHAT_MODELS))
def test_documented_values_are_refused_by_neither(asked: dict[str, Any]) -> None:
    body = prepare(asked)
    assert chat_rejection(on_the_wire(body), Policy()) is None


# Speech

SPEAKERS = sorted(id for id, info in MODELS.items() if info.kind == "tts")


@given(
    request(
        {
            "temperature": around(0, 1.5),
            "max_completion_tokens": st.integers(1, 9_000),
            "stop": st.just("x"),
            "thinking": st.booleans(),
            "tools": TOOLS,
            "response_format": st.just({"type": "json_object"}),
            "stream": st.booleans(),
        },
        SPEAKERS,
    )
)
def test_parameters_of_speech_models(asked: dict[str, Any]) -> None:
    """The audio options are checked where speech is asked for (`speech_request`)."""
    info = model_info(asked["model"])
    audio = {"voice": "data:audio/wav;base64,UklGRg=="} if info.voice_source == "sample" else {}
    spoken = [{"role": "user", "content": "Softly."}, {"role": "assistant", "content": "Hi."}]
    body = prepared(asked | {"messages": spoken, "audio": audio})
    if body is not None:
        assert chat_rejection(on_the_wire(body), Policy()) is None
