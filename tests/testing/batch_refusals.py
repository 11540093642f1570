"""What files and batches refuse: for each rule of `sources` the requests that provoke it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2

from mimo_core.testing import BatchPlan, FakeMiMo

Http = httpx2.Client
CREATE = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
LINE = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
BODY: dict[str, Any] = {
    "model": "mimo-v2.6-pro",
    "messages": [{"role": "user", "content": "Hi"}],
}
MANY = 5
"""Lines, where a test sets the limit to it."""


def line(**changes: Any) -> str:
    """A line; a field that is None is left out."""
    fields = {**LINE, "body": BODY} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def of_body(**changes: Any) -> str:
    return line(body=BODY | changes)


def upload(
    http: Http, data: str | bytes, *, field: str = "file", purpose: str | None = "batch"
) -> httpx2.Response:
    data = data.encode() if isinstance(data, str) else data
    fields = {} if purpose is None else {"purpose": purpose}
    return http.post("/files", files={field: ("in.jsonl", data)}, data=fields)


def create(http: Http, data: str | bytes = line(), **changes: Any) -> httpx2.Response:
    """A batch of a file with these lines."""
    body = CREATE | {"input_file_id": upload(http, data).json().get("id")} | changes
    return http.post("/batches", json=body)


def of_deleted_file(http: Http) -> httpx2.Response:
    id = upload(http, line()).json()["id"]
    http.delete(f"/files/{id}")
    return create(http, input_file_id=id)


def of_its_own_results(http: Http) -> httpx2.Response:
    return create(http, input_file_id=create(http).json()["output_file_id"])


def cancel_ended(http: Http) -> httpx2.Response:
    return http.post(f"/batches/{create(http).json()['id']}/cancel")


def with_key(name: str, key: str) -> Callable[[Http], httpx2.Response]:
    return lambda http: http.get("/batches", headers={name: key})


# Rule -> requests that it refuses.
REQUESTS: dict[str, list[Callable[[Http], httpx2.Response]]] = {
    "batch key": [
        with_key("api-key", "tp-0123456789"),
        with_key("authorization", "Bearer ttp-0123456789"),
    ],
    "upload form": [
        lambda http: http.post("/files", content=line()),
        lambda http: http.post("/files", json={"purpose": "batch"}),
        lambda http: upload(http, line(), field="other"),
        lambda http: http.post(
            "/files",
            content=b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
            headers={"content-type": "multipart/form-data; boundary=x"},
        ),
    ],
    "upload purpose": [
        lambda http: upload(http, line(), purpose=None),
        lambda http: upload(http, line(), purpose="fine-tune"),
    ],
    "upload empty": [lambda http: upload(http, b"")],
    "upload size": [
        lambda http: upload(http, b"x" * 2001),
        lambda http: upload(http, b"x" * 200_000),  # more than is kept at all
    ],
    "file unknown": [
        lambda http: http.get("/files/file-0"),
        lambda http: http.get("/files/file-0/content"),
        lambda http: http.delete("/files/file-0"),
    ],
    "batch unknown": [
        lambda http: http.get("/batches/batch_0"),
        lambda http: http.post("/batches/batch_0/cancel"),
    ],
    "body": [
        lambda http: http.post("/batches", content=b"{"),
        lambda http: http.post("/batches", json=[]),
    ],
    "batch input file": [
        of_deleted_file,
        of_its_own_results,
        lambda http: create(http, input_file_id=None),
        lambda http: create(http, input_file_id="file-0"),
    ],
    "batch endpoint": [
        lambda http: create(http, endpoint=None),
        lambda http: create(http, endpoint="/v1/embeddings"),
        lambda http: create(http, endpoint="/v1/responses"),
    ],
    "batch window": [
        lambda http: create(http, completion_window="1h"),
        lambda http: create(http, completion_window=24),
    ],
    "batch ended": [cancel_ended],
    "list limit": [
        lambda http: http.get("/batches?limit=0"),
        lambda http: http.get("/batches?limit=101"),
        lambda http: http.get("/files?limit=all"),
    ],
    "list after": [lambda http: http.get("/batches?after=batch_0")],
    "method": [
        lambda http: http.put("/files"),
        lambda http: http.delete("/batches"),
        lambda http: http.delete("/batches/batch_0"),
    ],
}
# Rule -> files whose batches fail, and the line at fault.
FILES: dict[str, list[tuple[str | bytes, int]]] = {
    "batch line": [
        ("name,text\n", 1),
        ("[]", 1),
        (f"{line()}\n\n{line(custom_id='b')}", 2),
        (line() + ",", 1),
        (of_body(temperature=1).replace("1}", "NaN}"), 1),
        (b"\xef\xbb\xbf" + line().encode(), 1),
        (line().encode("utf-16"), 1),
        (line(custom_id="\u00fc").encode("latin-1").replace(b"\\u00fc", b"\xfc"), 1),
    ],
    "batch custom_id": [
        (line(custom_id=None), 1),
        (line(custom_id=""), 1),
        (line(custom_id=1), 1),
        (f"{line()}\n{line()}", 2),
    ],
    "batch method": [(line(method=None), 1), (line(method="GET"), 1)],
    "batch url": [(line(url=None), 1), (line(url="/anthropic/v1/messages"), 1)],
    "batch line body": [(line(body=None), 1), (line(body="Hi"), 1)],
    "batch model": [
        (of_body(model=name), 1)
        for name in ("mimo-v2.6-pro-ultraspeed", "mimo-v2.5-pro", "MiMo-v2.6-pro", None)
    ],
    "batch models": [
        (f"{line()}\n{line(custom_id='b', body=BODY | {'model': 'mimo-v2.6-flash'})}", 2)
    ],
    "batch stream": [(of_body(stream=True), 1), (of_body(stream="yes"), 1)],
    "batch lines": [("\n".join(line(custom_id=str(n)) for n in range(MANY + 1)), MANY + 1)],
}
OTHERS = {"batch failed", "batches elsewhere", "realtime elsewhere"}
"""Refused by a plan or by a host: tests of their own."""


def limited(mimo: FakeMiMo) -> FakeMiMo:
    """Small limits, and batches that end at once."""
    mimo.batches.max_bytes, mimo.batches.max_lines = 2000, MANY
    mimo.batches.default = BatchPlan("completed")
    return mimo
