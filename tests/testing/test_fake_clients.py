"""Foreign clients against FakeMiMo: that they parse it shows that its answers are real ones."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mimo_core.testing import FakeMiMo, Fault, Reply
from tests.conftest import KEY

USER = {"role": "user", "content": "What is the weather in Paris?"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = Reply(
    "Let me look.",
    reasoning="I should call get_weather.",
    tool_calls=[("get_weather", {"city": "Paris"}, "call_1")],
)


@pytest.fixture
def mimo() -> Iterator[FakeMiMo]:
    """The emulated service, which knows one key: each client has to send it in its own way."""
    with FakeMiMo(keys=[KEY]) as mimo:
        yield mimo


@pytest.fixture
def openai_client(mimo: FakeMiMo) -> Iterator[Any]:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key=KEY, base_url=mimo.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(mimo: FakeMiMo) -> Iterator[Any]:
    anthropic = pytest.importorskip("anthropic")
    base = mimo.messages_base_url
    with anthropic.Anthropic(api_key=KEY, base_url=base, max_retries=0) as client:
        yield client


def test_openai_answer_and_models(mimo: FakeMiMo, openai_client: Any) -> None:
    mimo.queue(Reply("Hello.", reasoning="Greet."))
    answer = openai_client.chat.completions.create(model="mimo-v2.5-pro", messages=[USER])
    assert answer.choices[0].message.content == "Hello."
    assert answer.choices[0].message.reasoning_content == "Greet."
    assert answer.usage.completion_tokens_details.reasoning_tokens == 1
    assert "mimo-v2.5-pro" in [model.id for model in openai_client.models.list()]


def test_openai_stream_of_a_call(mimo: FakeMiMo, openai_client: Any) -> None:
    mimo.queue(CALL)
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
    with openai_client.chat.completions.stream(
        model="mimo-v2.5-pro", messages=[USER], tools=tools
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Let me look."
    assert message.tool_calls[0].id == "call_1"
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Paris"}


def test_openai_drops_reasoning_and_is_refused(mimo: FakeMiMo, openai_client: Any) -> None:
    openai = pytest.importorskip("openai")
    create = openai_client.chat.completions.create
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
    mimo.queue(CALL, CALL, "Sunny.")
    message = create(model="mimo-v2.5-pro", messages=[USER], tools=tools).choices[0].message
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    # What is refused: the shape OpenAI documents, which has no place for reasoning.
    calls = [call.model_dump() for call in message.tool_calls]
    documented = {"role": "assistant", "content": message.content, "tool_calls": calls}
    with pytest.raises(openai.BadRequestError) as caught:
        create(model="mimo-v2.5-pro", messages=[USER, documented, result], tools=tools)
    assert "must be passed back" in caught.value.param
    # What is accepted: the message as it came, extra fields included.
    create(model="mimo-v2.5-pro", messages=[USER, message, result], tools=tools)


def test_openai_errors(mimo: FakeMiMo, openai_client: Any) -> None:
    openai = pytest.importorskip("openai")
    create = openai_client.chat.completions.create
    mimo.queue(Fault("rate_limit", retry_after=1), Fault(error_event="overloaded", after=1))
    with pytest.raises(openai.RateLimitError) as caught:
        create(model="mimo-v2.5-pro", messages=[USER])
    assert caught.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.APIError, match="overloaded"):
        list(create(model="mimo-v2.5-pro", messages=[USER], stream=True))


def test_openai_speech(mimo: FakeMiMo, openai_client: Any) -> None:
    answer = openai_client.chat.completions.create(
        model="mimo-v2.5-tts",
        messages=[{"role": "assistant", "content": "Hello."}],
        audio={"format": "wav", "voice": "Mia"},
    )
    assert answer.choices[0].message.audio.data.startswith("UklGR")


def test_anthropic_round_trip(mimo: FakeMiMo, anthropic_client: Any) -> None:
    mimo.queue(CALL, "Sunny.")
    options = {
        "model": "mimo-v2.5-pro",
        "max_tokens": 1024,
        "tools": [{"name": "get_weather", "input_schema": SCHEMA}],
    }
    answer = anthropic_client.messages.create(messages=[USER], **options)
    kinds = [block.type for block in answer.content]
    assert kinds == ["thinking", "text", "tool_use"]
    assert answer.content[2].input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"}
    history = [
        USER,
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [result]},
    ]
    answer = anthropic_client.messages.create(messages=history, **options)
    assert answer.content[0].text == "Sunny."
    assert answer.stop_reason == "end_turn"


@pytest.mark.parametrize("thinking_after_text", [False, True])
def test_anthropic_stream(mimo: FakeMiMo, anthropic_client: Any, thinking_after_text: bool) -> None:
    mimo.queue(
        Reply(
            "Let me look.",
            reasoning="Think.",
            tool_calls=[("get_weather", {"city": "Paris"})],
            thinking_after_text=thinking_after_text,
        )
    )
    with anthropic_client.messages.stream(
        model="mimo-v2.5-pro", max_tokens=1024, messages=[USER]
    ) as stream:
        message = stream.get_final_message()
    found = {block.type: block for block in message.content}
    assert list(found)[0 if thinking_after_text else 1] == "text"
    assert found["text"].text == "Let me look."
    assert found["thinking"].thinking == "Think."
    assert found["tool_use"].input == {"city": "Paris"}
    assert message.usage.output_tokens > 0


def test_anthropic_errors(mimo: FakeMiMo, anthropic_client: Any) -> None:
    anthropic = pytest.importorskip("anthropic")
    create = anthropic_client.messages.create
    mimo.queue(Fault("rate_limit"), Fault(error_event="overloaded", after=3))
    with pytest.raises(anthropic.RateLimitError):
        create(model="mimo-v2.5-pro", max_tokens=9, messages=[USER])
    with pytest.raises(anthropic.APIError, match="overloaded"):
        list(create(model="mimo-v2.5-pro", max_tokens=9, messages=[USER], stream=True))
