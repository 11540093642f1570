"""Batches: what goes over the wire, what comes back, and what is never sent twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core.batches import AsyncBatchClient, Batch, BatchClient
from mimo_core.batches._upload import MAX_FILE
from mimo_core.errors import (
    APITimeoutError,
    AuthenticationError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
)
from mimo_core.testing import FakeMiMo
from mimo_core.testing.live import LiveRequestRefused, all_requests_to, block

KEY = "sk-secret0123456789abcdef"
CN = "https://batch-api-cn.xiaomimimo.com/v1"
Handler = Callable[[httpx2.Request], httpx2.Response]


def request(text: str = "Hi", **changes: Any) -> dict[str, Any]:
    return {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": text}]} | changes


def record(status: str = "validating", **changes: Any) -> dict[str, Any]:
    return {"id": "batch_1", "status": status, "input_file_id": "file-1"} | changes


def answer(custom_id: str, content: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": content}}
    return {
        "custom_id": custom_id,
        "response": {"status_code": 200, "body": {"choices": [choice]}},
        "error": None,
    }


def asking(handler: Handler, **options: Any) -> BatchClient:
    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    return BatchClient(KEY, http_client=http, **options)


def test_a_file_goes_up_as_a_form_with_its_purpose(tmp_path: Path) -> None:
    seen: list[httpx2.Request] = []

    def handler(sent: httpx2.Request) -> httpx2.Response:
        sent.read()
        seen.append(sent)
        return httpx2.Response(200, json={"id": "file-1", "filename": "in.jsonl", "bytes": 3})

    client = asking(handler)
    path = tmp_path / "in.jsonl"
    path.write_bytes(client.line(request(stream=True), "a"))
    assert client.upload(path).id == "file-1"
    sent = seen[0]
    assert str(sent.url) == f"{CN}/files"
    assert sent.headers["api-key"] == KEY
    assert int(sent.headers["content-length"]) == len(sent.content)
    assert b'name="purpose"\r\n\r\nbatch\r\n' in sent.content
    line = json.loads(sent.content.split(b"\r\n\r\n")[2].split(b"\r\n")[0])
    assert (line["custom_id"], line["method"], line["url"]) == (
        "a",
        "POST",
        "/v1/chat/completions",
    )
    assert "stream" not in line["body"]


def test_a_batch_names_its_file_endpoint_and_window() -> None:
    seen: list[Any] = []

    def handler(sent: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(sent.read()))
        return httpx2.Response(200, json=record())

    assert asking(handler).create("file-1").status == "validating"
    assert seen == [
        {
            "input_file_id": "file-1",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
    ]


@pytest.mark.parametrize("failure", [httpx2.ReadTimeout("slow"), httpx2.ReadError("cut"), 502])
def test_a_create_that_may_have_happened_is_looked_for_and_not_sent_again(failure: Any) -> None:
    methods: list[str] = []

    def handler(sent: httpx2.Request) -> httpx2.Response:
        methods.append(sent.method)
        if sent.method == "POST":
            if isinstance(failure, Exception):
                raise failure
            return httpx2.Response(failure)
        others = [record(id="batch_0", input_file_id="file-0")]
        if "after" not in sent.url.params:
            return httpx2.Response(200, json={"data": others, "has_more": True})
        return httpx2.Response(200, json={"data": [record()], "has_more": False})

    assert asking(handler).create("file-1").id == "batch_1"
    assert methods == ["POST", "GET", "GET"]


def test_a_create_that_is_not_found_says_what_to_do() -> None:
    def handler(sent: httpx2.Request) -> httpx2.Response:
        if sent.method == "POST":
            raise httpx2.ReadTimeout("slow")
        return httpx2.Response(200, json={"data": [], "has_more": False})

    with pytest.raises(APITimeoutError, match="may have been made: look for its input file file-1"):
        asking(handler).create("file-1")


def test_a_create_that_was_refused_is_not_looked_for() -> None:
    methods: list[str] = []

    def handler(sent: httpx2.Request) -> httpx2.Response:
        methods.append(sent.method)
        return httpx2.Response(429, json={"error": {"message": "later"}})

    with pytest.raises(RateLimitError):
        asking(handler, max_retries=0).create("file-1")
    assert methods == ["POST"]


def results(lines: list[Any], errors: list[Any]) -> Handler:
    files = {"out": lines, "err": errors}

    def handler(sent: httpx2.Request) -> httpx2.Response:
        held = files[sent.url.path.split("/")[-2]]
        return httpx2.Response(200, content="\n".join(map(json.dumps, held)).encode())

    return handler


DONE = Batch("batch_1", "completed", "file-1", "out", "err")


def test_results_are_read_as_answers_and_errors_by_line() -> None:
    refused = {"status_code": 429, "body": {"error": {"code": "429", "message": "slow down"}}}
    handler = results(
        [answer("b", "two"), answer("a", "one")],
        [
            {"custom_id": "c", "response": refused, "error": None},
            {"custom_id": "d", "response": None, "error": {"code": "x", "message": "no"}},
        ],
    )
    found = {one.custom_id: one for one in asking(handler).results(DONE)}
    assert [*found] == ["b", "a", "c", "d"]
    response = found["a"].response
    assert response is not None
    assert response["choices"][0]["message"]["content"] == "one"
    assert isinstance(found["c"].error, RateLimitError)
    assert "no" in str(found["d"].error)


def test_a_call_that_was_written_as_text_is_repaired() -> None:
    text = "<tool_call><function=f><parameter=x>1</parameter></function></tool_call>"
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    (one, *_) = asking(results([answer("a", text)], [])).results(DONE, tools=tools)
    assert one.response is not None
    calls = one.response["choices"][0]["message"]["tool_calls"]
    assert calls is not None
    call = calls[0]
    assert json.loads(call["function"]["arguments"]) == {"x": 1}


def test_a_line_without_end_is_not_read_further() -> None:
    client = asking(results([answer("a", "x" * 5000)], []), limits={"body": 1000})
    with pytest.raises(InvalidResponseError, match="raise limits"):
        list(client.results(DONE))
    with pytest.raises(InvalidResponseError, match="max_bytes"):
        list(asking(results([answer("a", "x" * 5000)], [])).results(DONE, max_bytes=1000))


def test_a_batch_that_runs_has_no_results_yet() -> None:
    with pytest.raises(InvalidRequestError, match="in_progress"):
        list(asking(results([], [])).results(Batch("batch_1", "in_progress")))


@pytest.mark.parametrize(
    "wrong",
    [{}, {"id": 1, "status": "x"}, {"id": "b"}, {"id": KEY, "status": "completed"}],
)
def test_a_record_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidResponseError) as caught:
        asking(lambda _: httpx2.Response(200, json=wrong)).get("batch_1")
    assert KEY not in str(caught.value)


def test_the_realtime_host_finds_nothing_and_the_error_says_where_batches_are() -> None:
    with pytest.raises(NotFoundError, match="set batch_base_url"):
        asking(lambda _: httpx2.Response(404, json={"error": {"message": "no"}})).get("batch_1")


@pytest.mark.parametrize(
    ("options", "environ", "url"),
    [
        ({}, {}, CN),
        ({"batch_base_url": "ams"}, {}, CN.replace("cn", "ams")),
        ({}, {"MIMO_BATCH_BASE_URL": "ams"}, CN.replace("cn", "ams")),
        (
            {"batch_base_url": "https://b.test/v1"},
            {"MIMO_BATCH_BASE_URL": "ams"},
            "https://b.test/v1",
        ),
        ({"base_url": "https://other.test/v1"}, {}, "https://other.test/v1"),
        ({"base_url": "xiaomi"}, {"MIMO_BASE_URL": "https://other.test/v1"}, CN),
    ],
)
def test_where_batches_are_asked_for(
    options: dict[str, str], environ: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert BatchClient(KEY, **options)._settings.endpoint.base_url == url


@pytest.mark.parametrize("where", ["b.test", "ftp://b.test", "http://b.test"])
def test_an_address_that_will_not_do_is_named_as_the_one_for_batches(where: str) -> None:
    """There are two addresses, and the key goes to neither unencrypted."""
    with pytest.raises(InvalidRequestError) as caught:
        BatchClient(KEY, batch_base_url=where)
    assert caught.value.param == "batch_base_url"
    assert "batch_base_url" in str(caught.value) or "unencrypted" in str(caught.value)


@pytest.mark.parametrize("key", ["tp-secret0123456789abcdef", "ttp-secret0123456789abcdef"])
def test_a_token_plans_key_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(AuthenticationError, match="pay-as-you-go") as caught:
        BatchClient(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [request(model="mimo-v2.5-pro"), request(extra_body={"api_key": KEY})]
)
def test_lines_that_a_batch_does_not_take(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        BatchClient(KEY).line(wrong, "a")


def test_files_that_are_empty_or_too_large(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    for size in (0, MAX_FILE + 1):
        with path.open("wb") as file:
            file.truncate(size)
        with pytest.raises(InvalidRequestError, match="128 MB"):
            BatchClient(KEY).upload(path)
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        BatchClient(KEY).upload(tmp_path / "none")


async def test_the_asynchronous_client_does_the_same(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(BatchClient(KEY).line(request(), "a"))

    async def handler(sent: httpx2.Request) -> httpx2.Response:
        body = await sent.aread()
        if sent.url.path.endswith("/content"):
            return httpx2.Response(200, content=json.dumps(answer("a", "one")).encode())
        if sent.url.path.endswith("/files"):
            assert b'"custom_id": "a"' in body
            return httpx2.Response(200, json={"id": "file-1"})
        if sent.method == "POST" and sent.url.path.endswith("/batches"):
            raise httpx2.ReadTimeout("slow")
        if sent.method == "GET" and sent.url.path.endswith("/batches"):
            return httpx2.Response(200, json={"data": [record()]})
        return httpx2.Response(200, json=record("completed", output_file_id="out"))

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    client = AsyncBatchClient(KEY, http_client=http)
    batch = await client.create((await client.upload(path)).id)
    assert (await client.cancel(batch.id)).id == "batch_1"
    await client.delete("file-1")
    batch = await client.get(batch.id)
    assert [one.custom_id async for one in client.results(batch)] == ["a"]
    await http.aclose()


def test_a_test_that_lets_nothing_out_lets_no_batch_out(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(BatchClient(KEY).line(request(), "a"))
    with block("Not now"), pytest.raises(LiveRequestRefused, match="batch-api-cn"):
        BatchClient(KEY).upload(path)


def test_a_test_that_leads_requests_elsewhere_leads_batches_too(
    mimo: FakeMiMo, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    with all_requests_to(mimo):
        with BatchClient(KEY, batch_base_url="ams") as client:
            path.write_bytes(client.line(request(), "a"))
            batch = client.create(client.upload(path).id)
            while not batch.has_ended:
                batch = client.get(batch.id)
            assert [one.custom_id for one in client.results(batch)] == ["a"]
        assert all(sent.headers["api-key"] == KEY for sent in mimo.requests)
        with BatchClient() as client:  # by the environment, as another process would
            assert [one.id for one in client.list().batches] == [batch.id]
