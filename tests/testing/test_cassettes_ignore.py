"""`ignore(…)`: what may differ between a request and the recorded one, and what still may not."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core.testing import CassetteError, MatchRule, ignore
from mimo_core.testing.cassettes.cleaning import clean_request
from mimo_core.testing.cassettes.differences import first_difference
from mimo_core.testing.cassettes.ignoring import Place, places_of, texts_in
from mimo_core.testing.cassettes.matching import check_found, difference
from mimo_core.testing.cassettes.vcrpy import Request

CHAT = "https://api.xiaomimimo.com/v1/chat/completions"
IDS = ignore("messages[*].tool_calls[*].id", "messages[*].tool_call_id")


def calls(*ids: str, answers: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A history in which these calls are made, and are answered in this order."""
    return {
        "messages": [
            {"role": "user", "content": "Add."},
            {
                "role": "assistant",
                "tool_calls": [{"id": one, "type": "function"} for one in ids],
            },
            *(
                {"role": "tool", "tool_call_id": one, "content": f"result {number}"}
                for number, one in enumerate(answers or ids)
            ),
        ]
    }


def test_new_call_ids_are_the_same_request() -> None:
    assert first_difference(calls("new", "other"), calls("a", "b")) is not None
    assert first_difference(calls("new", "other"), calls("a", "b"), IDS) is None


def test_a_result_of_another_call_is_seen() -> None:
    swapped = calls("new", "other", answers=("other", "new"))
    assert first_difference(swapped, calls("a", "b"), IDS) == (
        "messages[1].tool_calls[0].id (assistant): the recorded id stands also at "
        "messages[2].tool_call_id, the sent one at messages[3].tool_call_id"
    )
    assert first_difference(swapped, swapped, IDS) is None


def test_of_an_ids_places_one_is_told_that_differs() -> None:
    def history(second: str) -> dict[str, Any]:
        return {"a": {"id": "x"}, "b": {"id": "x"}, "c": {"id": second}, "d": {"id": "y"}}

    told = first_difference(history("y"), history("x"), ignore("*.id"))
    assert told == "a.id: the recorded id stands also at c.id, the sent one at b.id"


def test_a_result_of_no_call_is_seen() -> None:
    lost = calls("new", "other", answers=("new", "third"))
    told = first_difference(lost, calls("a", "b"), IDS)
    assert told is not None
    assert told.endswith("at messages[3].tool_call_id, the sent one nowhere else")


def test_a_result_without_its_id_is_seen() -> None:
    body = calls("new")
    del body["messages"][2]["tool_call_id"]
    assert "nowhere else" in (first_difference(body, calls("a"), IDS) or "")


def test_an_id_that_is_not_ignored_holds_the_ignored_ones_to_their_call() -> None:
    rule = ignore("messages[*].tool_calls[*].id")
    told = first_difference(calls("new", answers=("a",)), calls("a"), rule)
    assert "stands also at messages[2].tool_call_id, the sent one nowhere else" in (told or "")


