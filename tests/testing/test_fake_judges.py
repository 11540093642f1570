"""Whatever comes, the emulator has a decision: a request in which one thing is something else."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mimo_core.testing.emulator.policy import Policy, Rejection
from mimo_core.testing.emulator.rejections import chat_rejection
from mimo_core.testing.emulator.rejections_messages import shape_rejection
from tests.testing.test_fake_sources import (
    HEARD,
    VIDEO,
    blocks,
    called,
    function,
    heard,
    image,
    rejection,
    shown,
    speech,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a", "text", "function"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "name", "url", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to everything in a request."""
    if path:
        yield path
    named = enumerate(value) if isinstance(value, list) else ()
    for name, inner in value.items() if isinstance(value, dict) else named:
        yield from places(inner, (*path, name))


@st.composite
def spoilt(draw: st.DrawFn, bodies: list[Any]) -> Any:
    """A request in which one thing is something else."""
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    *way, last = draw(st.sampled_from([*places(body)]))
    target = body
    for step in way:
        target = target[step]
    target[last] = draw(ANYTHING)
    return body


@given(
    spoilt(
        [
            called() | {"tools": function(name="f")["tools"], "tool_choice": "auto"},
            shown(VIDEO, HEARD, image("https://example.com/a.png")),
            speech(audio={"voice": "Mia", "format": "wav"}),
            heard(HEARD, asr_options={"language": "zh"}),
        ]
    )
)
def test_any_request_is_judged(body: Any) -> None:
    assert isinstance(chat_rejection(body, Policy()), Rejection | None)


@given(
    spoilt(
        [
            blocks({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]}),
            blocks({"type": "image", "source": {"type": "url", "url": "https://a.b/c.png"}}),
            blocks({"type": "tool_use", "id": "a", "name": "f", "input": {}}, role="assistant"),
            blocks(system=[{"type": "text", "text": "x"}], tool_choice={"type": "auto"}),
        ]
    )
)
def test_any_request_of_the_messages_protocol_is_judged(body: Any) -> None:
    assert isinstance(shape_rejection(body), Rejection | None)
    assert isinstance(rejection(body, "/anthropic/v1/messages"), Rejection | None)
