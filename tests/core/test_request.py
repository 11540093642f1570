"""`prepare`: checks and adaptations of a request, before anything is sent."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mimo_core import InvalidRequestError, prepare

USER = {"role": "user", "content": "Hi"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def ask(model: str = "mimo-v2.5-pro", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [USER], **fields}


def prepared(*args: Any, **fields: Any) -> dict[str, Any]:
    """The prepared request; checks on the way that the given one stays as it is."""
    request = ask(*args, **fields)
    before = copy.deepcopy(request)
    try:
        return prepare(request)
    finally:
        assert request == before


def refused(*args: Any, **fields: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as e:
        prepared(*args, **fields)
    assert "\n" not in str(e.value)
    assert e.value.status is None  # found here, not by the service
    return e.value


def test_what_is_fine_goes_through_as_it_is() -> None:
    request = ask(
        temperature=0.7,
        top_p=0.9,
        max_completion_tokens=100,
        stop=["a", "b"],
        frequency_penalty=-2,
        presence_penalty=2.0,
        thinking={"type": "enabled"},
        response_format={"type": "json_object"},
        tools=[TOOL],
        tool_choice="auto",
        parallel_tool_calls=True,
        user="u-1",
    )
    assert prepare(request) == request


def test_none_means_not_sent() -> None:
    assert prepared(temperature=None, tools=None, extra_body=None) == ask()


def test_the_model_must_be_named_and_may_be_unknown() -> None:
    not_a_name: Any = 7
    for request in ({"messages": [USER]}, ask(model=""), ask(model=not_a_name)):
        with pytest.raises(InvalidRequestError, match=r"model is missing, e\.g\. 'mimo"):
            prepare(request)
    assert prepared("mimo-v9-nova")["model"] == "mimo-v9-nova"
    assert prepared("mimo-v2.5-pro[1m]")["model"] == "mimo-v2.5-pro"  # a client's habit
    assert prepared("MaaS_Mimo_V2.5_20260423")["model"] == "MaaS_Mimo_V2.5_20260423"


# Names


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("temprature", "temperature"),
        ("max_token", "max_tokens"),
        ("max_completion_token", "max_completion_tokens"),
        ("reasoning_efforts", "reasoning_effort"),
        ("tool", "tools"),
    ],
)
def test_a_typo_is_found_here_because_the_service_would_ignore_it(typo: str, meant: str) -> None:
    error = refused(**{typo: 1})
    assert f"{typo!r} is not a parameter; did you mean {meant!r}?" in str(error)
    assert error.param == typo


@pytest.mark.parametrize("name", ["top_k", "seed", "min_p", "repetition_penalty", "x_gateway"])
def test_parameters_of_other_backends_pass(name: str) -> None:
    assert prepared(**{name: 1})[name] == 1


def test_extra_body_is_merged_in_unchecked() -> None:
    body = prepared(extra_body={"temprature": 9, "provider": {"only": ["xiaomi"]}})
    assert body["temprature"] == 9
    assert body["provider"] == {"only": ["xiaomi"]}
    assert "extra_body" not in body


def test_a_known_field_in_extra_body_counts_as_if_it_stood_outside() -> None:
    """Where clients made for OpenAI have to put `thinking`."""
    assert prepared(extra_body={"thinking": {"type": "disabled"}})["thinking"] == {
        "type": "disabled"
    }
    assert "temperature is 9" in str(refused(extra_body={"temperature": 9}))
    assert "temperature" not in prepared(extra_body={"temperature": None})


# Sampling


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("temperature", [0, 0.0, 1.5], [-0.1, 1.51, float("nan"), float("inf"), "1", True]),
        ("top_p", [0.01, 1], [0, 0.009, 1.01, "x", False]),
        ("frequency_penalty", [-2, 0, 2], [-2.1, 2.1]),
        ("presence_penalty", [-2, 0, 2], [-2.1, 2.1]),
        ("max_completion_tokens", [1, 131_072], [0, -1, 131_073, 1.5, "10", True]),
        ("max_tokens", [1, 131_072], [0, 131_073]),
    ],
)
def test_ranges(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert prepared(**{name: value})[name] == value
    for value in bad:
        error = refused(**{name: value})
        assert str(error).startswith(f"{name} is {value!r}; ")
        assert error.param == name


def test_speech_models_have_a_smaller_budget() -> None:
    assert "from 1 to 8192" in str(refused("mimo-v2.5-tts", max_tokens=8193))
    assert prepared("mimo-v2.5-tts", max_tokens=8192)["max_tokens"] == 8192


@pytest.mark.parametrize("stop", ["x", ["x"], ("a", "b", "c", "d")])
def test_stop_sequences(stop: Any) -> None:
    assert prepared(stop=stop)["stop"] == stop


def test_no_stop_sequence_is_not_sent() -> None:
    assert "stop" not in prepared(stop=[])


def test_at_most_four_stop_sequences() -> None:
    assert "stop has 5 sequences; MiMo takes at most 4" in str(refused(stop=list("abcde")))


@pytest.mark.parametrize("stop", ["", 7, [7], ["a", ""], {"a": 1}])
def test_what_is_no_stop_sequence(stop: Any) -> None:
    assert refused(stop=stop).param == "stop"


def test_one_answer_a_request() -> None:
    assert prepared(n=1)["n"] == 1
    assert "one answer a request" in str(refused(n=2))


# Thinking


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (True, {"type": "enabled"}),
        (False, {"type": "disabled"}),
        ({"type": "enabled"}, {"type": "enabled"}),
        ({"type": "disabled"}, {"type": "disabled"}),
    ],
)
def test_thinking_is_sent_as_the_service_takes_it(given: Any, sent: Any) -> None:
    assert prepared(thinking=given)["thinking"] == sent


@pytest.mark.parametrize("thinking", ["enabled", {}, {"type": "auto"}, 1])
def test_what_is_no_thinking(thinking: Any) -> None:
    assert "can be true, false or" in str(refused(thinking=thinking))


# Tools


def test_every_tool_has_a_parameters_schema() -> None:
    """Without one, the model was seen to write its call as text."""
    empty = {"type": "object", "properties": {}}
    for function in ({"name": "now"}, {"name": "now", "parameters": None}):
        body = prepared(tools=[{"type": "function", "function": function}])
        assert body["tools"][0]["function"] == {"name": "now", "parameters": empty}
    assert prepared(tools=[TOOL])["tools"] == [TOOL]


def test_a_tool_without_a_type_is_a_function() -> None:
    assert prepared(tools=[{"function": TOOL["function"]}])["tools"] == [TOOL]


@pytest.mark.parametrize("name", ["", "get weather", "wetter_für", "a" * 65, "x\n", "a.b", None, 7])
def test_tool_names(name: Any) -> None:
    assert "is not a tool name MiMo takes" in str(
        refused(tools=[{"type": "function", "function": {"name": name}}])
    )


@pytest.mark.parametrize("name", ["a", "a" * 64, "Get_Weather-2"])
def test_good_tool_names(name: str) -> None:
    body = prepared(tools=[{"type": "function", "function": {"name": name}}])
    assert body["tools"][0]["function"]["name"] == name


@pytest.mark.parametrize("tool", ["x", None, {}, {"type": "code"}, {"type": "function"}])
def test_what_is_no_tool(tool: Any) -> None:
    assert "of type 'function' or 'web_search'" in str(refused(tools=[tool]))


def test_web_search_is_a_tool_without_a_function() -> None:
    search = {"type": "web_search", "force_search": True, "max_keyword": 3, "limit": 1}
    assert prepared(tools=[search])["tools"] == [search]
    error = refused(tools=[{**search, "limit": 0}])
    assert "limit is 0; it must be a whole number from 1 to 50" in str(error)
    assert "max_keyword is 51" in str(refused(tools=[{**search, "max_keyword": 51}]))


def test_tool_choice_none_leaves_the_tools_out_because_the_service_ignores_it() -> None:
    assert prepared(tools=[TOOL], tool_choice="none", parallel_tool_calls=False) == ask()


def test_without_tools_there_is_no_choice() -> None:
    assert prepared(tools=[], tool_choice="auto", parallel_tool_calls=True) == ask()


@pytest.mark.parametrize(
    "choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_other_choices_are_passed_on(choice: Any) -> None:
    assert prepared(tools=[TOOL], tool_choice=choice)["tool_choice"] == choice


# Kinds of model


@pytest.mark.parametrize("model", ["mimo-v2.5-tts", "mimo-v2.5-asr"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [TOOL]),
        ("stop", ["x"]),
        ("thinking", True),
        ("response_format", {"type": "json_object"}),
    ],
)
def test_speech_and_recognition_models_take_no_chat_parameters(
    model: str, name: str, value: Any
) -> None:
    assert str(refused(model, **{name: value})) == f"{model} does not take {name!r}."


def test_thinking_off_is_left_out_where_there_is_none() -> None:
    assert "thinking" not in prepared("mimo-v2.5-tts", thinking=False)


def test_audio_is_for_the_models_that_speak() -> None:
    audio = {"format": "wav", "voice": "Mia"}
    assert prepared("mimo-v2.5-tts", audio=audio)["audio"] == audio
    assert prepared("some-new-speaker", audio=audio)["audio"] == audio
    assert "does not speak" in str(refused("mimo-v2.5", audio=audio))


# Shapes that no server takes


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": "get_weather"}, "tools"),
        ({"tools": {"name": "f"}}, "tools"),
        ({"tools": [TOOL], "tool_choice": "get_weather"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"parallel_tool_calls": "false", "tools": [TOOL]}, "parallel_tool_calls"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format"),
        ({"extra_body": "x"}, "extra_body"),
        ({"extra_body": {1: 2}}, "extra_body"),
    ],
)
def test_shapes_that_no_server_takes(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert param in str(error)


@pytest.mark.parametrize(
    "function",
    [
        {"name": "f", "parameters": "city"},
        {"name": "f", "parameters": []},
        {"name": "f", "description": ["Weather"]},
    ],
)
def test_what_describes_no_function(function: dict[str, Any]) -> None:
    assert "tool f: parameters must be" in str(
        refused(tools=[{"type": "function", "function": function}])
    )


@pytest.mark.parametrize(
    "search", [{"limit": 1.5}, {"max_keyword": True}, {"user_location": {"country": "China"}}]
)
def test_options_of_a_search_that_are_refused(search: dict[str, Any]) -> None:
    assert f"web_search: {next(iter(search))}" in str(
        refused(tools=[{"type": "web_search", **search}])
    )


# Speech models, asked without `speech_request`


RECORDING = {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,UklGRg=="}}


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "What is said?"}],
        [{"role": "user", "content": [RECORDING, {"type": "text", "text": "What is said?"}]}],
        [{"role": "user", "content": [RECORDING, RECORDING]}],
        [{"role": "system", "content": "Write."}, {"role": "user", "content": [RECORDING]}],
    ],
)
def test_recognition_takes_one_recording(messages: list[Any]) -> None:
    error = refused(model="mimo-v2.5-asr", messages=messages)
    assert "one user message with one recording" in str(error)
    prepared(model="mimo-v2.5-asr", messages=[{"role": "user", "content": [RECORDING]}])


def test_speech_has_two_roles_and_voices_with_names() -> None:
    spoken = {"role": "assistant", "content": "Hi."}
    told = {"role": "system", "content": "Be kind."}
    assert "style" in str(refused(model="mimo-v2.5-tts", messages=[told, spoken]))
    error = refused(model="mimo-v2.5-tts", messages=[spoken], audio={"voice": "Nobody"})
    assert "its voices are mimo_default," in str(error)
    error = refused(model="mimo-v2.5-tts", messages=[spoken], audio={"voise": "Mia"})
    assert "did you mean 'voice'?" in str(error)
    prepared(model="mimo-v2.5-tts", messages=[spoken], audio={"voice": "Mia"})


def test_fields_that_the_messages_protocol_would_ignore_are_refused_there() -> None:
    request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hi"}]}
    for name in ("seed", "logprobs"):
        assert prepare({**request, name: 1})[name] == 1
        with pytest.raises(InvalidRequestError, match=f"{name!r} is not supported by the messages"):
            prepare({**request, name: 1}, "messages")
        assert prepare({**request, "extra_body": {name: 1}}, "messages")[name] == 1
    assert prepare({**request, "top_k": 5}, "messages")["top_k"] == 5
