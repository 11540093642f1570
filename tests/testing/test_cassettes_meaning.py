"""What differs between versions without meaning is the same request; everything else is not."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mimo_core.testing.cassettes.cleaning import clean_request
from mimo_core.testing.cassettes.differences import first_difference
from mimo_core.testing.cassettes.matching import difference
from mimo_core.testing.cassettes.meaning import meaning_of
from mimo_core.testing.cassettes.vcrpy import Request

CHAT = "https://api.xiaomimimo.com/v1/chat/completions"
MESSAGES = "https://api.xiaomimimo.com/anthropic/v1/messages"

# What llm.Tool.function and langchain_core's @tool give of the same source under Python 3.11 and
# 3.13, as printed on 28 November 2026 (llm 0.36, langchain-core 1.8.3).
DOCSTRINGS = {
    "llm, from the second line on": (
        "\n    Starts on the second line.\n\n    And goes on.\n    ",
        "\nStarts on the second line.\n\nAnd goes on.\n",
    ),
    "LangChain, with tabs": (
        "Tabs.\n\n\tSecond line.\n\t\tThird line.",
        "Tabs.\n\nSecond line.\n        Third line.",
    ),
    "a line of nothing but spaces": (
        "a\n      \n    b\n    ",
        "a\n  \nb\n",
    ),
    "LangChain, with a list": (
        "The weather.\n\n    Longer words:\n        - indented\n        - list",
        "The weather.\n\nLonger words:\n    - indented\n    - list",
    ),
}


def request(body: Any, uri: str = CHAT) -> Any:
    return clean_request(Request("POST", uri, json.dumps(body).encode(), {}))


def differ(sent: Any, recorded: Any, uri: str = CHAT) -> str | None:
    return difference(request(sent, uri), request(recorded, uri), "exact")


def function(description: str, **parameters: Any) -> dict[str, Any]:
    named = {"name": "f", "description": description, "parameters": parameters}
    return {"model": "m", "tools": [{"type": "function", "function": named}]}


def schema(held: dict[str, Any]) -> dict[str, Any]:
    return function("", type="object", properties={"a": held})


@pytest.mark.parametrize("name", DOCSTRINGS)
@pytest.mark.parametrize(
    ("uri", "place"),
    [
        (CHAT, lambda text: function(text)),
        (MESSAGES, lambda text: {"tools": [{"name": "f", "description": text}]}),
        (CHAT, lambda text: schema({"type": "object", "description": text})),
        (CHAT, lambda text: schema({"items": {"description": text}})),
        (CHAT, lambda text: schema({"anyOf": [{"type": "null"}, {"description": text}]})),
        (CHAT, lambda text: function("", **{"$defs": {"X": {"description": text}}})),
        (CHAT, lambda text: schema({"additionalProperties": {"description": text}})),
        (
            MESSAGES,
            lambda text: {
                "tools": [{"input_schema": {"properties": {"a": {"description": text}}}}]
            },
        ),
        (
            CHAT,
            lambda text: {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"description": text, "schema": {"description": text}},
                }
            },
        ),
    ],
)
def test_a_docstring_means_the_same_in_every_python(name: str, uri: str, place: Any) -> None:
    old, new = DOCSTRINGS[name]
    assert differ(place(old), place(new), uri) is None
    assert differ(place(new), place(old), uri) is None
    assert differ(place(old), place(new + " And more."), uri) is not None


def test_what_is_indented_deeper_stays_so() -> None:
    flat = "Steps:\n- one\n- two"
    assert "tools[0].function.description" in (
        differ(function("Steps:\n- one\n    - two"), function(flat)) or ""
    )


@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"messages": [{"role": "user", "content": text}]},
        lambda text: {"messages": [{"role": "user", "description": text}]},
        lambda text: {"system": text},
        lambda text: schema({"default": {"description": text}}),
        lambda text: schema({"const": {"description": text}}),
        lambda text: schema({"enum": [{"description": text}]}),
        lambda text: schema({"examples": [{"description": text}]}),
        lambda text: schema({"title": text}),
        lambda text: {"tools": [{"function": {"name": text}}]},
    ],
)
def test_the_indentation_of_anything_else_counts(place: Any) -> None:
    old, new = DOCSTRINGS["LangChain, with a list"]
    assert differ(place(old), place(new)) is not None


def test_a_property_may_be_called_description() -> None:
    held = {"description": {"type": "string", "description": "a\n    b"}}
    same = {"description": {"type": "string", "description": "a\nb"}}
    assert differ(function("", properties=held), function("", properties=same)) is None
    other = {"description": {"type": "integer", "description": "a\nb"}}
    assert differ(function("", properties=held), function("", properties=other)) is not None


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ({"type": "object", "additionalProperties": False}, {"type": "object"}),
        ({"type": "string", "title": "City"}, {"type": "string"}),
        ({"type": "string", "pattern": "^a$"}, {"type": "string"}),  # pydantic 2.12 and 2.14
        ({"type": "string", "default": None}, {"type": "string"}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
        ({"type": "string", "description": ""}, {"type": "string"}),
    ],
)
def test_what_the_model_reads_stays_a_difference(sent: Any, recorded: Any) -> None:
    assert differ(schema(sent), schema(recorded)) is not None
    assert differ(schema(recorded), schema(sent)) is not None


@pytest.mark.parametrize(
    "tools",
    [None, {}, "x", [None], ["f"], [{"function": None}], [{"description": 3}], [{"parameters": 1}]],
)
def test_tools_of_any_shape_are_compared(tools: Any) -> None:
    body = {"tools": tools, "response_format": tools}
    assert differ(body, body) is None
    assert (differ(body, {"tools": [1]})) is not None


def test_not_a_number_is_itself() -> None:
    """Python reads and writes NaN in JSON, and it is unlike itself."""
    assert first_difference({"a": float("nan")}, {"a": float("nan")}) is None
    assert first_difference({"a": float("nan")}, {"a": 1.0}) == "a: recorded 1.0, sent nan"


def test_another_services_nulls_are_compared() -> None:
    """Of a body that is not MiMo's nobody knows what changes the answer."""
    uri = "https://weather.example/ask"
    assert "stream: recorded False, not sent" in (differ({}, {"stream": False}, uri) or "")
    assert "[0]: recorded 1, sent True" in (differ([True], [1], uri) or "")
    assert differ([{"a": None}], [{"a": None}], uri) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["description", "default", "items", "tools", "id", "a"]), inside
        )
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(
    st.sampled_from(["tools", "messages", "response_format", "stream", "a"]), VALUES
)


