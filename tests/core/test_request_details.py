"""`prepare()`, check by check: the least and the largest of each value, and what is said beyond."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mimo_core._request.prepare import prepare
from mimo_core._request.thinking import switch_thinking
from mimo_core.dialects import OLLAMA, OPENROUTER, SELF_HOSTED, XIAOMI
from mimo_core.errors import InvalidRequestError

USER = {"role": "user", "content": "Hi"}


FUNCTION: Any = {"name": "f", "parameters": {"type": "object"}}


TOOL: Any = {"type": "function", "function": FUNCTION}


def prepared(dialect: Any = XIAOMI, protocol: Any = "chat_completions", **fields: Any) -> Any:
    return prepare({"model": "mimo-v2.6-pro", "messages": [USER], **fields}, protocol, dialect)


def refused(says: str, param: str | None, dialect: Any = XIAOMI, **fields: Any) -> None:
    with pytest.raises(InvalidRequestError, match=says) as raised:
        prepared(dialect, **fields)
    assert raised.value.param == param


# Values


@pytest.mark.parametrize(
    ("name", "low", "high", "step"),
    [
        ("temperature", 0, 1.5, 0.01),
        ("top_p", 0.01, 1.0, 0.001),
        ("frequency_penalty", -2, 2, 0.01),
        ("presence_penalty", -2, 2, 0.01),
        ("max_tokens", 1, 131_072, 1),
        ("max_completion_tokens", 1, 131_072, 1),
    ],
)
def test_the_range_of_a_value(name: str, low: float, high: float, step: float) -> None:
    for good in (low, high):
        assert prepared(**{name: good})[name] == good
    for bad in (low - step, high + step, "1", True, [1], math.nan):
        refused(f"^{name} is ", name, **{name: bad})
    assert name not in prepared(**{name: None})


def test_only_whole_numbers_of_tokens() -> None:
    refused(r"must be a whole number from 1 to 131072\.$", "max_tokens", max_tokens=1.0)


def test_elsewhere_the_server_judges_the_values() -> None:
    body = prepared(SELF_HOSTED, temperature=3, max_tokens=10**9, stop=["a"] * 9, new_field=1)
    assert (body["temperature"], body["max_tokens"], len(body["stop"])) == (3, 10**9, 9)
    assert body["new_field"] == 1


@pytest.mark.parametrize("effort", ["none", "low", "medium", "high"])
def test_the_efforts(effort: str) -> None:
    assert prepared(reasoning_effort=effort)


@pytest.mark.parametrize("effort", ["maximal", "", 5, True])
def test_an_effort_that_there_is_not(effort: Any) -> None:
    refused("^reasoning_effort is ", "reasoning_effort", reasoning_effort=effort)


@pytest.mark.parametrize("effort", [5, {}, False])
def test_an_effort_is_a_text_everywhere(effort: Any) -> None:
    refused("^reasoning_effort is ", "reasoning_effort", SELF_HOSTED, reasoning_effort=effort)
    assert prepared(SELF_HOSTED, reasoning_effort="maximal")["reasoning_effort"] == "maximal"


@pytest.mark.parametrize(
    ("stop", "sent"),
    [("a", "a"), (["a"], ["a"]), (("a", "b"), ("a", "b")), ([], None), (["a"] * 4, ["a"] * 4)],
)
def test_sequences_that_end_an_answer(stop: Any, sent: Any) -> None:
    assert prepared(stop=stop).get("stop") == sent


@pytest.mark.parametrize("stop", ["", [""], ["a", ""], [5], 5, {"a": 1}, True])
def test_what_ends_an_answer_is_a_text(stop: Any) -> None:
    refused(r"^stop must be a text or a list of texts\.$", "stop", stop=stop)


def test_no_more_than_four_sequences() -> None:
    refused(r"^stop has 5 sequences; MiMo takes at most 4\.$", "stop", stop=["a"] * 5)
    refused(r"^stop has 5 sequences", "stop", stop=("a",) * 5)


@pytest.mark.parametrize("name", ["stream", "parallel_tool_calls"])
def test_a_switch_is_true_or_false(name: str) -> None:
    wrong: Any = (0, 1, "true", [])
    for bad in wrong:
        refused(f"^{name} is .*; it must be true or false", name, **{name: bad})
    assert prepared(stream=False)["stream"] is False


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("response_format", "json"),
        ("response_format", {}),
        ("response_format", {"type": 5}),
        ("tools", {}),
        ("tools", "f"),
        ("tool_choice", 5),
        ("tool_choice", ["auto"]),
        ("stream_options", []),
        ("stream_options", True),
    ],
)
def test_a_field_has_its_shape(name: str, bad: Any) -> None:
    refused(f"^{name} ", name, SELF_HOSTED, **{"tools": [TOOL], name: bad})


def test_a_choice_has_its_shape_without_tools_too() -> None:
    refused("^tool_choice is 5; it can be", "tool_choice", tool_choice=5)


def test_fields_of_the_right_shape() -> None:
    body = prepared(response_format={"type": "json_object"}, stream_options={}, tools=(TOOL,))
    assert body["response_format"] == {"type": "json_object"}
    assert body["stream_options"] == {}
    assert body["tools"] == [TOOL]


def test_one_answer_a_request() -> None:
    assert prepared(n=1)["n"] == 1
    for bad in (0, 2):
        refused(r"'n' must be 1\.$", "n", n=bad)


# Names


def test_a_name_that_is_nearly_one() -> None:
    says = r"^'max_token' is not a parameter; did you mean 'max_tokens'\? .*extra_body"
    refused(says, "max_token", max_token=1)
    assert prepared(SELF_HOSTED, max_token=1)["max_token"] == 1
    assert prepared(extra_body={"max_token": 1})["max_token"] == 1
    assert prepared(something_else=1)["something_else"] == 1


def test_the_messages_protocol_takes_no_name_that_it_has_not() -> None:
    body = prepared(protocol="messages", top_k=1, metadata={}, n=1)
    assert (body["top_k"], body["metadata"]) == (1, {})
    with pytest.raises(InvalidRequestError, match="'logit_bias' is not supported") as raised:
        prepared(protocol="messages", logit_bias={})
    assert raised.value.param == "logit_bias"
    assert prepared(SELF_HOSTED, "messages", logit_bias={})["logit_bias"] == {}


@pytest.mark.parametrize("extra", [5, "x", [1], {5: 1}])
def test_extra_body_is_a_dict_of_fields(extra: Any) -> None:
    refused(r"^extra_body must be a dict of fields\.$", "extra_body", extra_body=extra)


def test_what_extra_body_says_wins() -> None:
    extra = {"temperature": 0.5, "top_p": None, "own": 1}
    body = prepared(temperature=1.0, top_p=0.9, extra_body=extra)
    assert (body["temperature"], body["top_p"], body["own"]) == (0.5, 0.9, 1)
    assert extra == {"temperature": 0.5, "top_p": None, "own": 1}
    assert "extra_body" not in body
    assert prepared(extra_body=None)["model"]
    refused("^temperature is ", "temperature", extra_body={"temperature": 9})


# Models


@pytest.mark.parametrize("model", [None, "", 5])
def test_a_model_is_named(model: Any) -> None:
    refused(r"^model is missing, e\.g\. 'mimo-v2.6-pro'\.$", "model", model=model)


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("MiMo-V2.6-Pro", "mimo-v2.6-pro"),
        ("mimo-v2.6-pro[1m]", "mimo-v2.6-pro"),
        ("MaaS_MiMo_v2.5_20260423", "MaaS_MiMo_v2.5_20260423"),
    ],
)
def test_how_a_model_is_called_on_the_wire(model: str, sent: str) -> None:
    assert prepared(model=model)["model"] == sent
    assert prepared(SELF_HOSTED, model=model)["model"] == model


def test_what_only_chat_models_take() -> None:
    speech = {"model": "mimo-v2.5-tts", "messages": [{"role": "assistant", "content": "Hi"}]}
    for name, value in (("stop", ["a"]), ("tools", [TOOL]), ("thinking", True)):
        refused(f"^mimo-v2.5-tts does not take '{name}'", name, **{**speech, name: value})
    assert "thinking" not in prepared(**{**speech, "thinking": False})
    refused("does not speak; 'audio' is for", "audio", audio={})
    refused("cannot transcribe; 'asr_options' is for", "asr_options", asr_options={})
    assert prepared(model="new", audio={}, asr_options={})["audio"] == {}


# Thinking


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (True, {"type": "enabled"}),
        (False, {"type": "disabled"}),
        ({"type": "enabled", "budget_tokens": 5}, {"type": "enabled", "budget_tokens": 5}),
    ],
)
def test_thinking_is_turned_on_and_off(given: Any, sent: Any) -> None:
    assert prepared(thinking=given)["thinking"] == sent


@pytest.mark.parametrize("given", ["enabled", 5, {}, {"type": "auto"}, {"type": ["enabled"]}, []])
def test_thinking_is_nothing_else(given: Any) -> None:
    refused("^thinking is .*; it can be true, false or", "thinking", thinking=given)


def switched(dialect: Any, extra: Any = None, **body: Any) -> dict[str, Any]:
    if isinstance(body.get("thinking"), bool):
        body["thinking"] = {"type": "enabled" if body["thinking"] else "disabled"}
    switch_thinking(body, extra if extra is not None else {}, dialect)
    return body


ON, OFF = {"enable_thinking": True}, {"enable_thinking": False}


@pytest.mark.parametrize(
    ("dialect", "given", "sent"),
    [
        (XIAOMI, {}, {}),
        (
            XIAOMI,
            {"thinking": True, "reasoning_effort": "low"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
        ),
        (
            XIAOMI,
            {"thinking": False, "reasoning_effort": "low"},
            {"thinking": {"type": "disabled"}},
        ),
        (XIAOMI, {"thinking": True, "reasoning_effort": "none"}, {"thinking": {"type": "enabled"}}),
        (XIAOMI, {"reasoning_effort": "none"}, {"reasoning_effort": "none"}),
        (SELF_HOSTED, {"thinking": True}, {"chat_template_kwargs": ON}),
        (SELF_HOSTED, {"thinking": False}, {"chat_template_kwargs": OFF}),
        (SELF_HOSTED, {"reasoning_effort": "none"}, {"chat_template_kwargs": OFF}),
        (SELF_HOSTED, {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        (
            SELF_HOSTED,
            {"thinking": True, "reasoning_effort": "low"},
            {"reasoning_effort": "low", "chat_template_kwargs": ON},
        ),
        (OPENROUTER, {"thinking": True}, {"reasoning": {"enabled": True}}),
        (OPENROUTER, {"thinking": False}, {"reasoning": {"enabled": False}}),
        (OPENROUTER, {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        (OPENROUTER, {"reasoning_effort": "none"}, {"reasoning": {"enabled": False}}),
        (
            OPENROUTER,
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            {"reasoning": {"enabled": True, "max_tokens": 5}},
        ),
        (OLLAMA, {"thinking": True}, {"reasoning_effort": "medium"}),
        (OLLAMA, {"thinking": False, "reasoning_effort": "low"}, {"reasoning_effort": "none"}),
        (OLLAMA, {"thinking": True, "reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        (OLLAMA, {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        (OLLAMA, {"reasoning_effort": "none"}, {"reasoning_effort": "none"}),
    ],
)
def test_the_switch_stands_where_the_server_reads_it(dialect: Any, given: Any, sent: Any) -> None:
    body = switched(dialect, **given)
    held = body.pop("chat_template_kwargs", None)
    expected = dict(sent)
    wanted = expected.pop("chat_template_kwargs", None)
    assert body == expected
    assert (held is None) is (wanted is None)
    if wanted is not None:
        assert held.items() >= wanted.items()


@pytest.mark.parametrize("dialect", [SELF_HOSTED, OLLAMA])
def test_a_budget_has_no_place_everywhere(dialect: Any) -> None:
    with pytest.raises(InvalidRequestError, match="no place for 'budget_tokens'") as raised:
        switched(dialect, thinking={"type": "enabled", "budget_tokens": 5})
    assert raised.value.param == "thinking"


def test_the_server_s_own_words_win() -> None:
    extra: Any = {"reasoning": {"effort": "high", "x": 1}}
    body = switched(OPENROUTER, extra, reasoning={"y": 2}, reasoning_effort="low")
    assert body["reasoning"] == {"effort": "high", "y": 2, "x": 1}
    assert extra == {}
    body = switched(OPENROUTER, {"reasoning": None}, reasoning_effort="low")
    assert body["reasoning"] == {"effort": "low"}
    assert switched(OPENROUTER, {"reasoning": "x"}, reasoning_effort="low")["reasoning"] == "x"


def test_the_limit_of_tokens_has_the_server_s_name() -> None:
    assert prepared(SELF_HOSTED, max_completion_tokens=5)["max_tokens"] == 5
    assert "max_completion_tokens" not in prepared(SELF_HOSTED, max_completion_tokens=5)
    assert prepared(max_completion_tokens=5)["max_completion_tokens"] == 5
    assert prepared(SELF_HOSTED, "messages", max_completion_tokens=5)["max_completion_tokens"] == 5


# Tools


def test_tools_are_left_out_where_they_mean_nothing() -> None:
    nothing: Any = ({"tools": [TOOL], "tool_choice": "none"}, {"tools": []}, {})
    for fields in nothing:
        body = prepared(**{"tool_choice": "auto", "parallel_tool_calls": True, **fields})
        assert not body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


@pytest.mark.parametrize(
    "choice", ["auto", "required", {"type": "function", "function": {"name": "f"}}, None]
)
def test_choices(choice: Any) -> None:
    assert prepared(tools=[TOOL], tool_choice=choice).get("tool_choice") == choice


@pytest.mark.parametrize(
    "choice",
    [
        "any",
        {},
        {"type": "function"},
        {"type": "function", "function": "f"},
        {"type": "function", "function": {}},
        {"type": "function", "function": {"name": 5}},
        {"type": "tool", "function": {"name": "f"}},
    ],
)
def test_a_choice_that_is_none(choice: Any) -> None:
    refused("^tool_choice is ", "tool_choice", tools=[TOOL], tool_choice=choice)


@pytest.mark.parametrize("name", ["f", "a-B_9", "x" * 64])
def test_names_of_tools(name: str) -> None:
    (tool,) = prepared(tools=[{"function": {"name": name}}])["tools"]
    assert tool == {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {}}},
    }


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "é", "f\n", None, 5])
def test_a_name_that_no_tool_has(name: Any) -> None:
    refused("is not a tool name MiMo takes", "tools", tools=[{**TOOL, "function": {"name": name}}])


@pytest.mark.parametrize(
    "tool",
    [
        5,
        None,
        "f",
        {},
        {"type": "function"},
        {"type": "function", "function": "f"},
        {"type": 5},
        {"type": "code"},
    ],
)
def test_what_is_no_tool(tool: Any) -> None:
    refused("^MiMo's tools are of type 'function' or 'web_search', not ", "tools", tools=[tool])


@pytest.mark.parametrize(
    ("field", "bad"), [("parameters", []), ("parameters", "x"), ("description", 5)]
)
def test_what_a_tool_says_of_itself(field: str, bad: Any) -> None:
    tool = {"type": "function", "function": {**FUNCTION, field: bad}}
    refused(r"^tool f: parameters must be a JSON Schema object, and desc", "tools", tools=[tool])


def test_tools_of_other_kinds_elsewhere() -> None:
    (tool,) = prepared(SELF_HOSTED, tools=[{"type": "code", "x": 1}])["tools"]
    assert tool == {"type": "code", "x": 1}
    refused("tools are of type", "tools", SELF_HOSTED, tools=[{"type": 5}])
    given = {"type": "function", "function": FUNCTION, "cache_control": {}}
    assert prepared(tools=[given])["tools"] == [given]


@pytest.mark.parametrize("name", ["max_keyword", "limit"])
def test_the_numbers_of_a_search(name: str) -> None:
    for good in (1, 50, None):
        tool = {"type": "web_search", name: good}
        (sent,) = prepared(tools=[tool])["tools"]
        assert sent == tool
        assert sent is not tool
    for bad in (0, 51, 1.0, True, "1"):
        refused(f"^web_search: {name} is ", "tools", tools=[{"type": "web_search", name: bad}])


def test_the_place_of_a_search() -> None:
    tool = {"type": "web_search", "user_location": {"type": "approximate", "country": "CN"}}
    assert prepared(tools=[tool])["tools"] == [tool]
    for bad in ({}, {"type": "exact"}, "CN", 5):
        refused("user_location must be", "tools", tools=[{**tool, "user_location": bad}])
