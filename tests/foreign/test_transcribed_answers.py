"""Answers of servers that cannot be run here, transcribed from their source (`answers/README.md`).

Provenance `source`: the fields are those of the server's code or schema, the texts are ours, and no
server has answered. No other server is started: these tests run always.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mimo_core import MiMoClient, collect
from tests.foreign.hosts import Talk, add

ANSWERS = Path(__file__).parent / "answers"
NAMES = sorted(path.stem for path in ANSWERS.glob("*.json"))
# Whose dialect is spoken; mlx's is that of any server of one's own.
DIALECTS = {
    "ollama": "ollama+",
    "openrouter": "openrouter+",
    "openrouter_details_only": "openrouter+",
}


@dataclass
class Published:
    """A server that gives one transcribed answer, whole or streamed as it is asked for.

    Attributes:
        root: its address.
        told: the fixture: `provenance`, `expected` and `answer`.
        bodies: the requests.
    """

    name: str
    told: dict[str, Any]
    root: str = ""
    bodies: list[Any] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """As a user of that server gives it."""
        return f"{DIALECTS.get(self.name, '')}{self.root}/v1"


@pytest.fixture(params=NAMES)
def published(request: pytest.FixtureRequest) -> Iterator[Published]:
    """Each of the transcribed answers."""
    name = request.param
    made = Published(name, json.loads((ANSWERS / f"{name}.json").read_text()))
    events = (ANSWERS / f"{name}.sse").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.bodies.append(body)
            stream = body.get("stream")
            data = events if stream else json.dumps(made.told["answer"]).encode()
            self.send_response(200)
            kind = "text/event-stream" if stream else "application/json"
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.root = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMO_API_KEY", "none")  # OpenRouter needs one


def test_each_names_its_source(published: Published) -> None:
    provenance = published.told["provenance"]
    assert provenance["kind"] == "source"
    assert all(provenance[name] for name in ("source", "version", "date", "note"))


async def test_nothing_is_lost(published: Published, way: str) -> None:
    """Reasoning once, the text, the call, and what was counted; in every way of both hosts."""
    expected = published.told["expected"]
    answer = await Talk(way, f"{published.root}/v1", tools=[add]).say("2?")
    assert answer.reasoning == expected["reasoning"]
    assert answer.text.strip() == expected["text"]
    assert [list(call) for call in answer.calls] == expected["calls"]
    assert list(answer.tokens) == expected["tokens"]


async def test_the_second_turn(published: Published, way: str) -> None:
    """What goes back, under the names that the server reads (mimo-api.md, "Other servers")."""
    talk = Talk(way, published.base_url, tools=[add])
    await talk.give(await talk.say("2?"), "3")
    _, said, result = published.bodies[-1]["messages"]
    expected = published.told["expected"]
    assert said["reasoning"] == expected["reasoning"]
    assert result["tool_call_id"] == said["tool_calls"][0]["id"]
    if "reasoning_details" in published.told["answer"]["choices"][0]["message"]:
        assert said["reasoning_details"] == whole_details(published)


def whole_details(published: Published) -> Any:
    """The details as the server has given them: pieces of one index are one."""
    return published.told["answer"]["choices"][0]["message"]["reasoning_details"]


@pytest.mark.filterwarnings("ignore:.*reasoned although thinking was turned off")  # they do
@pytest.mark.parametrize("thinking", [True, False])
async def test_the_switch(published: Published, way: str, thinking: bool) -> None:
    talk = Talk(way, published.base_url, tools=[add], options={"thinking": thinking})
    await talk.say("2?")
    body = published.bodies[-1]
    kwargs = {"enable_thinking": thinking} | ({"keep_all_reasoning": True} if thinking else {})
    efforts: dict[bool, Any] = {True: ("low", "medium", "high"), False: ("none",)}
    match published.name.partition("_")[0]:
        case "openrouter":
            assert body["reasoning"] == {"enabled": thinking}
        case "ollama":  # an effort, of which it reads that it is one
            assert body["reasoning_effort"] in efforts[thinking]
        case _:
            assert body["chat_template_kwargs"] == kwargs
    assert "thinking" not in body


def test_a_stream_and_a_whole_answer_are_one(published: Published) -> None:
    """`collect` of the stream gives the message that came whole."""
    asked = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "2?"}]}
    with MiMoClient(base_url=published.base_url) as client:
        whole, streamed = client.chat(asked), collect(client.stream(asked))
    messages = [answer["choices"][0]["message"] for answer in (whole, streamed)]
    for message in messages:
        for call in message["tool_calls"] or ():
            call.pop("index", None)
    names = ("content", "reasoning_content", "tool_calls", "reasoning_details")
    first, second = ({name: message.get(name) for name in names} for message in messages)
    assert first == second
    assert whole["usage"] == streamed["usage"]
