"""Jobs of batches: nothing is lost and nothing is asked twice, wherever the program dies."""

import json
import os
import re
import sqlite3
import stat
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core import batches
from mimo_core.batches import (
    AsyncBatchClient,
    AsyncBatchJob,
    BatchClient,
    BatchJob,
    JobStatus,
    _job_steps,
    _rows,
)
from mimo_core.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from mimo_core.testing import BatchPlan, FakeMiMo
from mimo_core.testing.live import all_requests_to
from tests.core.batch_service import KEY, Service, line, requests, texts


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def client(service: Service) -> Iterator[BatchClient]:
    http = httpx2.Client(transport=httpx2.MockTransport(service))
    with BatchClient(KEY, http_client=http, max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def lists_are_never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_job_steps, "_LATE", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.db"


def test_answers_come_back_in_the_order_of_the_requests(
    service: Service, client: BatchClient, path: Path
) -> None:
    with BatchJob(path, client) as job:
        job.add([(request, f"row {n}") for n, request in enumerate(requests(5))], meta={"by": "me"})
        job.submit()
        assert job.wait(poll=0).has_ended
        assert texts(job) == ["0?", "1?", "2?", "3?", "4?"]
        found = list(job.results())
        assert [result.note for result in found] == [f"row {n}" for n in range(5)]
        assert found[1].request["messages"][0]["content"] == "1?"
        assert job.meta == {"by": "me"}
        assert job.address == "https://batch-api-cn.xiaomimimo.com/v1"
        (batch,) = job.status().batches
        assert (batch.batch_id, batch.status, batch.requests) == ("batch-0", "completed", 5)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_halves_of_letters_do_not_stop_a_job(
    service: Service, client: BatchClient, path: Path
) -> None:
    """A note of the caller's, or what the service says of a failure: SQLite takes UTF-8 only."""
    service.status = "failed"

    def fail(asked: str) -> None:
        for batch in service.batches.values():
            batch["errors"] = {"data": [{"message": "no \ud83d"}]}

    service.before = fail
    with BatchJob(path, client) as job:
        job.add([(requests(1)[0], "row \ud83d")])
        job.submit()
        job.wait(poll=0)
        (result,) = job.results()
    assert result.note == "row \N{REPLACEMENT CHARACTER}"
    assert "failed as a whole: no \N{REPLACEMENT CHARACTER}." in str(result.error)


def test_what_is_done_is_not_done_again(service: Service, client: BatchClient, path: Path) -> None:
    for _ in range(2):
        with BatchJob(path, client) as job:
            job.add(requests(3))
            job.submit()
            job.wait(poll=0)
            assert texts(job) == ["0?", "1?", "2?"]
    assert service.asked.count("POST batches") == 1
    assert set(service.bill.values()) == {1}


class Death(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(8))
def test_a_program_that_dies_at_any_request_is_gone_on_with(
    service: Service,
    client: BatchClient,
    path: Path,
    moment: str,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`number` is the request at which it dies: before the service has it, or after."""
    monkeypatch.setattr(_rows, "MAX_LINES", 2)  # three batches
    left = number

    def die(asked: str) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            raise Death

    setattr(service, moment, die)
    for _ in range(3):
        try:
            with BatchJob(path, client) as job:
                job.add(requests(5))
                job.submit()
                job.wait(poll=0)
                assert texts(job) == ["0?", "1?", "2?", "3?", "4?"]
        except Death:
            continue
        break
    assert left < 0, "it never died"
    assert service.bill == {f"{n}?": 1 for n in range(5)}


def test_a_create_that_was_not_answered_is_looked_for_at_once(
    service: Service, client: BatchClient, path: Path
) -> None:
    def never_answered(asked: str) -> None:
        if asked == "POST batches":
            raise httpx2.ReadTimeout("slow")

    service.after = never_answered
    with BatchJob(path, client) as job:
        job.add(requests(2))
        job.submit()
        job.wait(poll=0)
        assert texts(job) == ["0?", "1?"]
    assert service.asked.count("POST batches") == 1


def test_where_the_list_is_late_the_input_file_is_deleted_before_another_create(
    service: Service, client: BatchClient, path: Path
) -> None:
    """Without its file, a create that is still on its way can make nothing any more."""

    def lost(asked: str) -> None:
        if asked == "POST batches":
            raise httpx2.ReadTimeout("slow")

    service.before = lost
    with BatchJob(path, client) as job:
        job.add(requests(2))
        with pytest.raises(APITimeoutError, match="Go on with the same job"):
            job.submit()
        service.before = lambda asked: None
        service.asked.clear()
        job.submit()
        assert service.asked == [
            *("GET batches", "DELETE files", "GET batches"),
            *("POST files", "POST batches"),
        ]
        job.wait(poll=0)
    assert set(service.bill.values()) == {1}


def test_a_refused_create_begins_anew_with_its_file(
    service: Service, client: BatchClient, path: Path
) -> None:
    real, service._answer = service._answer, lambda request, path: httpx2.Response(401)  # type: ignore[method-assign]
    with BatchJob(path, client) as job:
        job.add(requests(1))
        with pytest.raises(AuthenticationError):
            job.submit()
        service._answer = real  # type: ignore[method-assign]
        job.submit()
        assert job.status().sent == 1


def test_failed_and_expired_requests_are_sent_again_alone(
    service: Service, client: BatchClient, path: Path
) -> None:
    def some(custom_id: str, question: str) -> bytes | None:
        if question == "1?":
            return line(custom_id, "too risky", status=421)
        return None if question == "2?" else line(custom_id, question)

    service.status, service.answers = "expired", some
    with BatchJob(path, client) as job:
        job.add(requests(4))
        job.submit()
        status = job.wait(poll=0)
        assert (status.answered, status.failed, status.unanswered) == (2, 1, 1)
        failed, expired = [result for result in job.results() if result.error]
        assert "too risky" in str(failed.error)
        assert isinstance(expired.error, ServerError)
        assert str(expired.error) == "Batch batch-0 has expired before it was answered."

        service.status, service.answers = "completed", line
        assert job.retry() == 2
        job.submit()
        job.wait(poll=0)
        assert texts(job) == ["0?", "1?", "2?", "3?"]
    sent = [json.loads(one) for one in service.files["file-2"].splitlines()]
    assert [one["body"]["messages"][0]["content"] for one in sent] == ["1?", "2?"]
    assert service.bill == {"0?": 1, "1?": 2, "2?": 1, "3?": 1}


def test_results_that_are_gone_are_named_and_not_asked_for_again_unless_told(
    service: Service, client: BatchClient, path: Path
) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        service._work(service.batches["batch-0"])
        del service.files["out-batch-0"]
        assert job.wait(poll=0).lost == 1
        (result,) = job.results()
        assert isinstance(result.error, NotFoundError)
        assert "30 days" in str(result.error)
        assert job.retry() == 0
        assert job.retry(lost=True) == 1


def test_a_batch_that_is_forgotten_with_its_files(
    service: Service, client: BatchClient, path: Path
) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        service.batches.clear()
        with pytest.raises(NotFoundError):  # it may be another account's key
            job.refresh()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE parts SET created_at = created_at - 31 * 86400")
        assert job.refresh().lost == 1


def test_a_batch_that_failed_as_a_whole_says_why(
    service: Service, client: BatchClient, path: Path
) -> None:
    service.status = "failed"
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        service.batches["batch-0"]["errors"] = {"data": [{"message": "no balance"}]}
        assert job.wait(poll=0).unanswered == 1
        (result,) = job.results()
        assert str(result.error) == "Batch batch-0 failed as a whole: no balance."


def test_lines_of_nobody_are_counted_and_left_out(
    service: Service, client: BatchClient, path: Path
) -> None:
    service.answers = lambda custom_id, question: b"\n".join(
        [line(custom_id, question), line("9-1-abc", "?"), line("x", "?"), line(custom_id, "twice")]
    )
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        assert job.wait(poll=0).batches[0].unknown == 2
        assert texts(job) in (["0?"], ["twice"])  # the first that came


def test_every_batch_has_one_model_and_no_more_than_it_may(
    service: Service, client: BatchClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rows, "MAX_FILE", 700)
    mixed = requests(4)
    mixed[1]["model"] = "mimo-v2.6-pro"
    with BatchJob(path, client) as job:
        job.add(mixed)
        job.submit()
        job.wait(poll=0)
        assert texts(job) == ["0?", "1?", "2?", "3?"]
    sent = [data for name, data in service.files.items() if name.startswith("file")]
    assert all(len(data) <= 700 for data in sent)
    for data in sent:
        assert len({json.loads(one)["body"]["model"] for one in data.splitlines()}) == 1
    with pytest.raises(InvalidRequestError, match="Request 1 is larger"):
        BatchJob(path.with_name("other.db"), client).add(requests(1, user="x" * 700))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (requests(2), "was made of 3 requests, and these are 2"),
        (requests(3, temperature=0.5), "number 1 differs"),
        (requests(4), "number 4 differs"),
    ],
)
def test_other_requests_do_not_go_into_a_job(
    client: BatchClient, path: Path, others: list[dict[str, Any]], said: str
) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(3))
        with pytest.raises(InvalidRequestError, match=said):
            job.add(others)


def test_one_request_that_cannot_be_sent_keeps_all_out(client: BatchClient, path: Path) -> None:
    with BatchJob(path, client) as job:
        with pytest.raises(InvalidRequestError, match="Request 2: Xiaomi's batches serve"):
            job.add([*requests(1), *requests(1, model="mimo-v2.5-pro")])
        assert job.status().total == 0
        with pytest.raises(InvalidRequestError, match="There is no request"):
            job.add([])


def test_a_file_of_something_else_is_not_touched(client: BatchClient, path: Path) -> None:
    path.write_text("my notes, longer than a page of a database would be in its head" * 20)
    with pytest.raises(InvalidRequestError, match="is no job of batches"):
        BatchJob(path, client)
    assert path.read_text().startswith("my notes")
    other = path.with_name("other.db")
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(InvalidRequestError, match="is no job of batches"):
        BatchJob(other, client)


def test_until_a_batch_is_asked_for_a_job_can_go_elsewhere(
    service: Service, client: BatchClient, path: Path
) -> None:
    """A wrong region is found out by the first request, which must not be the end of the file."""
    with BatchClient(KEY, batch_base_url="ams") as other, BatchJob(path, other) as job:
        job.add(requests(1))
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
    with (
        BatchClient(KEY, batch_base_url="ams") as other,
        pytest.raises(InvalidRequestError, match="belongs to https://batch-api-cn"),
    ):
        BatchJob(path, other)


def test_a_batch_that_nobody_knows_is_given_up_by_cancelling(
    service: Service, client: BatchClient, path: Path
) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(2))
        job.submit()
        service.batches.clear()
        with pytest.raises(NotFoundError, match="use the key of the account that made it"):
            job.refresh()
        assert job.cancel().lost == 2
        (result, _) = job.results()
        assert "another account's key" in str(result.error)
        assert job.retry() == 0
        assert job.retry(lost=True) == 2
        job.submit()
        assert job.wait(poll=0).answered == 2


def test_two_programs_do_not_work_on_one_job(client: BatchClient, path: Path) -> None:
    with BatchJob(path, client) as job, BatchJob(path, client) as other:
        job.add(requests(1))
        with other._store.alone():
            with pytest.raises(InvalidRequestError, match="Another program works on"):
                job.submit()
            assert job.status().waiting == 1  # looking is no work
        job.submit()


def test_an_unfinished_job_gives_what_is_there_only_when_asked(
    service: Service, client: BatchClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rows, "MAX_LINES", 1)
    with BatchJob(path, client) as job:
        job.add(requests(2))
        job.submit()
        service.status = "in_progress"
        service._work(service.batches["batch-0"] | {"status": "in_progress"})
        with pytest.raises(InvalidRequestError, match="0 are not sent and 2 in work"):
            list(job.results())
        assert list(job.results(partial=True)) == []
        service.batches["batch-1"]["status"] = "in_progress"
        service.status = "completed"
        service._work(service.batches["batch-1"])
        service.status = "in_progress"
        job.refresh()
        assert [result.position for result in job.results(partial=True)] == [1]


def test_waiting_outlives_a_network_that_is_away(
    service: Service, client: BatchClient, path: Path
) -> None:
    seen: list[JobStatus] = []
    left = 3

    def away(asked: str) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise httpx2.ConnectError("no network")

    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        service.before = away
        job.wait(poll=0, progress=seen.append)
    assert [type(status.problem) for status in seen] == [*[APIConnectionError] * 3, type(None)]


def test_waiting_ends_where_nobody_comes_back(
    service: Service, client: BatchClient, path: Path
) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        service._answer = lambda request, path: httpx2.Response(429)  # type: ignore[method-assign]
        with pytest.raises(RateLimitError):
            job.wait(poll=0)


def test_a_wait_has_a_limit_where_it_is_given_one(
    service: Service, client: BatchClient, path: Path
) -> None:
    service.status = "in_progress"
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        with pytest.raises(APITimeoutError, match="its batches go on"):
            job.wait(poll=0.01, timeout=0.05)


def test_cancelling_stops_what_runs_and_sends_nothing_more(
    service: Service, client: BatchClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rows, "MAX_LINES", 1)

    def once(asked: str) -> None:
        if asked == "POST batches":
            service.before = lost

    def lost(asked: str) -> None:
        if asked == "POST batches":
            raise httpx2.ConnectError("no network")

    service.before = once
    service.answers = lambda custom_id, question: None
    with BatchJob(path, client) as job:
        job.add(requests(3))
        with pytest.raises(APIConnectionError):
            job.submit()
        service.before = lambda asked: None
        status = job.cancel()
        assert (status.sent, status.unanswered) == (1, 2)
        status = job.wait(poll=0)
        assert status.unanswered == 3
        assert [str(result.error) for result in job.results()] == [
            "Batch batch-0 has been cancelled before it was answered.",
            *["The job was cancelled before this request was sent."] * 2,
        ]
    assert service.asked.count("POST batches") == 2


def test_a_key_that_a_server_repeats_is_not_kept(
    service: Service, client: BatchClient, path: Path
) -> None:
    service.answers = lambda custom_id, question: line(custom_id, f"your key is {KEY}")
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        job.wait(poll=0)
        assert texts(job) == ["your key is ***"]
    assert KEY.encode() not in path.read_bytes()


async def test_a_job_in_an_event_loop(service: Service, path: Path) -> None:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(service.later))
    async with (
        http,
        AsyncBatchClient(KEY, http_client=http, max_retries=0) as client,
        AsyncBatchJob(path, client) as job,
    ):
        await job.add(requests(3))
        await job.submit()
        assert (await job.refresh()).has_ended
        assert (await job.wait(poll=0)).answered == 3
        assert [result.position for result in job.results()] == [0, 1, 2]
        assert job.retry([1]) == 1
        await job.submit()
        assert (await job.cancel()).sent == 1
        assert (await job.wait(poll=0)).has_ended
    assert service.bill["1?"] == 2


def test_the_example_of_the_package_runs(
    mimo: FakeMiMo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mimo.batches.default = BatchPlan("completed")  # it looks once a minute
    block = re.search(r"^    .*?(?=^\S)", batches.__doc__ or "", re.DOTALL | re.MULTILINE)
    assert block is not None
    monkeypatch.chdir(tmp_path)
    with all_requests_to(mimo):
        exec(compile(textwrap.dedent(block[0]), "mimo_core.batches", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.index("Name a river.") < printed.index("Name a lake.")
    assert mimo.batches.bill_by_prompt == {"Name a river.": 1, "Name a lake.": 1}
