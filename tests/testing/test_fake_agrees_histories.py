"""Any history that the core lets through is accepted by the emulator, in both protocols.

Histories hold what other providers and cut answers leave behind: calls without ids, with broken
arguments or odd names, results that answer nothing, empty texts, media anywhere.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mimo_core import InvalidRequestError, UnsupportedInputError, prepare
from mimo_core._protocols.messages_request import messages_body
from mimo_core.models import MODELS
from mimo_core.testing.emulator.messages_translation import shape_rejection, to_chat
from mimo_core.testing.emulator.policy import Policy, Rejection
from mimo_core.testing.emulator.rejections import chat_rejection

CHAT = [info.id for info in MODELS.values() if info.kind == "chat"]
PNG = "data:image/png;base64,iVBORw0KGgo="
WAV = "data:audio/wav;base64,UklGRg=="
MP4 = "data:video/mp4;base64,AAAA"


def around(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low - 0.5, high + 0.5) | st.sampled_from([low, high])


NAMES = st.text("aB0_-. é", max_size=6) | st.sampled_from(["a" * 64, "a" * 65])
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


REQUESTS = st.fixed_dictionaries(
    {"model": st.sampled_from(CHAT), "messages": st.lists(MESSAGES, min_size=1, max_size=5)},
    optional={"thinking": st.booleans()},
)


def prepared(request: dict[str, Any], protocol: Any = "chat_completions") -> Any:
    """The body, or None where the core refuses the request."""
    try:
        return prepare(request, protocol)
    except (InvalidRequestError, UnsupportedInputError):
        return None


def through_json(body: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(body, allow_nan=False)))


def said(rejection: Rejection | None) -> Any:
    return rejection and (rejection.rule, rejection)


@given(REQUESTS)
def test_chat_completions(request: dict[str, Any]) -> None:
    if (body := prepared(request)) is not None:
        assert said(chat_rejection(through_json(body), Policy())) is None


@given(REQUESTS)
def test_the_messages_protocol(request: dict[str, Any]) -> None:
    body = prepared(request, "messages")
    try:
        body = body and through_json(messages_body(body | {"max_tokens": 9}))
    except InvalidRequestError:
        return  # a history of instructions only
    except UnsupportedInputError:
        return  # sound and video, which this protocol does not have
    if body:
        assert said(shape_rejection(body)) is None
        assert said(chat_rejection(to_chat(body), Policy(), messages_protocol=True)) is None
