"""What we send, read by vLLM's and SGLang's own request classes: accepted, and nothing unread.

The classes let unknown fields pass in silence, so each test looks at what was understood.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from mimo_core import MiMoClient
from scripts.foreign.engineless_server import Engineless
from tests.foreign.hosts import PNG, earlier_reasoning, wav

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.slow,
    pytest.mark.protocols("chat_completions", "messages"),
]

Ask = Callable[..., dict[str, Any]]
USER = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD = {"type": "function", "function": {"name": "add", "description": "Add.", "parameters": SCHEMA}}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
SOUND = {"type": "input_audio", "input_audio": {"data": b64encode(wav()).decode(), "format": "wav"}}
FILM = {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}, "fps": 2}


def turn(arguments: str = '{"a": 1}') -> list[dict[str, Any]]:
    """A call with its reasoning, and its result."""
    function = {"name": "add", "arguments": arguments}
    call = {"id": "call_1", "type": "function", "function": function}
    return [
        USER,
        {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    ]


@pytest.fixture
def ask(engineless: Engineless, address: Callable[[str], str], stream: bool) -> Ask:
    """Sends a request and gives what the server understood of it."""

    def of(unread: tuple[str, ...] = (), **request: Any) -> dict[str, Any]:
        engineless.say("Hello!")
        asked = {"model": "mimo-v2.5", "messages": [USER], "max_tokens": 2000, **request}
        with MiMoClient(base_url=address(engineless.root), max_retries=0) as client:
            if stream:
                assert list(client.stream(asked))[-1]["usage"]
            else:
                assert client.chat(asked)["usage"]
        (received,) = engineless.received()
        # `/v1/messages` of the two differ in where thinking is switched: both ways are sent.
        also = {"chat_template_kwargs"} if received["path"] == "/v1/messages" else set()
        assert set(unread) <= set(received["unread"]) <= {*unread, *also}
        return received

    return of


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Whether the answer is streamed."""
    return bool(request.param)


def parts_of(read: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of the last message."""
    content = read["messages"][-1]["content"]
    assert isinstance(content, list)
    return content


def test_plain(ask: Ask) -> None:
    understood = ask(messages=[{"role": "system", "content": "Be brief."}, USER])
    texts = [(m["role"], m["content"]) for m in understood["read"]["messages"]]
    assert texts == [("system", "Be brief."), ("user", "Hello")]
    assert "enable_thinking" not in understood["template"]


@pytest.mark.parametrize("thinking", [True, False])
def test_the_switch(ask: Ask, server_name: str, protocol: str, thinking: bool) -> None:
    template = ask(thinking=thinking)["template"]
    assert template["enable_thinking"] is thinking
    if thinking and (server_name, protocol) != ("sglang", "messages"):  # it reads no such field
        assert template["keep_all_reasoning"] is True


@pytest.mark.parametrize(("effort", "thinks"), [("none", False), ("low", True), ("high", True)])
def test_effort(ask: Ask, effort: str, thinks: bool) -> None:
    assert ask(reasoning_effort=effort)["template"]["enable_thinking"] is thinks


def test_tools(ask: Ask) -> None:
    read = ask(tools=[ADD], parallel_tool_calls=False)["read"]
    (tool,) = read["tools"]
    assert (tool["function"]["name"], tool["function"]["parameters"]) == ("add", SCHEMA)
    assert read["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("choice", "name"),
    [("required", None), ({"type": "function", "function": {"name": "add"}}, "add")],
)
def test_a_forced_call(ask: Ask, choice: Any, name: str | None) -> None:
    chosen = ask(tools=[ADD], tool_choice=choice)["read"]["tool_choice"]
    assert chosen == "required" if name is None else chosen["function"]["name"] == name


def test_results_and_reasoning_go_back(ask: Ask, server_name: str) -> None:
    _, said, result = ask(messages=turn(), tools=[ADD], thinking=True)["read"]["messages"]
    assert earlier_reasoning(said, server_name) == "Hm."
    (call,) = said["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("call_1", "add")
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "call_1", "2")


@pytest.mark.parametrize("arguments", ['{"a": 1', "[1]", "", "null"])
def test_a_cut_call_goes_back_as_an_object(ask: Ask, arguments: str) -> None:
    import json

    read = ask(messages=turn(arguments), tools=[ADD])["read"]
    (call,) = read["messages"][1]["tool_calls"]
    assert isinstance(json.loads(call["function"]["arguments"]), dict)


def test_an_image(ask: Ask) -> None:
    read = ask(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, IMAGE]}])
    text, image = parts_of(read["read"])
    assert text["text"] == "?"
    assert image["image_url"]["url"] == IMAGE["image_url"]["url"]  # type: ignore[index]


@pytest.mark.protocols("chat_completions")
def test_sound(ask: Ask) -> None:
    """SGLang makes a data URL of it itself; a data URL as data would become one twice."""
    read = ask(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, SOUND]}])
    _, sound = parts_of(read["read"])
    data = b64encode(wav()).decode()
    if sound["type"] == "audio_url":
        assert sound["audio_url"]["url"] == f"data:audio/wav;base64,{data}"
    else:
        assert sound["input_audio"] == {"data": data, "format": "wav"}


@pytest.mark.protocols("chat_completions")
def test_a_film(ask: Ask) -> None:
    read = ask(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, FILM]}])
    _, film = parts_of(read["read"])
    assert film["video_url"]["url"] == "data:video/mp4;base64,AAAA"


@pytest.mark.protocols("chat_completions")
def test_json(ask: Ask) -> None:
    assert ask(response_format={"type": "json_object"})["read"]["response_format"] == {
        "type": "json_object"
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    read = ask(response_format=wanted)["read"]["response_format"]["json_schema"]
    assert (read.get("schema") or read.get("schema_") or read.get("json_schema")) == SCHEMA


def test_sampling(ask: Ask, server_name: str, protocol: str) -> None:
    """Beyond Xiaomi's ranges, and with names of the servers' own. vLLM too takes four stops."""
    stops = ["a"] * (4 if server_name == "vllm" else 6)
    own: dict[str, float] = {"top_k": 7}
    if protocol == "chat_completions":
        own |= {"min_p": 0.25, "repetition_penalty": 1.25}
    understood = ask(temperature=2, stop=stops, extra_body=own)
    assert understood["sampling"]["temperature"] == 2
    assert understood["sampling"]["top_k"] == 7
    assert own.items() <= understood["read"].items()
    assert understood["read"]["stop"] == stops


def test_a_name_that_nobody_knows(ask: Ask) -> None:
    """It is accepted and unread: a misspelling shows nowhere."""
    ask(unread=("nonsense",), extra_body={"nonsense": 1})


def test_the_limit_of_tokens(ask: Ask) -> None:
    read = ask(max_tokens=None, max_completion_tokens=70)["read"]
    assert 70 in (read.get("max_completion_tokens"), read.get("max_tokens"))