@given(body=BODIES)
def test_a_request_is_itself(body: dict[str, Any]) -> None:
    assert differ(body, body) is None
    assert differ(dict(reversed(body.items())), body) is None
    once = meaning_of(body)
    assert first_difference(meaning_of(once), once) is None


@settings(max_examples=50)
@given(one=BODIES, two=BODIES)
def test_the_order_of_two_requests_does_not_matter(one: Any, two: Any) -> None:
    assert (differ(one, two) is None) == (differ(two, one) is None)


@given(text=st.text(alphabet="ab \n\t", max_size=30), margin=st.integers(0, 6))
def test_any_docstring_that_is_moved_is_the_same(text: str, margin: int) -> None:
    moved = inspect.cleandoc(text).replace("\n", "\n" + " " * margin)
    assert differ(function(moved), function(inspect.cleandoc(text))) is None


# Where two texts differ

LONG = "You are a careful assistant. Today is 2026-11-27. " + "Answer in one sentence. " * 40


@pytest.mark.parametrize("at", [0, 35, 500, len(LONG) - 1])
def test_a_long_text_is_shown_where_it_differs(at: int) -> None:
    changed = LONG[:at] + "#" + LONG[at + 1 :]
    told = differ(
        {"messages": [{"role": "system", "content": changed}]},
        {"messages": [{"role": "system", "content": LONG}]},
    )
    assert told is not None
    assert told.startswith("messages[0].content (system): ")
    assert f'⟨recorded: "{LONG[at]}", sent: "#"⟩' in told
    assert LONG[max(0, at - 30) : at] in told
    assert LONG[at + 1 : at + 31] in told
    assert len(told) <= 200


def test_a_text_that_goes_on() -> None:
    more = "More.\nStill more, far more than is shown."
    told = first_difference({"a": LONG + more}, {"a": LONG})
    shown = "More.\\nStill more, far more than is shown…"
    assert told == f'a: …{LONG[-30:]}⟨recorded: "", sent: "{shown}"⟩'


@given(
    before=st.text(max_size=80), after=st.text(max_size=80), one=st.text(), two=st.text(max_size=90)
)
def test_a_difference_is_one_short_line(before: str, after: str, one: str, two: str) -> None:
    sent, recorded = {"a": before + one + after}, {"a": before + two + after}
    told = first_difference(sent, recorded)
    assert (told is None) == (one == two)
    if told is not None:
        assert told.isprintable()


def test_two_texts_with_little_in_common_are_not_shown_to_their_end() -> None:
    one, two = "a" * 100 + "END", "b" * 100 + "END"
    told = first_difference({"a": one}, {"a": two})
    assert told == f'a: ⟨recorded: "{"b" * 40}…", sent: "{"a" * 40}…"⟩'


def test_a_missing_message_is_named() -> None:
    one, two = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    assert first_difference({"messages": [one, two]}, {"messages": [one]}) == (
        "messages: recorded 1 items, sent 2; not recorded: "
        "[1] (assistant) {'role': 'assistant', 'content': 'b'}"
    )
    assert first_difference({"messages": []}, {"messages": [one]}) == (
        "messages: recorded 1 items, sent 0; not sent: [0] (user) {'role': 'user', 'content': 'a'}"
    )


def test_a_body_too_deep_to_compare_says_so() -> None:
    deep = "[" * 900 + "]" * 900
    sent, recorded = (
        clean_request(Request("POST", "https://x.example/", text.encode(), {}))
        for text in (f'{{"a":{deep}}}', f'{{"a":[{deep}]}}')
    )
    assert difference(sent, sent, "exact") is None
    assert difference(sent, recorded, "exact") is not None
