"""FakeMiMo's files and batches: what a batch does as its plan says, and what it cost."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core.batches import Batch, BatchClient, LineResult
from mimo_core.errors import (
    APIConnectionError,
    ContentFilterError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
)
from mimo_core.testing import BatchPlan, FakeMiMo, Fault, Reply

KEY = "sk-secret0123456789abcdef"
AT_ONCE = BatchPlan("completed")


def ask(text: str, **changes: Any) -> dict[str, Any]:
    return {"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": text}]} | changes


def texts(results: list[LineResult]) -> dict[str, str | None]:
    """What was answered, by custom_id; None for an error."""
    return {
        one.custom_id: one.response["choices"][0]["message"]["content"] if one.response else None
        for one in results
    }


@pytest.fixture
def client(mimo: FakeMiMo) -> Iterator[BatchClient]:
    with BatchClient(KEY, batch_base_url=mimo.base_url, max_retries=0) as client:
        yield client


Send = Callable[..., Batch]


@pytest.fixture
def send(client: BatchClient, tmp_path: Path) -> Send:
    """Uploads prompts, each a line whose custom_id is its text, and creates their batch."""

    def send(*prompts: str | dict[str, Any]) -> Batch:
        path = tmp_path / "in.jsonl"
        with path.open("wb") as file:
            for number, prompt in enumerate(prompts):
                request = ask(prompt) if isinstance(prompt, str) else prompt
                file.write(client.line(request, f"line {number}"))
        return client.create(client.upload(path).id)

    return send


def looks(client: BatchClient, batch: Batch) -> list[str]:
    """The states that are shown from now on, to the end."""
    seen = [batch.status]
    while not (batch := client.get(batch.id)).has_ended:
        seen.append(batch.status)
    return [*seen, batch.status]


def test_a_batch_goes_on_with_each_look(client: BatchClient, send: Send) -> None:
    batch = send("a", "b")
    assert looks(client, batch) == ["validating", "in_progress", "finalizing", "completed"]


def test_its_counts_grow(mimo: FakeMiMo, client: BatchClient, send: Send) -> None:
    mimo.batches.queue(BatchPlan(["validating", "in_progress", "in_progress", "completed"]))
    batch = send("a", "b", "c")
    counts = [(batch.completed, batch.total)]
    while not batch.has_ended:
        batch = client.get(batch.id)
        counts.append((batch.completed, batch.total))
    assert counts == [(0, 0), (1, 3), (2, 3), (3, 3)]


def test_a_batch_that_is_done_at_once(mimo: FakeMiMo, client: BatchClient, send: Send) -> None:
    mimo.batches.default = AT_ONCE
    mimo.respond = lambda request: f"{request.text_of('user')}!"
    batch = send("a", "b", "c")
    assert batch.status == "completed"
    results = list(client.results(batch))
    assert texts(results) == {"line 0": "a!", "line 1": "b!", "line 2": "c!"}


def test_a_batch_that_goes_by_the_clock(
    mimo: FakeMiMo, client: BatchClient, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_800_000_000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    mimo.batches.queue(BatchPlan(["validating", "in_progress", "completed"], seconds=60))
    batch = send("a")
    seen = []
    for seconds in (0, 59, 60, 119, 120):
        clock[0] = 1_800_000_000.0 + seconds
        seen.append(client.get(batch.id).status)
    assert seen == ["validating", "validating", "in_progress", "in_progress", "completed"]


@pytest.mark.parametrize("count", [2, 3, 50])
def test_results_come_out_of_order(
    mimo: FakeMiMo, client: BatchClient, send: Send, count: int
) -> None:
    mimo.batches.queue(AT_ONCE, BatchPlan("completed", in_order=True))
    prompts = [str(number) for number in range(count)]
    ids = [f"line {number}" for number in range(count)]
    mixed, in_order = ([one.custom_id for one in client.results(send(*prompts))] for _ in range(2))
    assert mixed != ids
    assert sorted(mixed) == sorted(ids)
    assert in_order == ids


def test_a_line_gets_what_a_request_would_get(
    mimo: FakeMiMo, client: BatchClient, send: Send
) -> None:
    """Rules, the queue in the order of the file, rejections, and faults that are errors."""
    mimo.batches.queue(AT_ONCE)
    mimo.when(content="weather").answer(Reply("It rains."), repeat=True)
    mimo.when(content="risky").answer(Fault("moderation"))
    mimo.when(content="gateway").answer(Fault("bad_gateway"))
    mimo.queue("first", "second")
    batch = send("b", "the weather", "risky", "gateway", ask("hot", temperature=1.5), ask("x", n=1))
    found = {one.custom_id: one for one in client.results(batch)}
    assert texts(list(found.values()))["line 0"] == "first"
    assert texts(list(found.values()))["line 1"] == "It rains."
    assert texts(list(found.values()))["line 4"] == "second"
    assert isinstance(found["line 2"].error, ContentFilterError)
    assert isinstance(found["line 3"].error, ServerError)
    assert batch.completed == 4
    assert batch.failed == 2
    assert len(mimo.requests) == 4  # the lines are no requests: upload, create, two downloads


def test_a_line_that_the_service_would_refuse_is_an_error_line(
    mimo: FakeMiMo, client: BatchClient
) -> None:
    mimo.batches.queue(AT_ONCE)
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    body = {"model": "mimo-v2.6-pro", "messages": [], "max_tokens": 1}
    batch = post_batch(mimo, [line | {"body": body}])
    (result,) = client.results(client.get(batch["id"]))
    assert isinstance(result.error, InvalidRequestError)
    assert "messages must not be empty" in str(result.error)
    assert mimo.batches.bill == {}


def test_lines_in_the_messages_protocol(mimo: FakeMiMo, client: BatchClient) -> None:
    mimo.batches.queue(AT_ONCE)
    mimo.queue("Bonjour.")
    line = {"custom_id": "a", "method": "POST", "url": "/anthropic/v1/messages"}
    body = ask("Hello") | {"max_tokens": 9}
    batch = post_batch(mimo, [line | {"body": body}], endpoint="/anthropic/v1/messages")
    (result,) = mimo.batches.content(batch["output_file_id"]).splitlines()
    assert json.loads(result)["response"]["body"]["content"][-1]["text"] == "Bonjour."


def test_a_line_that_was_never_answered_has_an_error_and_no_response(
    mimo: FakeMiMo, client: BatchClient, send: Send
) -> None:
    mimo.batches.queue(AT_ONCE)
    mimo.queue(Fault(cut="before_headers"))
    batch = send("a")
    assert batch.output_file_id is None
    assert batch.error_file_id is not None
    line = json.loads(mimo.batches.content(batch.error_file_id))
    assert line["response"] is None
    assert line["error"]["code"] == "no_answer"


def test_errors_may_stand_among_the_results(mimo: FakeMiMo, send: Send) -> None:
    mimo.batches.queue(BatchPlan("completed", errors_in="output_file"))
    mimo.queue("a", Fault("moderation"))
    batch = send("a", "b")
    assert batch.error_file_id is None
    assert batch.output_file_id is not None
    lines = mimo.batches.content(batch.output_file_id).splitlines()
    assert {json.loads(line)["response"]["status_code"] for line in lines} == {200, 400}


def test_an_expired_batch_holds_what_was_done(
    mimo: FakeMiMo, client: BatchClient, send: Send
) -> None:
    mimo.batches.queue(BatchPlan("expired", answered=2), BatchPlan("expired"))
    for _ in range(2):
        results = list(client.results(send("a", "b", "c")))
        assert {one.custom_id for one in results} == {"line 0", "line 1"}


def test_an_expired_batch_may_name_what_was_not_done(mimo: FakeMiMo, send: Send) -> None:
    mimo.batches.queue(BatchPlan("expired", answered=1, names_unanswered=True))
    batch = send("a", "b", "c")
    assert batch.error_file_id is not None
    lines = [json.loads(one) for one in mimo.batches.content(batch.error_file_id).splitlines()]
    assert sorted(line["custom_id"] for line in lines) == ["line 1", "line 2"]
    assert {line["error"]["code"] for line in lines} == {"batch_expired"}


def test_a_completed_batch_may_lack_lines(mimo: FakeMiMo, client: BatchClient, send: Send) -> None:
    mimo.batches.queue(BatchPlan("completed", answered=1))
    assert [one.custom_id for one in client.results(send("a", "b"))] == ["line 0"]


def test_a_cancelled_batch_keeps_what_was_done(
    mimo: FakeMiMo, client: BatchClient, send: Send
) -> None:
    mimo.batches.queue(BatchPlan(["in_progress", "in_progress", "completed"]))
    batch = client.cancel(send("a", "b", "c").id)
    assert batch.status == "cancelling"
    assert client.cancel(batch.id).status == "cancelling"  # once more changes nothing
    assert looks(client, batch) == ["cancelling", "cancelling", "cancelled"]
    assert [one.custom_id for one in client.results(client.get(batch.id))] == ["line 0"]
    assert mimo.batches.bill_by_prompt == {"a": 1}


def test_a_cancel_that_takes_no_time(mimo: FakeMiMo, client: BatchClient, send: Send) -> None:
    mimo.batches.queue(BatchPlan(cancelling=0))
    assert client.cancel(send("a").id).status == "cancelled"


def test_a_batch_that_fails_as_a_whole(mimo: FakeMiMo, client: BatchClient, send: Send) -> None:
    mimo.batches.queue(BatchPlan(["validating", "failed"], errors=["no balance"]))
    batch = client.get(send("a").id)
    assert (batch.status, batch.problems) == ("failed", ("no balance",))
    assert list(client.results(batch)) == []
    assert mimo.batches.bill == {}


# The bill


def test_the_bill_counts_each_line_by_its_body(mimo: FakeMiMo, send: Send) -> None:
    mimo.batches.default = AT_ONCE
    for _ in range(2):
        send("a", ask("a", temperature=0.5), "b")
    assert sorted(mimo.batches.bill.values()) == [2, 2, 2]
    assert mimo.batches.bill_by_prompt == {"a": 4, "b": 2}


def test_the_bill_shows_bodies_as_json(mimo: FakeMiMo) -> None:
    body = ask("\ud800 ü") | {"model": "mimo-v2.6-pro", "user": "me"}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    post_batch(mimo, [line])
    (billed,) = mimo.batches.bill
    assert json.loads(billed) == body
    assert mimo.batches.bill_by_prompt == {"\ud800 ü": 1}


def test_a_batch_that_nobody_looks_at_is_on_the_bill(mimo: FakeMiMo, send: Send) -> None:
    send("a", "b")
    assert mimo.batches.bill_by_prompt == {"a": 1, "b": 1}
    assert mimo.batches.bill_by_prompt == {"a": 1, "b": 1}
    assert mimo.batches.all[0]["status"] == "validating"  # which moves nothing on


def test_a_batch_that_never_begins_costs_nothing(mimo: FakeMiMo, send: Send) -> None:
    mimo.batches.queue(BatchPlan("validating"), BatchPlan("in_progress"))
    send("a")
    assert mimo.batches.bill == {}
    send("b")
    assert mimo.batches.bill_by_prompt == {"b": 1}


def test_a_batch_that_was_forgotten_is_on_the_bill(mimo: FakeMiMo, send: Send) -> None:
    send("a")
    mimo.batches.forget()
    assert mimo.batches.bill_by_prompt == {"a": 1}


# The list


def test_the_list_has_pages_with_the_newest_first(client: BatchClient, send: Send) -> None:
    ids = [send("a").id for _ in range(5)]
    found, after = [], None
    while True:
        page = client.list(limit=2, after=after)
        found.append([batch.id for batch in page.batches])
        if (after := page.after) is None:
            break
    assert found == [ids[:2:-1], ids[2:0:-1], ids[:1]]


def test_the_list_may_be_late(mimo: FakeMiMo, client: BatchClient, send: Send) -> None:
    mimo.batches.queue(BatchPlan(unlisted=2))
    batch = send("a")
    found = [client.find(batch.input_file_id) for _ in range(3)]
    assert found[:2] == [None, None]
    assert found[2] is not None
    assert found[2].id == batch.id


# What goes wrong


def test_a_create_that_failed_before_it_happened(mimo: FakeMiMo, send: Send) -> None:
    mimo.batches.fail("create", Fault("server"))
    with pytest.raises(ServerError):
        send("a")
    assert mimo.batches.all == []


@pytest.mark.parametrize(
    ("fault", "happens"),
    [(Fault(cut="before_headers"), None), (Fault("gateway_timeout"), True)],
)
def test_a_create_that_failed_after_it_happened(
    mimo: FakeMiMo, send: Send, fault: Fault, happens: bool | None
) -> None:
    mimo.batches.fail("create", fault, happens=happens)
    assert send("a").id == mimo.batches.all[0]["id"]  # the client looks for it
    assert mimo.batches.bill_by_prompt == {"a": 1}


def test_a_connection_that_breaks_before_anything_happened(mimo: FakeMiMo, send: Send) -> None:
    mimo.batches.fail("upload", Fault(cut="before_headers"), happens=False, times=2)
    for _ in range(2):
        with pytest.raises(APIConnectionError):
            send("a")
    assert mimo.batches.files == []
    send("a")


def test_a_download_that_breaks_in_the_middle(
    mimo: FakeMiMo, client: BatchClient, send: Send
) -> None:
    mimo.batches.queue(AT_ONCE)
    batch = send("a", "b", "c", "d")
    mimo.batches.fail("download", Fault(cut="mid_stream"))
    with pytest.raises(APIConnectionError):
        list(client.results(batch))
    assert len(list(client.results(batch))) == 4


def test_files_and_batches_that_are_forgotten(
    mimo: FakeMiMo, client: BatchClient, send: Send
) -> None:
    mimo.batches.default = AT_ONCE
    batch = send("a")
    assert batch.output_file_id is not None
    mimo.batches.forget(batch.output_file_id)
    with pytest.raises(NotFoundError):
        list(client.results(batch))
    mimo.batches.forget()
    with pytest.raises(NotFoundError):
        client.get(batch.id)
    assert mimo.batches.files == []


def test_the_store_forgets_by_itself_after_thirty_days(
    mimo: FakeMiMo, client: BatchClient, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_800_000_000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    mimo.batches.default = AT_ONCE
    batch = send("a")
    clock[0] += 30 * 86_400 - 1
    assert len(list(client.results(batch))) == 1
    clock[0] += 1
    with pytest.raises(NotFoundError):
        list(client.results(batch))
    assert client.get(batch.id).status == "completed"  # of batches the page says nothing
    assert mimo.batches.files == []


def test_a_script_that_was_not_used_is_told() -> None:
    mimo = FakeMiMo(strict=True)
    mimo.batches.queue(BatchPlan("expired"))
    mimo.batches.fail("create", Fault("server"))
    with pytest.raises(AssertionError, match=r"BatchPlan\(states='expired'.*\n.*'create'"):
        mimo.assert_all_used()
    mimo.reset()
    assert mimo.problems == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"states": "done"}, "no state 'done'; there are: validating, "),
        ({"states": []}, "one or more"),
        ({"states": ["completed", "expired"]}, "nothing follows"),
        ({"answered": -1}, "0 or more"),
    ],
)
def test_a_plan_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BatchPlan(**wrong)


def test_what_cannot_be_scripted(mimo: FakeMiMo) -> None:
    with pytest.raises(ValueError, match="no request named 'submit'; there are: upload"):
        mimo.batches.fail("submit", Fault("server"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not by a str"):
        mimo.batches.queue("completed")  # type: ignore[arg-type]


# Its hosts and its files


def test_the_realtime_host_knows_no_batches_and_the_batch_host_nothing_else() -> None:
    of_batches = {"/v1/files", "/v1/batches"}
    others = {"/v1/models", "/v1/chat/completions", "/v1/messages"}
    with (
        FakeMiMo(serves="realtime") as realtime,
        FakeMiMo(serves="batches") as batches,
        httpx2.Client(verify=False) as http,
    ):
        for path in of_batches | others:
            served, refused = (batches, realtime) if path in of_batches else (realtime, batches)
            assert http.get(refused.root_url + path).status_code == 404, path
            assert http.get(served.root_url + path).status_code in (200, 405), path


def test_the_batch_host_answers_lines() -> None:
    with FakeMiMo(serves="batches") as mimo:
        mimo.batches.queue(AT_ONCE)
        line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
        post_batch(mimo, [line | {"body": ask("a")}])
        assert mimo.batches.bill_by_prompt == {"a": 1}


def test_files_are_listed_shown_read_and_deleted(mimo: FakeMiMo) -> None:
    with httpx2.Client(verify=False, base_url=mimo.base_url) as http:
        ids = [upload(http, b"{}\n", name).json()["id"] for name in ("a.jsonl", "ü.jsonl")]
        listed = http.get("/files", params={"purpose": "batch", "limit": 1}).json()
        assert [file["id"] for file in listed["data"]] == ids[1:]
        assert listed["has_more"]
        shown = http.get(f"/files/{ids[1]}").json()
        assert (shown["filename"], shown["bytes"], shown["purpose"]) == ("ü.jsonl", 3, "batch")
        assert shown["expires_at"] - shown["created_at"] == 30 * 86_400
        assert http.get(f"/files/{ids[1]}/content").content == b"{}\n"
        assert http.head(f"/files/{ids[1]}/content").status_code == 200
        assert http.delete(f"/files/{ids[1]}").json()["deleted"] is True
        assert http.get(f"/files/{ids[1]}").status_code == 404
        assert [file["id"] for file in mimo.batches.files] == ids[:1]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r\n--", b"\r\n--other--\r\n"])
def test_what_was_uploaded_is_kept_byte_by_byte(mimo: FakeMiMo, end: bytes) -> None:
    """Whatever looks like the end of a part, and isn't."""
    data = b'{"a": "\xc3\xbc"}\n' * 9000 + b"x" * 200_000 + end
    with httpx2.Client(verify=False, base_url=mimo.base_url) as http:
        id = upload(http, data).json()["id"]
    assert mimo.batches.content(id) == data
    assert mimo.last_request.body == {"purpose": "batch"}
    assert mimo.last_request.raw == b""


