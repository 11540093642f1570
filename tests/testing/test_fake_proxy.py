"""`mimo-fake --record-proxy` and `--replay`: what passes, what is written, what is given again."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core import MiMoClient
from mimo_core.testing import CassetteError, FakeMiMo, Fault, Reply, provenance_of, use_cassette
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.emulator.listener import Listener
from mimo_core.testing.fake_command.proxy import RecordProxy, refused_target
from mimo_core.testing.fake_command.recorder import Recorder
from mimo_core.testing.fake_command.replay import Replay
from tests.conftest import KEY

request = partial(httpx2.request, verify=False)
post = partial(request, "POST")
BODY = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "hi"}]}
STREAM = BODY | {"stream": True}
CHAT = "/v1/chat/completions"
BEARER = {"authorization": f"Bearer {KEY}"}


class Recording:
    """A proxy in front of a server, and the file that it writes."""

    def __init__(self, url: str, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self.troubles: list[str] = []
        self._recorder = Recorder(path, note="a test", trouble=self.troubles.append)
        self._proxy = RecordProxy(url, self._recorder, self.said.append)
        self._listener = Listener(self._proxy.handle, name="proxy")

    def __enter__(self) -> "Recording":
        self._listener.start()
        self._recorder.start()
        self.url = self._listener.root_url
        return self

    def __exit__(self, *raised: object) -> None:
        self._listener.stop()
        self._recorder.stop()
        self._proxy.close()

    @property
    def interactions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = read(self.path)["interactions"]
        return found


@contextmanager
def replayed(path: Path, *, repeat: bool = False) -> Iterator[str]:
    listener = Listener(Replay(path, repeat=repeat, log=lambda line: None).handle, name="replay")
    listener.start()
    try:
        yield listener.root_url
    finally:
        listener.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recorded.yaml"


@contextmanager
def server(answer: bytes, *, then: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """A server of a few lines that answers every connection with these bytes, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    sock, _ = listening.accept()
                except OSError:
                    return
                with sock:
                    heard.append(_whole(sock))
                    sock.sendall(answer)
                    time.sleep(then)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _whole(sock: socket.socket) -> bytes:
    """A request with its body."""
    head, _, body = _until(sock, b"\r\n\r\n").partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def _until(sock: socket.socket, end: bytes) -> bytes:
    heard = b""
    while end not in heard and (more := sock.recv(65536)):
        heard += more
    return heard


def test_what_was_said_passes_and_is_recorded_and_replayed(mimo: FakeMiMo, path: Path) -> None:
    call = Reply("Let me look.", reasoning="Weather.", tool_calls=[("get_weather", {"c": 1}, "c1")])
    mimo.queue("plain", call, Fault("rate_limit", retry_after=7), "messages")
    messages = BODY | {"max_tokens": 50}

    def conversation(url: str) -> list[tuple[int, str | None, bytes]]:
        answers = [
            post(f"{url}{CHAT}", json=BODY, headers=BEARER),
            post(f"{url}{CHAT}", json=STREAM, headers=BEARER),
            post(f"{url}{CHAT}", json=STREAM | {"n": 1}, headers=BEARER),
            post(f"{url}/anthropic/v1/messages", json=messages, headers={"x-api-key": KEY}),
            request("GET", f"{url}/v1/models", headers=BEARER),
        ]
        return [(one.status_code, one.headers.get("retry-after"), one.content) for one in answers]

    with Recording(mimo.root_url, path) as recording:
        live = conversation(recording.url)
    assert mimo.requests[0].headers["authorization"] == BEARER["authorization"]
    assert recording.troubles == []
    assert [status for status, _, _ in live] == [200, 200, 429, 200, 200]
    assert live[2][1] == "7"
    whose = provenance_of(path)
    assert whose is not None
    assert (whose.kind, whose.note) == ("emulator", "a test")
    assert len(recording.interactions[1]["response"]["body"]["pieces"]) > 3
    with replayed(path) as url:
        again = conversation(url)

    def steady(answers: list[tuple[int, str | None, bytes]]) -> list[tuple[int, str | None, int]]:
        return [(status, after, len(body)) for status, after, body in answers]

    assert steady(again) == steady(live)  # ids and times of the emulator are made steady
    assert b"Let me " in again[1][2]
    assert again[1][2].endswith(b"data: [DONE]\n\n")


