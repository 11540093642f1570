"""No key reaches a file: whichever way it is sent, wherever the answer repeats it."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mimo_core import MiMoClient
from mimo_core._redact import without_keys
from mimo_core.testing import CassetteError, FakeMiMo, Fault, Reply, use_cassette
from mimo_core.testing.cassettes.cleaning import clean_request, clean_response
from mimo_core.testing.cassettes.edits import Edit, rewrite
from mimo_core.testing.cassettes.redaction import (
    clean_uri,
    key_edits,
    request_headers,
    response_headers,
    secrets_in,
)
from mimo_core.testing.cassettes.vcrpy import Request
from tests.conftest import KEY

PLAN_KEY = "tp-ck2m9x4v7b1n6q3w8e5r0t2y4u7i9o1p3a5s8d6f"
TEAM_KEY = "ttp-cq1z8x5v2b7n4m9k6j3h0g8f5d2s7a4p1o9i6u3y"
PLAIN_KEY = "AbCdEf0123456789ghIJkl"
"""A gateway's key that has no tell-tale prefix."""


def cleaned(body: bytes, *secrets: str) -> bytes:
    return rewrite(body, [], key_edits(body, secrets))[0]


@pytest.mark.parametrize("key", [KEY, PLAN_KEY, TEAM_KEY, PLAIN_KEY])
@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize(
    "header", ["api-key", "authorization", "x-api-key"], ids=["api-key", "bearer", "x-api-key"]
)
def test_no_key_in_a_recorded_file(key: str, library: Any, header: str, tmp_path: Path) -> None:
    """In headers, query, cookies, the prompt, the answer (whole and in pieces), error bodies."""
    path = tmp_path / "leaky.yaml"
    value = f"Bearer {key}" if header == "authorization" else key
    said = f"Is {key} my key? And {KEY}, {PLAN_KEY}, {TEAM_KEY}?"
    body = {
        "model": "mimo-v2.5-pro",
        "messages": [{"role": "user", "content": said}],
        "thinking": {"type": "disabled"},
    }
    headers = {header: value, "cookie": f"session={key}", "x-trace": key, "x-request-id": "abc123"}
    leaks: list[Reply | Fault] = [
        Reply(f"Your key is {key}."),
        Reply(f"Your key is {key}.", chunk_size=5, tool_calls=[("save", {"key": key}, "call_1")]),
        Fault(
            error={"code": "401", "message": f"Invalid key {key}", "request_id": "req-77"},
            status=401,
            headers={"set-cookie": f"k={key}", "x-request-id": "abc123", "location": f"/?k={KEY}"},
        ),
    ]
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(*leaks)
        with library.Client() as client:
            url = f"{mimo.base_url}/chat/completions?api_key={key}"
            for stream in (False, True, False):
                answer = client.post(url, json={**body, "stream": stream}, headers=headers)
                assert key[:5] in answer.text  # whoever asked got it unchanged
    text = path.read_text()
    for secret in (key, KEY, PLAN_KEY, TEAM_KEY):
        for start in range(len(secret) - 5):  # not a piece of it either
            assert secret[start : start + 6] not in text
    assert "REDACTED" in text
    for word in ("cookie", "x-request-id", "x-trace", "abc123", "req-77"):
        assert word not in text


def test_what_authenticated_is_still_seen() -> None:
    kept = request_headers({"Authorization": f"Bearer {KEY}", "User-Agent": "x", "Accept": "a/b"})
    assert kept == {"accept": "a/b", "authorization": "Bearer REDACTED"}
    assert request_headers({"api-key": [PLAIN_KEY]}) == {"api-key": "REDACTED"}
    assert request_headers({"api-key": b"secret"}) == {"api-key": "REDACTED"}


def test_headers_of_answers_are_kept_by_name() -> None:
    given = {"Server": ["nginx"], "X-Anything": ["1"], "Retry-After": "3", "x-ratelimit-left": "4"}
    assert response_headers(given) == {
        "retry-after": ["3"],
        "server": ["nginx"],
        "x-ratelimit-left": ["4"],
    }


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (f"https://user:{KEY}@host/v1", "https://host/v1"),
        (f"https://host/v1?key={PLAIN_KEY}&a=1", "https://host/v1?key=REDACTED&a=1"),
        (f"https://host/{KEY}/v1", "https://host/REDACTED/v1"),
        (f"https://host/{PLAIN_KEY}/v1", "https://host/REDACTED/v1"),
        ("https://host/v1/ai/task-12/chat", "https://host/v1/ai/task-12/chat"),
    ],
)
def test_addresses(uri: str, expected: str) -> None:
    assert clean_uri(uri, [PLAIN_KEY]) == expected


@pytest.mark.parametrize(
    "harmless",
    [
        "tp-link router",
        "risk-averse-and-well-meaning",
        "task-based-planning-approach",
        "sk-",
        "tp-x1",
    ],
)
def test_words_are_not_keys(harmless: str) -> None:
    assert cleaned(harmless.encode()) == harmless.encode()


@pytest.mark.parametrize("key", [KEY, PLAN_KEY, TEAM_KEY, "sk-live-12345678", "sk-" + "a" * 16])
def test_what_looks_like_a_key_is_one(key: str) -> None:
    assert cleaned(f'{{"a": "{key}"}}'.encode()) == b'{"a": "REDACTED"}'


@pytest.mark.parametrize("prefix", ["sk-", "tp-", "ttp-"])
def test_one_rule_says_what_looks_like_a_key(prefix: str) -> None:
    """What an error text hides, a cassette hides: the shortest and any longer one."""
    for length in range(10):
        key = prefix + "a1B2_c3-D4"[:length]
        hidden = without_keys(key) != key
        assert (cleaned(key.encode()) != key.encode()) is hidden
        assert (key not in clean_uri(f"https://host/{key}")) is hidden
        assert (request_headers({"accept": key}) != {"accept": key}) is hidden


