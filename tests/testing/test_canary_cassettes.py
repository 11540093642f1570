"""The canary in cassettes: whatever way a key is sent and sent back, the file does not hold it.

(`tests/test_canary.py` says what the canary is.) Here what the model says is cleaned too, and
request ids are secrets: a recording is published.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from mimo_core import MiMoClient, MiMoError
from mimo_core.testing import CassetteError, use_cassette
from mimo_core.testing.cassettes.edits import rewrite
from mimo_core.testing.cassettes.redaction import clean_text, key_edits, response_headers
from tests.hostile import (
    IN_BODIES,
    IN_HEADS,
    HostileServer,
    Place,
    delta,
    fits_a_head,
    http,
    pieces,
    stream,
)
from tests.leaks import shows
from tests.spellings import SPELLINGS, spellings_at

KEY = "Canary9x7Q2/mK4+vB8zT1wLp6Rn"
OTHER_KEY = "Raven6k3JwS0/yD+5hTn8PqZx4Lb"
REQUEST_ID = "0f3a9c1e77b24d5d8a6e"
REQUEST = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "Hi"}]}
SAID: dict[str, Place] = {
    "content": lambda key: stream(delta(content=f"It is {key}."), "data: [DONE]"),
    "content in pieces": lambda key: stream(
        *(delta(content=part) for part in pieces(key)), "data: [DONE]"
    ),
    "a whole answer": lambda key: http(
        "200 OK", json.dumps({"choices": [{"message": {"content": key}}]}), "application/json"
    ),
    "ids": lambda key: stream({**delta(content="a"), "id": key, "model": key}, "data: [DONE]"),
}
PLACES = {**IN_BODIES, **IN_HEADS, **SAID}


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


def ask(server: HostileServer, answer: bytes, key: str = KEY, prompt: str = "Hi") -> None:
    """Two exchanges, whatever becomes of them."""
    server.answer = answer
    request = {**REQUEST, "messages": [{"role": "user", "content": prompt}]}
    with MiMoClient(key, base_url=server.base_url, max_retries=0) as client:
        with suppress(MiMoError):
            client.chat(request)
        with suppress(MiMoError):
            list(client.stream(request))


def held(path: Path) -> str:
    """The file as it is written, and as it is read; a recording that cannot be cleaned is none."""
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(("number", "place"), list(enumerate(PLACES)))
def test_no_place_and_no_spelling_brings_a_key_into_a_file(
    number: int, place: str, server: HostileServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    spellings = {name: spelled(KEY) for name, spelled in spellings_at(number).items()}
    if place in IN_HEADS:
        spellings = {name: said for name, said in spellings.items() if fits_a_head(said)}
    try:
        with use_cassette(path, record_mode="all"):
            for name, said in spellings.items():
                ask(server, PLACES[place](said), prompt=name)
    except CassetteError:  # a compression that cannot be undone: then there is no file
        assert place == "content-encoding"
        assert not path.exists()
        return
    exchanges = held(path).split("- request:")[1:]
    assert len(exchanges) >= len(spellings) or place in ("broken status line", "broken header")
    for exchange in exchanges:
        assert not shows(exchange, KEY), exchange


@pytest.mark.parametrize("mode", ["all", "rewrite", "once", "new_episodes"])
def test_no_mode_of_recording_keeps_a_key(mode: str, server: HostileServer, tmp_path: Path) -> None:
    """Also where a file is added to: an answer may repeat the key of another exchange in it."""
    path = tmp_path / "a.yaml"
    with use_cassette(path, record_mode=mode):
        ask(server, IN_BODIES["message"](KEY), OTHER_KEY)
        ask(server, IN_BODIES["message"](OTHER_KEY), prompt="Ho")
    assert not shows(held(path), KEY)
    assert not shows(held(path), OTHER_KEY)
    if mode == "new_episodes":
        before = held(path).count("uri:")
        with use_cassette(path, record_mode=mode):
            ask(server, IN_BODIES["plain text"](KEY), prompt="Hu")
        assert held(path).count("uri:") == before + 2
        assert not shows(held(path), KEY)


def test_a_cassette_of_somebody_else_is_cleaned_when_it_is_added_to(
    server: HostileServer, tmp_path: Path
) -> None:
    path = tmp_path / "foreign.yaml"
    request: dict[str, Any] = {"method": "GET", "headers": {"authorization": [f"Bearer {KEY}"]}}
    request |= {"uri": f"https://host/v1/models?token={OTHER_KEY}", "body": None}
    answer = {"status": {"code": 200, "message": KEY}, "headers": {}, "body": {"string": OTHER_KEY}}
    foreign = {"version": 1, "interactions": [{"request": request, "response": answer}]}
    path.write_text(json.dumps(foreign))  # which is YAML too
    with use_cassette(path, record_mode="new_episodes"):
        ask(server, IN_BODIES["message"]("x"), "sk-another-one-0123")
    assert held(path).count("uri:") == 3
    assert not shows(held(path), KEY)
    assert not shows(held(path), OTHER_KEY)


SENT: dict[str, Callable[[], dict[str, Any]]] = {
    "api-key": lambda: {"headers": {"api-key": KEY}},
    "basic": lambda: {"auth": ("user", KEY)},
    "cookie": lambda: {"headers": {"cookie": f"a=1; session={KEY}"}},
    "a header of one's own": lambda: {"headers": {"x-team": KEY}},
    "query": lambda: {"params": {"api_token": KEY}},
    "a field of the body": lambda: {"json": {**REQUEST, "gateway_token": KEY}},
    "accept": lambda: {"headers": {"accept": KEY, "x-api-key": KEY}},
}


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("way", SENT)
def test_a_key_may_be_sent_in_any_way(
    way: str, library: Any, server: HostileServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    server.answer = IN_BODIES["message"](f"{KEY}, {SPELLINGS['base64'](KEY)}")
    with use_cassette(path, record_mode="all"), library.Client() as client:
        answer = client.post(
            f"{server.base_url}/chat/completions", **{"json": REQUEST, **SENT[way]()}
        )
        assert KEY in answer.text  # whoever asked got it unchanged
    assert "uri:" in held(path)
    assert not shows(held(path), KEY)


def test_a_user_in_the_address(server: HostileServer, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    password = KEY.replace("/", "").replace("+", "")
    server.answer = IN_BODIES["message"](password)
    with use_cassette(path, record_mode="all"):
        httpx2.post(server.base_url.replace("://", f"://user:{password}@"), json=REQUEST)
    assert "uri:" in held(path)
    assert not shows(held(path), password)


@pytest.mark.parametrize(
    "sentence",
    [
        f"Internal error (request id: {REQUEST_ID})",
        f"request_id={REQUEST_ID}: failed",
        f"Failed. RequestId {REQUEST_ID}.",
        f"`trace-id` `{REQUEST_ID}`",
        f"Request ID is {REQUEST_ID}, tell the support",
        json.dumps({"error": json.dumps({"request_id": REQUEST_ID})}),
    ],
)
def test_request_ids_in_sentences(sentence: str) -> None:
    assert REQUEST_ID not in clean_text(sentence)
    body = rewrite(sentence.encode(), [], key_edits(sentence.encode()))[0]
    assert REQUEST_ID.encode() not in body


@pytest.mark.parametrize(
    "sentence",
    ["the request id is missing", "dialog id 12345678", "Log identity 1", "request idea"],
)
def test_other_sentences_stay(sentence: str) -> None:
    assert clean_text(sentence) == sentence


def test_the_request_id_of_a_header_is_cleaned_wherever_it_is_repeated(
    server: HostileServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.yaml"
    ids = {"x-request-id": REQUEST_ID, "set-cookie": "s=a1b2c3d4e5f6; Path=/; HttpOnly"}
    body = {"id": REQUEST_ID, "say": "a1b2c3d4e5f6 HttpOnly"}
    with use_cassette(path, record_mode="all"):
        ask(server, http(f"500 Oh {REQUEST_ID}", json.dumps(body), "application/json", **ids))
    assert "HttpOnly" in held(path)
    assert REQUEST_ID not in held(path)
    assert "a1b2c3d4e5f6" not in held(path)


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://u:p@host/v1/x", "https://host/v1/x"),
        ("//u:p@host/x", "//host/x"),
        (
            "https://host/cb?code=abc&state=de&f",
            "https://host/cb?code=REDACTED&state=REDACTED&REDACTED",
        ),
        ("/login#access_token=abc", "/login"),
        ("u:p@host/x", "host/x"),
    ],
)
def test_where_a_redirect_leads(location: str, kept: str) -> None:
    assert response_headers({"location": [location]}) == {"location": [kept]}


def test_base64_stays_base64_of_its_length() -> None:
    """A sound, or a token of three parts, can still be taken apart when it is replayed."""
    body = SPELLINGS["base64 of user and password"](KEY).encode()
    cleaned = rewrite(body, [], key_edits(body, [KEY]))[0]
    assert len(cleaned) == len(body)
    assert b"xxxxxxxx" in cleaned