def test_pieces_arrive_as_they_are_sent(mimo: FakeMiMo, path: Path) -> None:
    mimo.queue(Reply("a" * 30, chunk_size=10, interval=0.15))
    with Recording(mimo.root_url, path) as recording, httpx2.Client(verify=False) as client:
        times: list[float] = []
        with client.stream("POST", f"{recording.url}{CHAT}", json=STREAM) as response:
            for _ in response.iter_raw():
                times.append(time.monotonic())
    assert times[-1] - times[0] > 0.3  # not in one lump at the end
    pieces = recording.interactions[0]["response"]["body"]["pieces"]
    assert len(pieces) >= 5
    with replayed(path) as url, httpx2.Client(verify=False) as client:  # noqa: SIM117
        with client.stream("POST", f"{url}{CHAT}", json=STREAM) as response:
            assert len(list(response.iter_raw())) > 1


def test_a_key_is_in_no_file_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "recorded.yaml"
    echo = json.dumps({"error": {"message": f"bad key {KEY}", "code": "401"}}).encode()
    head = b"HTTP/1.1 401 No\r\ncontent-type: application/json\r\nconnection: close\r\n"
    head += f"set-cookie: session={KEY}\r\nx-request-id: {KEY}\r\n".encode()
    answer = head + b"content-length: %d\r\n\r\n%b" % (len(echo), echo)
    with server(answer) as (upstream, heard), Recording(upstream, path) as recording:
        for headers in (
            BEARER,
            {"api-key": KEY},
            {"x-api-key": KEY},
            {"cookie": f"s={KEY}"},
            {"x-own": KEY},
        ):
            got = post(f"{recording.url}{CHAT}", json=BODY, headers=headers)
            assert (got.status_code, got.content) == (401, echo)
            assert got.headers["set-cookie"] == f"session={KEY}"
        post(f"{recording.url}{CHAT}?api_key={KEY}", json=BODY)
        said = {"messages": [{"role": "user", "content": f"my key is {KEY}"}]}
        post(f"{recording.url}{CHAT}", json=BODY | said)
    assert all(KEY.encode() in one for one in heard)
    assert len(recording.interactions) == 7
    for file in tmp_path.rglob("*"):
        assert KEY.encode() not in file.read_bytes()
    assert not any(KEY in line for line in recording.said)
    assert provenance_of(path).kind == "live"  # type: ignore[union-attr]  # it has one


def test_a_redirect_is_the_clients_business(path: Path) -> None:
    """Followed here, it would take the key elsewhere."""
    with FakeMiMo() as elsewhere:
        moved = b"HTTP/1.1 307 Moved\r\ncontent-length: 0\r\nlocation: %s\r\n\r\n"
        moved %= f"{elsewhere.base_url}/chat/completions".encode()
        with server(moved) as (upstream, _), Recording(upstream, path) as recording:
            answer = post(f"{recording.url}{CHAT}", json=BODY, headers=BEARER)
        assert answer.status_code == 307
        assert elsewhere.requests == []


def test_a_path_of_the_server_is_put_before_unless_it_is_there(path: Path) -> None:
    recorder = Recorder(path, note="", trouble=print)
    plain = RecordProxy("https://api.xiaomimimo.com", recorder, print)
    assert plain.target("/v1/models?a=b") == "https://api.xiaomimimo.com/v1/models?a=b"
    based = RecordProxy("https://api.xiaomimimo.com/v1/", recorder, print)
    assert based.target("/models") == "https://api.xiaomimimo.com/v1/models"
    assert based.target("/v1/models") == "https://api.xiaomimimo.com/v1/models"
    assert based.target("/v10/models") == "https://api.xiaomimimo.com/v1/v10/models"