@pytest.mark.parametrize("key", [KEY, PLAN_KEY, TEAM_KEY, PLAIN_KEY])
def test_no_key_in_what_surrounds_an_answer(key: str) -> None:
    """Headers that are kept, the reason phrase, a header of another gateway's own."""
    request = Request("POST", "https://host/v1/x", b'{"a": 1}', {"x-auth-token": key})
    assert secrets_in(request.headers) == {key}
    headers = {"location": [f"https://u:{key}@host/?k={key}"], "server": [f"for {key}"]}
    said = {"string": f'{{"message": "no {key}"}}'.encode()}
    answer = {"status": {"code": 401, "message": f"no {key}"}, "headers": headers, "body": said}
    sent = clean_request(request)
    assert sent.secrets == frozenset([key])
    kept = clean_response(answer, sent.secrets or frozenset(), emulated=False)
    assert key not in repr((sent.uri, sent.headers, kept))


@pytest.mark.parametrize("name", ["api_key", "apiKey", "accessToken", "auth_token", "secret"])
def test_no_key_in_a_query(name: str) -> None:
    assert clean_uri(f"https://h/v1?a=1&{name}=hunter2#x") == f"https://h/v1?a=1&{name}=REDACTED#x"


def test_a_key_with_slashes_in_either_spelling() -> None:
    body = rb'{"a": "ab\/cd\/efgh", "b": "ab/cd/efgh"}'
    assert cleaned(body, "ab/cd/efgh") == b'{"a": "REDACTED", "b": "REDACTED"}'


def test_a_compressed_answer_is_searched(tmp_path: Path) -> None:
    path = tmp_path / "gzip.yaml"
    body = gzip.compress(f'{{"data": [], "key": "{KEY}"}}'.encode())
    fault = Fault(body=body, content_type="application/json", headers={"content-encoding": "gzip"})
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(fault)
        answer = httpx2.post(
            f"{mimo.base_url}/chat/completions",
            json={"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "a"}]},
        )
        assert answer.json()["key"] == KEY
    held = yaml.safe_load(path.read_text())["interactions"][0]["response"]
    assert held["body"]["string"] == '{"data": [], "key": "REDACTED"}'
    assert "content-encoding" not in held["headers"]


def record_one(mimo: FakeMiMo, path: Path) -> None:
    with use_cassette(path, record_mode="all"):
        httpx2.post(
            f"{mimo.base_url}/chat/completions",
            json={"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "a"}]},
        )


def test_an_answer_that_cannot_be_searched_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    fault = Fault(body=b"\x00", content_type="a/b", headers={"content-encoding": "x-own"})
    real = httpx2.HTTPTransport.handle_request
    with FakeMiMo() as mimo:
        mimo.queue(fault)
        with pytest.raises(CassetteError, match="compressed with x-own"):
            record_one(mimo, path)
    assert not path.exists()
    assert httpx2.HTTPTransport.handle_request is real  # a failed save leaves nothing patched


def test_the_request_that_was_sent_keeps_its_key(tmp_path: Path) -> None:
    with FakeMiMo(keys=[KEY]) as mimo, use_cassette(tmp_path / "a.yaml", record_mode="all"):
        with MiMoClient(KEY, base_url=mimo.base_url) as client:
            client.chat({"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": KEY}]})
        assert mimo.last_request.headers["authorization"] == f"Bearer {KEY}"
        assert KEY in mimo.last_request.text_of("user")


@given(
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    sizes=st.lists(st.integers(1, 9), min_size=30, max_size=30),
    escaped=st.booleans(),
)
def test_a_key_in_any_pieces_of_a_stream(
    before: str, after: str, sizes: list[int], escaped: bool
) -> None:
    whole, events = f"{before} {KEY} {after}", []
    for size in [*sizes, 1000]:
        delta = {"choices": [{"index": 0, "delta": {"content": whole[:size]}}]}
        events.append(f"data: {json.dumps(delta, ensure_ascii=escaped)}\n\n")
        whole = whole[size:]
    body = "".join(events).encode()
    pieces = [len(event.encode()) for event in events]
    new, lengths = rewrite(body, pieces, key_edits(body))
    said = "".join(
        json.loads(line[6:])["choices"][0]["delta"]["content"]
        for line in re.split(rb"\n\n", new)
        if line
    )
    assert KEY not in said
    assert not any(KEY[at : at + 6] in said.replace(before, "") for at in range(len(KEY) - 5))
    assert sum(lengths) == len(new)


@given(
    body=st.binary(min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    edits=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.binary(max_size=9))),
)
def test_rewriting_keeps_what_is_not_edited(
    body: bytes, cuts: list[int], edits: list[tuple[int, int, bytes]]
) -> None:
    ends = sorted({min(cut, len(body)) for cut in cuts} | {len(body)})
    pieces = [end - start for start, end in zip([0, *ends], ends, strict=False) if end > start]
    stretches = ((min(a, b), min(max(a, b), len(body)), text) for a, b, text in edits)
    valid = [Edit(*stretch) for stretch in stretches if stretch[0] < stretch[1]]
    new, lengths = rewrite(body, pieces, valid)
    assert sum(lengths) == len(new)
    assert all(length > 0 for length in lengths)
    assert len(lengths) <= len(pieces) + 1
    expected, last = b"", 0
    for edit in sorted(valid):
        if edit.start >= last:
            expected += body[last : edit.start] + edit.text
            last = edit.end
    assert new == expected + body[last:]
    if not valid:
        assert (new, lengths) == (body, pieces)
