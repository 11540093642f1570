"""Answers chosen by order and by matcher, and what a script that does not fit says."""

import re
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply
from mimo_core.testing.emulator import Rule

post = partial(httpx2.post, verify=False)
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


RESULT = [
    user("weather?"),
    {"role": "assistant", "content": " ", "reasoning_content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
]


def ask(mimo: FakeMiMo, *messages: dict[str, Any] | str, **fields: Any) -> str:
    """What the emulator answers, or what the error says."""
    said = [user(one) if isinstance(one, str) else one for one in messages]
    body = {"model": "mimo-v2.6-pro", "messages": said, **fields}
    answer = post(f"{mimo.base_url}/chat/completions", json=body).json()
    return str(
        answer["choices"][0]["message"]["content"] if "choices" in answer else answer["error"]
    )


def test_an_answer_by_content_comes_before_the_queue(mimo: FakeMiMo) -> None:
    mimo.queue("first", "second")
    rule = mimo.when(content="weather").answer("It rains.")
    assert ask(mimo, "hi") == "first"
    assert ask(mimo, "What is the weather?") == "It rains."
    assert ask(mimo, "What is the weather?") == "second"  # each answer is given once
    assert [request.text_of("user") for request in rule.requests] == ["What is the weather?"]
    mimo.assert_all_used()


def test_the_last_answer_of_a_rule_may_repeat(mimo: FakeMiMo) -> None:
    mimo.when(content=re.compile(r"^Count", re.I)).answer("one", "two", repeat=True)
    assert [ask(mimo, "count!") for _ in range(4)] == ["one", "two", "two", "two"]
    mimo.assert_all_used()


def test_of_rules_that_fit_the_first_with_an_answer_left_gives_it(mimo: FakeMiMo) -> None:
    mimo.when(content="a").answer("first rule")
    mimo.when(content="a").answer("second rule")
    assert [ask(mimo, "a"), ask(mimo, "a")] == ["first rule", "second rule"]


@pytest.mark.parametrize(
    ("matcher", "fits", "does_not"),
    [
        ({"content": "weather"}, ("weather?",), ("Weather?",)),
        ({"content": re.compile("(?i)weather")}, ("Weather?",), ("rain?",)),
        ({"system": "poet"}, ({"role": "system", "content": "a poet"}, "hi"), ("poet",)),
        ({"system": "poet"}, ({"role": "developer", "content": "a poet"}, "hi"), ("poet",)),
        ({"turn": 1}, ("hi",), tuple(RESULT)),
        ({"turn": 2}, tuple(RESULT), ("hi",)),
        ({"result_of": "get_weather"}, tuple(RESULT), (*RESULT, "thanks")),
        ({"matching": lambda request: len(request.messages) == 2}, ("a", "b"), ("a",)),
    ],
)
def test_what_a_request_can_be_chosen_by(
    mimo: FakeMiMo, matcher: dict[str, Any], fits: tuple[Any, ...], does_not: tuple[Any, ...]
) -> None:
    mimo.when(**matcher).answer("chosen", repeat=True)
    assert ask(mimo, *fits) == "chosen"
    assert ask(mimo, *does_not) != "chosen"


def test_model_tool_stream_and_protocol(mimo: FakeMiMo) -> None:
    mimo.when(model=re.compile("flash$")).answer("flash")
    mimo.when(model="mimo-v2.6-pro", tool="get_weather").answer("tool")
    mimo.when(stream=True).answer("streamed")
    mimo.when(protocol="messages").answer("messages")
    assert ask(mimo, "hi", model="mimo-v2.6-flash") == "flash"
    assert ask(mimo, "hi", tools=[TOOL]) == "tool"
    streamed = {"model": "mimo-v2.6-pro", "messages": [user("hi")], "stream": True}
    assert '"content": "streamed"' in post(f"{mimo.base_url}/chat/completions", json=streamed).text
    body = {"model": "mimo-v2.6-pro", "max_tokens": 9, "messages": [user("hi")]}
    said = post(f"{mimo.messages_base_url}/v1/messages", json=body).json()["content"][-1]["text"]
    assert said == "messages"
    mimo.assert_all_used()


def test_the_result_of_a_tool_in_the_messages_protocol(mimo: FakeMiMo) -> None:
    """An image in a result becomes a message of its own here; the request ends in a result."""
    mimo.when(result_of="get_weather").answer("It rains.")
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    blocks = [{"type": "text", "text": "rain"}, image]
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    call = {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {}}
    messages = [
        user("weather?"),
        {"role": "assistant", "content": [thinking, call]},
        user([{"type": "tool_result", "tool_use_id": "c1", "content": blocks}]),  # type: ignore[arg-type]  # blocks
    ]
    body = {"model": "mimo-v2.6-pro", "max_tokens": 9, "messages": messages}
    answer = post(f"{mimo.messages_base_url}/v1/messages", json=body).json()
    assert answer["content"][-1]["text"] == "It rains."


def test_a_rule_can_answer_with_a_fault(mimo: FakeMiMo) -> None:
    mimo.when(turn=1).answer(Fault("rate_limit"), "recovered")
    assert "Too many requests" in ask(mimo, "hi")
    assert ask(mimo, "hi") == "recovered"


def test_what_nobody_asked_for_is_listed(mimo: FakeMiMo) -> None:
    mimo.queue("left", Fault("rate_limit", retry_after=1))
    mimo.when(content="weather", turn=2).answer(Reply("It rains.", reasoning="Rain."))
    mimo.when(content=re.compile("x"))
    with pytest.raises(AssertionError) as caught:
        mimo.assert_all_used()
    assert str(caught.value).splitlines() == [
        "FakeMiMo's script (0 request(s) received):",
        "  not asked for: 'left'",
        "  not asked for: Fault(error='rate_limit', retry_after=1)",
        "  not asked for: when(content='weather', turn=2)"
        ".answer(Reply(text='It rains.', reasoning='Rain.'))",
        "  without an answer: when(content=re.compile('x')); give it one with .answer(…)",
    ]
    mimo.reset()
    mimo.assert_all_used()


def test_strict_refuses_what_is_not_scripted_and_the_end_says_so() -> None:
    with pytest.raises(AssertionError) as caught, FakeMiMo(strict=True) as mimo:  # noqa: PT012
        mimo.when(content="weather").answer("It rains.")
        ask(mimo, "weather?")
        said = ask(mimo, "weather?", tools=[TOOL], stream=True)
        assert "nothing is scripted for POST /v1/chat/completions mimo-v2.6-pro" in said
        ask(mimo, "hi")
    first, second, third = str(caught.value).splitlines()
    assert first == "FakeMiMo's script (3 request(s) received):"
    assert "(turn 1; 'weather?'; tools get_weather; stream)" in second
    assert "(when(content='weather') fits, and its answers were given)" in second
    assert "(turn 1; 'hi') (no rule of 1 fits); queue() an answer, or leave strict" in third


def test_strict_has_a_status_that_no_client_retries() -> None:
    mimo = FakeMiMo(strict=True)
    with mimo.start():
        body = {"model": "mimo-v2.6-pro", "messages": [user("hi")]}
        assert post(f"{mimo.base_url}/chat/completions", json=body).status_code == 418
        mimo.reset()


def test_strict_lets_respond_and_the_model_list_answer() -> None:
    with FakeMiMo(lambda request: "anything", strict=True) as mimo:
        assert ask(mimo, "hi") == "anything"
        assert httpx2.get(f"{mimo.base_url}/models", verify=False).status_code == 200


def test_strict_does_not_hide_the_error_of_the_test_itself() -> None:
    with pytest.raises(ZeroDivisionError), FakeMiMo(strict=True) as mimo:  # noqa: PT012
        mimo.queue("left")
        raise ZeroDivisionError


def test_an_error_of_the_script_names_what_was_asked(mimo: FakeMiMo) -> None:
    def fails(request: object) -> str:
        raise KeyError("city")

    mimo.respond = fails
    assert "the script failed: KeyError: 'city'; at POST /v1/chat/comp" in ask(mimo, "hi")
    mimo.reset()
    mimo.when(matching=fails).answer("never")
    assert "the script failed: KeyError: 'city'" in ask(mimo, *RESULT)
    with pytest.raises(AssertionError, match=r"turn 2; 'weather\?'; result of get_weather"):
        mimo.assert_all_used()


def test_what_cannot_be_scripted(mimo: FakeMiMo) -> None:
    rule = mimo.when(turn=1)
    assert isinstance(rule, Rule)
    with pytest.raises(ValueError, match=r"when\(turn=1\)\.answer\(\) needs an answer"):
        rule.answer()
    wrong: Any = 3
    with pytest.raises(TypeError, match="cannot answer with a int"):
        rule.answer(wrong)
    with pytest.raises(ValueError, match="turn counts from 1"):
        mimo.when(turn=0)


def test_reset_forgets_rules(mimo: FakeMiMo) -> None:
    mimo.when(content="hi").answer("from a rule")
    mimo.reset()
    assert "emulator" in ask(mimo, "hi")