def test_a_request_cannot_name_another_host(mimo: FakeMiMo, path: Path) -> None:
    with Recording(mimo.root_url, path) as recording:
        where = recording.url.removeprefix("http://").split(":")
        other = b"other.example/v1/models"
        for target in (b"http://" + other, b"@" + other, b"/\x01"):  # the last is no address
            with socket.create_connection((where[0], int(where[1])), timeout=5) as client:
                client.sendall(b"GET %s HTTP/1.1\r\nconnection: close\r\n\r\n" % target)
                assert client.recv(100).startswith(b"HTTP/1.1 400")
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("api.xiaomimimo.com", "the URL of a server is needed"),
        ("https://somebody@host", "the URL of a server is needed"),
        ("https://host/v1?key=k", "the URL of a server is needed"),
        ("http://gpu7:8000", "keys would go to gpu7 unencrypted"),
    ],
)
def test_where_a_proxy_must_not_stand(url: str, says: str) -> None:
    assert says in (refused_target(url, {}) or "")


def test_where_a_proxy_may_stand() -> None:
    for url in ("https://api.xiaomimimo.com/v1", "http://127.0.0.1:8000"):
        assert refused_target(url, {}) is None
    assert refused_target("http://gpu7:8000", {"MIMO_ALLOW_HTTP": "gpu7"}) is None


# What goes wrong on the way


def test_a_stream_that_breaks_breaks_for_the_client_and_in_the_replay(
    mimo: FakeMiMo, path: Path
) -> None:
    mimo.queue(Fault(reply=Reply("word " * 20), cut="mid_stream"))
    with Recording(mimo.root_url, path) as recording, pytest.raises(httpx2.RemoteProtocolError):
        post(f"{recording.url}{CHAT}", json=STREAM)
    assert recording.interactions[0]["response"]["body"]["broken"]["error"] == "RemoteProtocolError"
    with replayed(path) as url, pytest.raises(httpx2.RemoteProtocolError):
        post(f"{url}{CHAT}", json=STREAM)


def test_a_client_that_leaves_is_passed_on_and_noted(mimo: FakeMiMo, path: Path) -> None:
    mimo.queue(Reply("word " * 200, chunk_size=1, interval=0.02))
    with Recording(mimo.root_url, path) as recording:
        with httpx2.Client(verify=False) as client:  # noqa: SIM117
            with client.stream("POST", f"{recording.url}{CHAT}", json=STREAM) as response:
                next(response.iter_raw())
        assert mimo.wait_for_disconnect()
    broken = recording.interactions[0]["response"]["body"]["broken"]
    assert broken == {"error": "closed by the client"}