def test_ids_of_the_messages_protocol() -> None:
    def history(made: str, answered: str) -> dict[str, Any]:
        return {
            "messages": [
                {"role": "assistant", "content": [{"type": "tool_use", "id": made}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": answered}]},
            ]
        }

    rule = ignore("messages[*].content[*].id", "messages[*].content[*].tool_use_id")
    assert first_difference(history("n", "n"), history("a", "a"), rule) is None
    assert first_difference(history("n", "m"), history("a", "a"), rule) is not None


def test_other_values_may_be_anything_or_missing() -> None:
    rule = ignore("temperature", "top_p")
    recorded = {"model": "m", "temperature": 1, "top_p": 1}
    for sent in ({"model": "m", "temperature": 0.5, "top_p": 0.7}, {"model": "m"}):
        assert first_difference(sent, recorded, rule) is None
        assert first_difference(recorded, sent, rule) is None
    assert first_difference({"model": "n"}, recorded, rule) is not None


@pytest.mark.parametrize(
    ("path", "hits"),
    [
        ("a", {("a",)}),
        ("a.b", {("a", "b")}),
        ("l[0]", {("l", 0)}),
        ("l[-1].id", {("l", 1, "id")}),
        ("l[-3]", set()),
        ("l[*].id", {("l", 0, "id"), ("l", 1, "id")}),
        ("l.*.id", {("l", 0, "id"), ("l", 1, "id")}),
        ("a[*]", set()),
        ("a.*", {("a", "b"), ("a", "x.y")}),
        ("a['x.y']", {("a", "x.y")}),
        ('["a"]["x.y"]', {("a", "x.y")}),
        ("**.id", {("l", 0, "id"), ("l", 1, "id")}),
        ("**.**.b", {("a", "b")}),
        ("a.**", {("a",), ("a", "b"), ("a", "x.y")}),
        ("l.0", set()),
    ],
)
def test_paths(path: str, hits: set[Place]) -> None:
    body = {"a": {"b": 1, "x.y": 2}, "l": [{"id": "1"}, {"id": "2"}]}
    assert places_of(ignore(path), body) == hits


@pytest.mark.parametrize(
    "path",
    [
        "",
        ". ",
        "a.",
        ".a",
        "a..b",
        "a b",
        "[",
        "a[",
        "a[]",
        "a[x]",
        "a.[0]",
        "$.a",
        "a*",
        "**a",
        "*",
        "**",
        "**.*",
        "a[1:2]",
    ],
)
def test_paths_that_cannot_be_read(path: str) -> None:
    with pytest.raises(CassetteError) as caught:
        ignore(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"ignore({path!r}) ")


@pytest.mark.parametrize(
    ("arguments", "text", "told"),
    [
        ((), (), "ignore() ignores nothing"),
        ((1,), (), "takes paths as texts, not 1"),
        ((["a", "b"],), (), "takes paths as texts, not ['a', 'b']"),
        ((), 5, "takes a regular expression, not 5"),
        ((), [b"a"], "takes a regular expression, not b'a'"),
        ((), re.compile(b"a"), "takes a regular expression, not re.compile(b'a')"),
        ((), "(", "missing ), unterminated subpattern"),
        ((), r"\d*", "matches the empty text; require a character"),
        ((), "", "matches the empty text; require a character"),
    ],
)
def test_wrong_arguments(arguments: Any, text: Any, told: str) -> None:
    with pytest.raises(CassetteError) as caught:
        ignore(*arguments, text=text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_rule_is_a_value() -> None:
    rule = ignore("a", "a", text=["x", re.compile("y")])
    assert rule == MatchRule(("a",), (re.compile("x"), re.compile("y")))
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert str(rule) == "ignore('a', text='x', text='y')"


# Within texts

DATE = r"\d{4}-\d\d-\d\d"


def test_a_date_in_a_prompt() -> None:
    def prompt(text: str) -> dict[str, Any]:
        return {"messages": [{"role": "system", "content": text}]}

    recorded = prompt("Today is 2026-11-27, due 2026-11-27.")
    rule = ignore(text=DATE)
    assert first_difference(prompt("Today is 2027-01-02, due 2027-01-09."), recorded, rule) is None
    for other in ("Today is yesterday, due 2027-01-09.", "Today is 2027-01-02, by 2027-01-09."):
        assert first_difference(prompt(other), recorded, rule) is not None
    told = first_difference(prompt("Now is 2027-01-02, due 2027-01-09."), recorded, rule)
    assert told is not None
    assert "'Today is …, due ….', sent 'Now is …" in told


def test_an_id_in_a_text_is_followed() -> None:
    rule = ignore(text=r"call_(?P<id>\w+)")
    recorded = {"a": "call_1 was answered", "b": "repeat call_1, not call_2"}
    same = {"a": "call_x was answered", "b": "repeat call_x, not call_y"}
    other = {"a": "call_x was answered", "b": "repeat call_y, not call_x"}
    assert first_difference(same, recorded, rule) is None
    assert first_difference(other, recorded, rule) == (
        "a, id 1 in it: the recorded id stands also at b, id 1 in it, the sent one at b, id 2 in it"
    )
    assert first_difference(other, recorded, ignore(text=r"call_\w+")) is None


def test_ids_that_an_expression_matches_are_followed() -> None:
    rule = ignore(text=r"call_\w+")
    assert first_difference(calls("call_x", "call_y"), calls("call_1", "call_2"), rule) is None
    swapped = calls("call_x", "call_y", answers=("call_y", "call_x"))
    assert first_difference(swapped, calls("call_1", "call_2"), rule) is not None


def test_a_lookahead_matches_nothing_that_could_be_ignored() -> None:
    assert first_difference({"a": "xb"}, {"a": "yb"}, ignore(text="(?=b)")) is not None


def test_where_two_expressions_overlap_the_longer_counts() -> None:
    rule = ignore(text=[r"\d+", r"\d+ (km|mi)"])
    assert first_difference({"a": "12 km"}, {"a": "7 mi"}, rule) is None
    assert first_difference({"a": "12 km"}, {"a": "7 ft"}, rule) is not None


def test_ids_within_what_is_ignored_whole_do_not_count() -> None:
    rule = ignore("messages[*].tool_calls", "messages[*].tool_call_id")
    without = calls("new")
    del without["messages"][1]["tool_calls"]
    assert first_difference(without, calls("a"), rule) is None
    rule = ignore("a", text=r"call_(?P<id>\d)")
    assert first_difference({"a": "call_1, call_2", "b": "call_1"}, {"b": "call_3"}, rule) is None


# Errors of what is never found


def request(body: Any) -> Any:
    return clean_request(Request("POST", CHAT, json.dumps(body).encode(), {}))


def test_a_rule_that_is_found_nowhere_is_an_error() -> None:
    rule = ignore("messages[*].tol_call_id", "messages[*].tool_call_id", text=["Add", "never"])
    with pytest.raises(CassetteError) as caught:
        check_found(rule, [request({}), request(calls("a"))])
    assert str(caught.value) == (
        "match=ignore('messages[*].tol_call_id', text='never') is found in no request, recorded "
        "or sent. Correct it, or leave it out."
    )
    check_found(IDS, [request({}), request(calls("a"))])
    check_found(
        ignore("stream_options.include_usage"), [request({"stream_options": {"include_usage": 1}})]
    )
    check_found(rule, [])
    check_found(rule, [Request("GET", CHAT, None, {})])


@pytest.mark.parametrize("mode", ["exact", "question", "model"])
def test_a_rule_in_every_way_of_matching(mode: str) -> None:
    sent, recorded = (
        request({"model": model, "messages": [{"role": "user", "content": f"on {day}"}]})
        for model, day in (("m", "2026-01-01"), ("n", "2026-02-02"))
    )
    assert difference(sent, recorded, mode, ignore("model", text=DATE)) is None
    assert difference(sent, recorded, mode, ignore(text=DATE)) == "model: recorded 'n', sent 'm'"


# Properties

NAMES = st.sampled_from(["a", "b", "id", "x_id", "messages"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["p", "q", "p1", "q2", "p1q2"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=10,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=4)
RULES = st.builds(
    lambda paths, texts: ignore(*paths, text=texts),
    st.lists(
        st.sampled_from(["a", "**.id", "**.x_id", "a[*].b", "b[0]", "*.id", "a.**.b", "a[-1]"]),
        min_size=1,
        max_size=3,
    ),
    st.lists(st.sampled_from([r"\d", r"p(?P<id>\d)"]), max_size=2),
)


@given(body=BODIES, rule=RULES)
def test_a_request_is_itself(body: Any, rule: MatchRule) -> None:
    assert first_difference(copy.deepcopy(body), body, rule) is None


@given(one=BODIES, two=BODIES, rule=RULES)
def test_the_order_of_two_requests_does_not_matter(one: Any, two: Any, rule: MatchRule) -> None:
    there, back = first_difference(one, two, rule), first_difference(two, one, rule)
    assert (there is None) == (back is None)


def strip(value: Any, rule: MatchRule, ignored: frozenset[Place], at: Place = ()) -> Any:
    """The plain meaning of a rule, without ids: what is ignored is taken out."""
    if isinstance(value, dict):
        return {
            name: strip(inner, rule, ignored, (*at, name))
            for name, inner in value.items()
            if (*at, name) not in ignored
        }
    if isinstance(value, list):
        return [
            None if (*at, number) in ignored else strip(inner, rule, ignored, (*at, number))
            for number, inner in enumerate(value)
        ]
    if isinstance(value, str):
        for pattern in rule.texts:
            value = pattern.sub("\0", value)
        return value
    return (type(value).__name__, value)


@given(one=BODIES, two=BODIES, rule=RULES)
def test_nothing_outside_its_paths_is_hidden(one: Any, two: Any, rule: MatchRule) -> None:
    ignored = places_of(rule, one) | places_of(rule, two)
    plain = strip(one, rule, ignored) == strip(two, rule, ignored)
    if first_difference(one, two, rule) is None:
        assert plain
    elif not any(place[-1] in ("id", "x_id") for place, _ in texts_in([one, two])):
        followed = any("(?P<id>" in text.pattern for text in rule.texts)
        assert followed or not plain  # only ids can differ where nothing else does


@given(body=BODIES, rule=RULES, data=st.data())
def test_a_change_outside_its_paths_is_seen(body: Any, rule: MatchRule, data: Any) -> None:
    changed = copy.deepcopy(body)
    spots = [
        place
        for place, _ in texts_in(body)
        if not any(place[: len(path)] == path for path in places_of(rule, body))
    ]
    if not spots:
        return
    place = data.draw(st.sampled_from(spots))
    held = changed
    for name in place[:-1]:
        held = held[name]
    held[place[-1]] = "something else"
    assert first_difference(changed, body, rule) is not None


@given(ids=st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), data=st.data())
def test_ids_may_be_renamed_and_nothing_else(ids: list[str], data: Any) -> None:
    answers = data.draw(st.permutations(ids))
    names = dict(zip("abcd", data.draw(st.permutations("wxyz")), strict=True))
    recorded = calls(*ids, answers=tuple(answers))
    renamed = calls(*(names[i] for i in ids), answers=tuple(names[i] for i in answers))
    assert first_difference(renamed, recorded, IDS) is None
    others = data.draw(st.permutations(ids))
    moved = calls(*(names[i] for i in ids), answers=tuple(names[i] for i in others))
    assert (first_difference(moved, recorded, IDS) is None) == (others == answers)
