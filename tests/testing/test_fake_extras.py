"""What browsers, old clients and other SDKs ask of a server, and what is served on request only."""

import json
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest

from mimo_core.models import MODELS
from mimo_core.testing import FakeMiMo, Fault, Reply
from tests.conftest import KEY

request = partial(httpx2.request, verify=False)
BODY = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "one two"}]}
ORIGIN = {"origin": "http://localhost:5173"}
PREFLIGHT = ORIGIN | {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


@pytest.fixture
def kind() -> Iterator[FakeMiMo]:
    """An emulator that serves everything a client may like to have."""
    with FakeMiMo(extras=["cors", "model", "count_tokens", "anthropic_models"]) as mimo:
        yield mimo


def exchange(mimo: FakeMiMo, head: str, body: Any = None) -> tuple[str, bytes]:
    """What comes back over a socket until the server closes it: the head, and the rest."""
    raw = json.dumps(body).encode() if body is not None else b""
    with socket.create_connection(("127.0.0.1", mimo.port), timeout=5) as client:
        client.sendall(f"{head}\r\ncontent-length: {len(raw)}\r\n\r\n".encode() + raw)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    first, _, rest = answer.partition(b"\r\n\r\n")
    return first.decode(), rest


# Of HTTP itself


def test_head_is_get_without_a_body(mimo: FakeMiMo) -> None:
    head = request("HEAD", f"{mimo.base_url}/models")
    get = request("GET", f"{mimo.base_url}/models")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert request("HEAD", f"{mimo.base_url}/nowhere").status_code == 404
    assert request("HEAD", f"{mimo.base_url}/chat/completions").status_code == 405


def test_a_method_that_is_not_served_hears_which_is(mimo: FakeMiMo) -> None:
    assert request("GET", f"{mimo.base_url}/chat/completions").headers["allow"] == "POST"
    assert request("POST", f"{mimo.base_url}/models").headers["allow"] == "GET, HEAD"


def test_http_1_0_gets_no_chunks_and_an_end(mimo: FakeMiMo) -> None:
    """`ab`, and nginx in front of it, speak HTTP/1.0; a chunk's length would be read as text."""
    mimo.queue("plain", "streamed")
    line = "POST /v1/chat/completions HTTP/1.0"
    head, rest = exchange(mimo, line, BODY)
    assert "connection: close" in head
    assert json.loads(rest)["choices"][0]["message"]["content"] == "plain"
    head, rest = exchange(mimo, line, BODY | {"stream": True})
    assert "transfer-encoding" not in head
    assert rest.startswith(b": PROCESSING\n\ndata: {")
    assert rest.endswith(b"data: [DONE]\n\n")


def test_http_1_0_may_keep_the_connection(mimo: FakeMiMo) -> None:
    ask = b"GET /v1/models HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"
    with socket.create_connection(("127.0.0.1", mimo.port), timeout=5) as client:
        for _ in range(2):
            client.sendall(ask)
            head, _, rest = client.recv(65536).partition(b"\r\n\r\n")
            assert b"connection: keep-alive" in head
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while len(rest) < length:
                rest += client.recv(65536)


def test_a_cut_stream_is_cut_for_http_1_0_too(mimo: FakeMiMo) -> None:
    mimo.queue(Fault(reply=Reply("word " * 20), cut="mid_stream"))
    _, rest = exchange(mimo, "POST /v1/chat/completions HTTP/1.0", BODY | {"stream": True})
    assert b"data: {" in rest
    assert b"[DONE]" not in rest


# On request only


@pytest.mark.parametrize(
    ("method", "path", "extra"),
    [
        ("GET", "/v1/models/mimo-v2.5-pro", "model"),
        ("POST", "/anthropic/v1/messages/count_tokens", "count_tokens"),
        ("POST", "/v1/messages/count_tokens", "count_tokens"),
        ("GET", "/anthropic/v1/models", "anthropic_models"),
        ("GET", "/anthropic/v1/models/mimo-v2.5-pro", "anthropic_models"),
    ],
)
def test_what_is_not_known_of_the_service_is_not_served(
    mimo: FakeMiMo, kind: FakeMiMo, method: str, path: str, extra: str
) -> None:
    refused = request(method, f"{mimo.root_url}{path}", json=BODY)
    assert refused.status_code == 404
    assert f"extras=['{extra}']" in refused.json()["error"]["param"]
    assert request(method, f"{kind.root_url}{path}", json=BODY).status_code == 200


def test_a_browser_is_refused_and_may_be_let_in(mimo: FakeMiMo, kind: FakeMiMo) -> None:
    where = "/v1/chat/completions"
    assert request("OPTIONS", mimo.root_url + where, headers=PREFLIGHT).status_code == 405
    answer = request("POST", mimo.root_url + where, headers=ORIGIN, json=BODY)
    assert "access-control-allow-origin" not in answer.headers

    answer = request("OPTIONS", kind.root_url + where, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    for body in (BODY, BODY | {"messages": []}):  # a page must be able to read an error, too
        answer = request("POST", kind.root_url + where, headers=ORIGIN, json=body)
        assert answer.headers["access-control-allow-origin"] == "*"
    answer = request("POST", kind.root_url + where, json=BODY)
    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_has_no_key() -> None:
    with FakeMiMo(keys=[KEY], extras=["cors"]) as mimo:
        url = f"{mimo.base_url}/chat/completions"
        assert request("OPTIONS", url, headers=PREFLIGHT).status_code == 204
        assert request("POST", url, headers=ORIGIN, json=BODY).status_code == 401


def test_one_model(kind: FakeMiMo) -> None:
    answer = request("GET", f"{kind.base_url}/models/mimo-v2.5-pro").json()
    assert answer == {"id": "mimo-v2.5-pro", "object": "model", "owned_by": "xiaomi"}
    missing = request("GET", f"{kind.base_url}/models/mimo-v9")
    assert missing.status_code == 404
    assert missing.json()["error"]["param"] == "there is no model mimo-v9"


def test_anthropics_list_where_an_anthropic_client_asks(kind: FakeMiMo) -> None:
    version = {"anthropic-version": "2023-06-01"}
    answer = request("GET", f"{kind.base_url}/models", headers=version).json()
    assert [model["id"] for model in answer["data"]] == sorted(MODELS)
    assert answer["data"][0]["type"] == "model"
    assert answer["has_more"] is False
    assert answer["last_id"] == answer["data"][-1]["id"]
    plain = request("GET", f"{kind.base_url}/models").json()
    assert plain["object"] == "list"
    assert "has_more" not in plain


def test_the_same_header_changes_nothing_where_it_is_not_asked_for(mimo: FakeMiMo) -> None:
    version = {"anthropic-version": "2023-06-01"}
    answer = request("GET", f"{mimo.base_url}/models", headers=version).json()
    assert answer["object"] == "list"


def test_tokens_are_counted_as_the_answer_counts_them(kind: FakeMiMo) -> None:
    url = f"{kind.messages_base_url}/v1/messages"
    counted = request("POST", f"{url}/count_tokens", json=BODY).json()
    answered = request("POST", url, json=BODY | {"max_tokens": 9}).json()
    assert counted == {"input_tokens": answered["usage"]["input_tokens"]}
    refused = request("POST", f"{url}/count_tokens", json=BODY | {"model": "mimo-v9"})
    assert refused.status_code == 400


@pytest.mark.slow
def test_anthropics_sdk_reads_them(kind: FakeMiMo) -> None:
    anthropic = pytest.importorskip("anthropic")
    with anthropic.Anthropic(api_key=KEY, base_url=kind.messages_base_url) as client:
        assert [model.id for model in client.models.list()] == sorted(MODELS)
        assert client.models.retrieve("mimo-v2.5-pro").created_at.year == 1970
        said = client.messages.count_tokens(model="mimo-v2.5-pro", messages=BODY["messages"])
        assert said.input_tokens == 6


def test_an_extra_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no extra named 'corse'; there are: cors, model, count_"):
        FakeMiMo(extras=["corse"])
    with pytest.raises(ValueError, match=r"extras is a list of names: extras=\['cors'\]"):
        FakeMiMo(extras="cors")


def test_it_can_listen_elsewhere() -> None:
    with FakeMiMo(host="0.0.0.0") as mimo:
        assert mimo.root_url.startswith("http://127.0.0.1:")
        assert request("GET", f"{mimo.base_url}/models").status_code == 200