def test_a_server_that_is_not_there_is_502_and_stays_so(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Recording(f"http://127.0.0.1:{port}", path) as recording:
        answer = post(f"{recording.url}{CHAT}", json=BODY)
    assert answer.status_code == 502
    assert "did not answer: ConnectError" in answer.json()["error"]["message"]
    with replayed(path) as url, pytest.raises(httpx2.RemoteProtocolError):
        post(f"{url}{CHAT}", json=BODY)


def test_answers_without_a_body(mimo: FakeMiMo, path: Path) -> None:
    with Recording(mimo.root_url, path) as recording, httpx2.Client(verify=False) as client:
        for _ in range(2):  # over one connection: nothing may be left on it
            assert client.head(f"{recording.url}/v1/models").status_code == 200
    assert "broken" not in recording.interactions[0]["response"]["body"]


def test_an_answer_that_has_no_body_says_nothing_of_its_length(path: Path) -> None:
    answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
    with server(answer) as (upstream, _), Recording(upstream, path) as recording:
        got = request("DELETE", f"{recording.url}/v1/files/a")
    assert got.status_code == 204
    assert "transfer-encoding" not in got.headers
    assert "content-length" not in got.headers


def test_headers_of_the_connection_stay_on_it(path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nconnection: close, x-hop\r\nx-hop: 1\r\nx-end: 2\r\n"
    answer += b"content-length: 2\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n{}"
    with server(answer) as (upstream, heard), Recording(upstream, path) as recording:
        headers = [
            ("connection", "keep-alive, x-mine"),
            *(("x-mine", "1"), ("x-kept", "2"), ("x-kept", "3")),
            ("x-name", "é".encode("latin-1")),
        ]
        got = post(f"{recording.url}{CHAT}", json=BODY, headers=headers)
    assert "x-hop" not in got.headers
    assert got.headers["x-end"] == "2"
    assert got.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "server" not in got.headers  # it did not name one, and is not the emulator
    assert b"x-kept: 2\r\nx-kept: 3" in heard[0]
    assert b"x-name: \xe9" in heard[0]
    assert b"x-mine" not in heard[0]
    assert b"accept-encoding: identity" in heard[0]


def test_the_file_is_whole_while_the_proxy_runs(mimo: FakeMiMo, path: Path) -> None:
    with Recording(mimo.root_url, path) as recording:
        for number in range(1, 4):
            post(f"{recording.url}{CHAT}", json=BODY)
            deadline = time.monotonic() + 5
            while not (path.exists() and len(recording.interactions) == number):
                assert time.monotonic() < deadline
                time.sleep(0.01)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_written_is_told_and_the_proxy_goes_on(
    mimo: FakeMiMo, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with Recording(mimo.root_url, tmp_path / "file" / "a.yaml") as recording:
        assert post(f"{recording.url}{CHAT}", json=BODY).status_code == 200
    assert "a.yaml was not written: " in recording.troubles[0]


# The replay


def test_what_was_not_recorded_is_told_so_that_a_person_can_read_it(
    mimo: FakeMiMo, path: Path
) -> None:
    with Recording(mimo.root_url, path) as recording:
        post(f"{recording.url}{CHAT}", json=BODY)
    with replayed(path) as url:
        other = {"messages": [{"role": "user", "content": "bye"}]}
        missing = post(f"{url}{CHAT}", json=BODY | other)
        assert missing.status_code == 418
        said = missing.json()["error"]["message"]
        assert f"mimo-fake: {path} holds no answer to this POST chat/completions: " in said
        assert "'hi'" in said
        assert "'bye'" in said
        assert said.endswith("Record it: mimo-fake --record-proxy URL --cassette FILE")
        assert post(f"{url}{CHAT}", json=BODY).status_code == 200
        assert "all were given" in post(f"{url}{CHAT}", json=BODY).json()["error"]["message"]


def test_a_replay_may_repeat(mimo: FakeMiMo, path: Path) -> None:
    mimo.queue("one", "two")
    with Recording(mimo.root_url, path) as recording:
        for _ in range(2):
            post(f"{recording.url}{CHAT}", json=BODY)
    with replayed(path, repeat=True) as url:
        answers = [post(f"{url}{CHAT}", json=BODY).json() for _ in range(4)]
    said = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert said == ["one", "two", "one", "one"]


def test_pythons_cassettes_and_the_proxys_are_the_same(mimo: FakeMiMo, path: Path) -> None:
    mimo.queue("recorded", Reply("streamed in pieces", chunk_size=4))

    def conversation(url: str) -> tuple[str | None, str | None, int]:
        with MiMoClient(api_key=KEY, base_url=f"xiaomi+{url}/v1") as client:
            plain = client.chat(BODY)["choices"][0]["message"]["content"]
            stream = client.stream(BODY)
            chunks = len(list(stream))
            return plain, stream.response["choices"][0]["message"]["content"], chunks

    with Recording(mimo.root_url, path) as recording:
        said = conversation(recording.url)
    assert said[:2] == ("recorded", "streamed in pieces")
    with use_cassette(path):
        assert conversation("http://127.0.0.1:9") == said


def test_a_published_answer_is_served() -> None:
    cassette = Path(__file__).parents[2] / "cassettes" / "vendor" / "chat_introduction.yaml"
    question = {"messages": [{"role": "user", "content": "please introduce yourself"}]}
    with replayed(cassette) as url:
        answer = post(f"{url}{CHAT}", json={"model": "mimo-v2.5-pro", **question})
    assert "I'm MiMo" in answer.json()["choices"][0]["message"]["content"]


def test_a_cassette_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match="There is no cassette"):
        Replay(tmp_path / "none.yaml", repeat=False, log=print)
