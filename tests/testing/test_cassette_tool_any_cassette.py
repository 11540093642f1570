"""`mimo-cassette` on damaged cassettes: whatever stands where, it is shown or refused in a line."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mimo_core.testing.cassette_tool import diff, loading
from mimo_core.testing.cassette_tool.diff import compare
from mimo_core.testing.cassette_tool.findings import findings_in
from mimo_core.testing.cassette_tool.loading import load
from mimo_core.testing.cassette_tool.page import page_of
from mimo_core.testing.cassette_tool.show import show
from mimo_core.testing.errors import CassetteError

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"
NAMES = (
    "tools/agent_loop",
    "messages/tools",
    "messages/stream",
    "media/audio",
    "speech/wav",
    "web_search/plain",
    "errors/error_in_stream",
    "vendor/models",
)
WHOLE = {name: yaml.safe_load((CASSETTES / f"{name}.yaml").read_text()) for name in NAMES}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats()
    | st.sampled_from(["", "data:image/png;base64,AAAA", "https://[", "\x1b[31m", "\ud800"])
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [at]
    names = value if isinstance(value, dict) else range(len(value)) if type(value) is list else ()
    for name in names:
        found += places(value[name], (*at, name))
    return found


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    if not at:
        return value
    holder = document
    for name in at[:-1]:
        holder = holder[name]
    holder[at[-1]] = value
    return document


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """A cassette of this repository in which one value is another one: of the file, of a request's
    or an answer's JSON, or of an event's."""
    document = copy.deepcopy(WHOLE[draw(st.sampled_from(NAMES))])
    where = draw(st.sampled_from(["file", "request", "answer"]))
    interactions = document["interactions"]
    one = interactions[draw(st.integers(0, len(interactions) - 1))]
    if where == "file":
        at = draw(st.sampled_from(places(interactions)[1:]))
        put(interactions, at, draw(values))
    elif where == "request":
        one["request"]["body"] = _with_another(draw, one["request"]["body"] or "{}")
    else:
        body = one["response"]["body"]
        lines = body["string"].split("\n")
        events = [number for number, line in enumerate(lines) if line.startswith("data: {")]
        if events:
            number = draw(st.sampled_from(events))
            lines[number] = "data: " + _with_another(draw, lines[number][6:])
            body["string"] = "\n".join(lines)
        else:
            body["string"] = _with_another(draw, body["string"])
    return dict(document)


def _with_another(draw: st.DrawFn, text: str) -> str:
    payload = json.loads(text)
    return json.dumps(put(payload, draw(st.sampled_from(places(payload))), draw(values)))


@pytest.mark.slow  # sixty cassettes in every view
@given(damaged())
def test_any_damage_is_shown_or_refused_in_a_line(document: dict[str, Any]) -> None:
    for finding in findings_in(document, "a.yaml"):
        assert "\n" not in finding.text
    with (
        mock.patch.object(loading, "read", return_value=document),
        mock.patch.object(diff, "read", return_value=document),
    ):
        try:
            recording = load("a.yaml")
        except CassetteError:
            with pytest.raises(
                CassetteError, match=r"^a\.yaml: interaction \d+ is malformed: [^\n]+$"
            ):
                compare("a.yaml", "a.yaml")
            return
        show(recording, shown := io.StringIO())
        assert "\x1b" not in shown.getvalue()
        page_of(recording)
        found = compare("a.yaml", "a.yaml", events=True)
        assert {one.kind for one in found} <= {"same"}