def test_an_upload_in_chunks(mimo: FakeMiMo) -> None:
    form = httpx2.Request("POST", mimo.base_url, files={"file": b"{}"}, data={"purpose": "batch"})
    body, kind = form.read(), form.headers["content-type"]
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    url, headers = f"{mimo.base_url}/files", {"content-type": kind}
    assert httpx2.post(url, content=pieces, headers=headers, verify=False).status_code == 200


@pytest.mark.slow
def test_a_large_upload_stands_on_the_disk(mimo: FakeMiMo, tmp_path: Path) -> None:
    """100 MB up, answered from its beginning, and down again, in a few MB of memory."""
    path = tmp_path / "in.jsonl"
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    text = json.dumps(line | {"body": ask("x" * 1_000_000)})
    with path.open("w") as file:
        for number in range(100):
            file.write(text.replace('"a"', f'"{number}"', 1) + "\n")
    mimo.batches.queue(BatchPlan("expired", answered=1))
    with (
        BatchClient(KEY, batch_base_url=mimo.base_url) as client,
        (tmp_path / "back").open("w+b") as back,
    ):
        tracemalloc.start()
        try:
            file_id = client.upload(path).id
            client.create(file_id)
            client.download(file_id, back)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "back").stat().st_size == path.stat().st_size
    assert most < 30_000_000


def upload(http: httpx2.Client, data: bytes, name: str = "in.jsonl") -> httpx2.Response:
    return http.post("/files", files={"file": (name, data)}, data={"purpose": "batch"})


def post_batch(mimo: FakeMiMo, lines: list[Any], **changes: Any) -> dict[str, Any]:
    """Lines as they are, which a client of ours would not send; the batch that is answered."""
    data = "\n".join(json.dumps(line) for line in lines).encode()
    with httpx2.Client(verify=False, base_url=mimo.base_url) as http:
        body = {
            "input_file_id": upload(http, data).json()["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        answer: dict[str, Any] = http.post("/batches", json=body | changes).json()
        return answer
