"""Hosts that are dead or refuse the key, Token Plan clusters, and servers that are not Xiaomi's."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from mimo_core.doctor import Report
from mimo_core.testing import FakeMiMo, Fault
from tests.conftest import KEY
from tests.core.peer import Peer

from .examining import differing, examined, routed

CLUSTER = "token-plan-{}.xiaomimimo.com"
TEAM_KEY = "ttp-secret0123456789abcdef"


def answers(body: bytes, status: str = "200 OK", content_type: str = "text/html") -> Any:
    """A script for a peer that answers every request on a connection with this."""

    def script(connection: Any) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n"
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    return script


def says_nothing(connection: Any) -> None:
    """A script that reads, and is silent until the other side closes."""
    while connection.recv(65536):
        pass


def nothing_asked(report: Report) -> str:
    """The one line of an examination that could not begin."""
    assert report.exit_code == 2
    assert report.findings == []
    assert "\n" not in report.error
    assert KEY not in report.error
    return report.error


def test_a_port_that_refuses() -> None:
    mimo = FakeMiMo().start()
    url = mimo.base_url
    mimo.stop()
    error = nothing_asked(examined(url))
    assert error.startswith(f"No answer from {url}")
    assert "Check the network" in error


def test_a_host_that_accepts_and_never_answers() -> None:
    began = time.monotonic()
    with Peer(says_nothing) as peer:
        error = nothing_asked(examined(f"http://127.0.0.1:{peer.port}/v1", limit=0.4))
    assert "within 0.4 s" in error or "was silent" in error
    assert time.monotonic() - began < 5, "it is asked twice, 0.4 s each"


def test_a_host_that_answers_html() -> None:
    page = b"<html><head><title>Sign in</title></head><body>here</body></html>"
    with Peer(answers(page)) as peer:
        error = nothing_asked(examined(f"http://127.0.0.1:{peer.port}/v1"))
    assert "a page instead of an answer" in error
    assert "Sign in" in error


def test_a_host_that_is_not_http() -> None:
    with Peer(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")) as peer:
        error = nothing_asked(examined(f"http://127.0.0.1:{peer.port}/v1"))
    assert "No answer from" in error


def test_a_refused_key_and_what_echoes_it() -> None:
    body = json.dumps({"error": {"code": "401", "message": f"Incorrect key: {KEY}"}}).encode()
    with Peer(answers(body, "401 Unauthorized", "application/json")) as peer:
        report = examined(f"http://127.0.0.1:{peer.port}/v1")
    assert "401" in nothing_asked(report)
    assert report.key_works is False
    assert report.key == "sk-***"


def test_an_account_without_balance() -> None:
    with FakeMiMo(lambda request: Fault("balance")) as mimo:
        report = examined(mimo.base_url)
    assert "402" in nothing_asked(report)
    assert report.key_works is True


def test_a_key_in_the_address_is_not_shown() -> None:
    with FakeMiMo() as mimo:
        report = examined(f"{mimo.root_url}/{KEY}/v1")
    assert "404" in nothing_asked(report)
    assert "sk-***" in str(report.as_dict()["base_url"])


def test_an_address_that_is_none() -> None:
    assert "base_url" in nothing_asked(examined("api.xiaomimimo.com"))
    assert "base_url" in nothing_asked(examined(f"https://user:{KEY}@api.xiaomimimo.com/v1"))


# Token Plan


@contextmanager
def clusters(*taking: str) -> Iterator[tuple[Callable[..., Report], list[str]]]:
    """The three clusters, of which these take the key; the requests that reached any host."""
    asked: list[str] = []
    keys = [KEY.replace("sk-", "tp-"), TEAM_KEY]
    with FakeMiMo(keys=keys) as taken, FakeMiMo(keys=["another"]) as refused:
        routes = {
            CLUSTER.format(name): (taken if name in taking else refused).root_url
            for name in ("cn", "sgp", "ams")
        }

        def ask(key: str = keys[0], base_url: Any = None) -> Report:
            return examined(base_url, api_key=key, connect=routed(routes, asked), total=0.01)

        yield ask, asked


@pytest.mark.parametrize("key", [KEY.replace("sk-", "tp-"), TEAM_KEY])
def test_the_cluster_of_a_token_plan_is_found(key: str) -> None:
    with clusters("sgp") as (ask, asked):
        report = ask(key)
    assert (report.gateway, report.key_works) == ("token-plan-sgp", True)
    assert report.refused_at == ["token-plan-cn"]
    prefix = key.partition("-")[0]
    assert report.header()[2] == (
        f"key            {prefix}-***, works here; refused by token-plan-cn"
    )
    hosts = list(dict.fromkeys(line.split()[0] for line in asked))
    assert hosts == [CLUSTER.format("cn"), CLUSTER.format("sgp")]


def test_the_cluster_that_is_named_comes_first() -> None:
    with clusters("ams") as (ask, asked):
        report = ask(base_url="token-plan-sgp")
    assert report.gateway == "token-plan-ams"
    assert report.refused_at == ["token-plan-sgp", "token-plan-cn"]
    assert asked[0].startswith(CLUSTER.format("sgp"))


def test_a_cluster_that_cannot_be_reached_is_passed_over() -> None:
    key = KEY.replace("sk-", "tp-")
    with FakeMiMo(keys=[key]) as mimo:
        connect = routed({CLUSTER.format("ams"): mimo.root_url})
        report = examined(None, api_key=key, connect=connect, total=0.01)
    assert (report.gateway, report.error, report.refused_at) == ("token-plan-ams", "", [])


def test_a_key_that_no_cluster_takes() -> None:
    with clusters() as (ask, asked):
        report = ask()
    assert nothing_asked(report).startswith("No cluster takes the key")
    assert report.key_works is False
    assert len({line.split()[0] for line in asked}) == 3


@pytest.mark.parametrize("base_url", ["xiaomi", "https://relay.example/v1", "cloudsway"])
def test_no_other_host_gets_to_see_a_token_plan_s_key(base_url: str) -> None:
    with clusters("cn") as (ask, asked):
        error = nothing_asked(ask(base_url=base_url))
    assert asked == []
    assert "is sent to its clusters only" in error


# A server of one's own


class PlainServer(BaseHTTPRequestHandler):
    """Chat completions as many serve them: reasoning in `reasoning`, forced calls and schemas kept,
    no speech, no messages protocol, no comments, usage only where it is asked for."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, Any]]] = []

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on stderr."""

    def do_GET(self) -> None:
        models = [{"id": id, "object": "model"} for id in ("qwen3", "MiMo-7B-RL", "bge-m3")]
        self._json(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self._json(404, {"detail": "Not Found"})
            return
        self.seen.append(body)
        if body["model"] != "MiMo-7B-RL":
            self._json(404, {"error": {"message": f"The model {body['model']} does not exist."}})
        elif not body["messages"]:
            self._json(400, {"error": {"message": "messages: too short", "param": None}})
        elif any(tool["type"] != "function" for tool in body.get("tools", ())):
            self._json(400, {"error": {"message": "tools: unknown type"}})
        else:
            self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        message: dict[str, Any] = {"role": "assistant"}
        if (body.get("chat_template_kwargs") or {}).get("enable_thinking", True):
            message["reasoning"] = "Let me see."
        message["content"] = "Well."
        reason = "stop"
        if "json" in str(body.get("response_format")):
            message["content"] = '{"count": 3}'
        wants = "Call the tool" in str(body["messages"]) or isinstance(
            body.get("tool_choice"), dict
        )
        if body.get("tools") and wants and body.get("tool_choice") != "none":
            function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
            call = {"id": "c1", "index": 0, "type": "function", "function": function}
            message |= {"content": None, "tool_calls": [call]}
            reason = "tool_calls"
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason}
            usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
            self._json(200, {"choices": [choice], "usage": usage})
            return
        pieces = [
            {"delta": {"role": "assistant"}},
            *({"delta": {name: value}} for name, value in message.items() if name != "role"),
        ]
        choices: list[dict[str, Any]] = [{"index": 0, **piece} for piece in pieces]
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
        chunks = [{"choices": [choice]} for choice in choices]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        self._send(200, "".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")

    def _json(self, status: int, payload: Any) -> None:
        self._send(status, json.dumps(payload).encode(), "application/json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def plain() -> Iterator[Report]:
    """The report on a plain server, asked without a key."""
    PlainServer.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), PlainServer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield examined(f"http://127.0.0.1:{server.server_port}/v1", api_key=None)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_a_plain_server_is_reported_for_what_it_is(plain: Report) -> None:
    header = "\n".join(plain.header())
    assert "a server of no known gateway" in header
    assert "compared with  what is documented and observed of Xiaomi's own hosts" in header
    assert plain.header()[2] == "key            none"
    assert plain.model == "MiMo-7B-RL", "the model of MiMo's in its list"
    assert plain.summary()[-1].endswith("what they cost is not known here.")


def test_a_plain_server_s_reasoning_is_found_where_it_stands(plain: Report) -> None:
    found = differing(plain)
    assert found["thinking.field"].value == "reasoning"
    assert found["stream.reasoning"].value == "reasoning"
    assert "thinking.default" not in found, "this library reads it there"


def test_what_a_plain_server_does_not_have_is_not_there(plain: Report) -> None:
    missing = {id for id, finding in differing(plain).items() if finding.verdict == "not there"}
    families = {id.partition(".")[0] for id in missing}
    assert families == {"messages", "web_search", "speech", "stream", "usage"}
    assert {"speech.out", "speech.in", "messages.answer", "stream.usage"} <= missing


def test_what_a_plain_server_does_otherwise_differs(plain: Report) -> None:
    differs = {i: f.value for i, f in differing(plain).items() if f.verdict == "differs"}
    assert differs["tool_choice.named"] == "honoured"
    assert differs["tool_choice.none"] == "honoured"
    assert differs["json.schema"] == "enforced"
    assert differs["errors.sentence"] == "in message"
    assert differs["stream.first"] == "role, no content"
    assert differs["history.reasoning"] == "accepted"
    assert not [finding for finding in plain.findings if finding.verdict == "not known"]
