"""Jobs of batches at servers that are late, clumsy or hostile, and on disks that are."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mimo_core.batches import BatchClient, BatchJob, _job_steps, _steps
from mimo_core.errors import InvalidRequestError, InvalidResponseError, MiMoError, NotFoundError
from tests.core.batch_service import KEY, Service, line, requests, texts

Answer = httpx2.Response


class Changed(Service):
    """A service whose answers are changed on their way.

    Attributes:
        change: called with the method and path of a request and its true answer.
    """

    change: Callable[[str, Answer], Answer] = staticmethod(lambda asked, answer: answer)

    def _answer(self, request: httpx2.Request, path: str) -> Answer:
        asked = f"{request.method} {path.partition('?')[0]}"
        return self.change(asked, super()._answer(request, path))

    def replace(self, asked: str, *, times: int = 10**6, **answer: Any) -> None:
        """Answer a request otherwise, after it was done; so many times."""
        left = [times]

        def change(now: str, true: Answer) -> Answer:
            if not now.startswith(asked) or not left[0]:
                return true
            left[0] -= 1
            if "change" in answer:
                changed = json.loads(true.content) | answer["change"]
                return Answer(200, content=json.dumps(changed))
            made: dict[str, Any] = {"content": true.content, "status_code": 200} | answer
            return Answer(**made)

        self.change = change


@pytest.fixture
def service() -> Changed:
    return Changed()


@pytest.fixture
def client(service: Changed) -> Iterator[BatchClient]:
    http = httpx2.Client(transport=httpx2.MockTransport(service))
    with BatchClient(KEY, http_client=http, max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; what would have been waited for."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.db"


def run(path: Path, client: BatchClient, count: int = 3) -> list[str | None]:
    """A whole job, of a user who tries again where it stops."""
    for attempt in range(3):
        with BatchJob(path, client) as job:
            job.add(requests(count))
            try:
                job.submit()
                job.wait(poll=0)
            except MiMoError:
                if attempt == 2:
                    raise
                continue
            return texts(job)
    raise AssertionError


# What was made, and answered with something else


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 201},
        {"status_code": 202},
        {"content": b""},
        {"content": b'{"id": "batch-0", "sta'},
        {"content": b"<html>200 OK</html>"},
        {"content": b"[1]"},
        {"json": {"id": "batch-0"}, "content": None},
        {"json": {"id": "b" * 10_000, "status": "validating"}, "content": None},
        {"json": {"error": {"message": "?"}}, "content": None},
        {"status_code": 500, "json": {"error": {"code": "400", "message": "?"}}, "content": None},
        {"status_code": 500, "json": {"error": {"code": "429", "message": "?"}}, "content": None},
        {"status_code": 303},
        {"status_code": 408},
        {"status_code": 409},
        {"status_code": 499},
    ],
)
def test_a_batch_that_was_made_is_not_made_again_whatever_was_answered(
    service: Changed, client: BatchClient, path: Path, answer: dict[str, Any]
) -> None:
    service.replace("POST /batches", times=1, **answer)
    assert run(path, client) == ["0?", "1?", "2?"]
    assert set(service.bill.values()) == {1}


@pytest.mark.parametrize("more", [{}, {"has_more": None}])
def test_a_list_that_does_not_say_whether_there_is_more_is_read_to_its_end(
    service: Changed,
    client: BatchClient,
    path: Path,
    more: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch is the last one of three pages."""
    monkeypatch.setattr(_steps, "_PAGE", 2)
    others = [{"id": f"other-{n}", "status": "completed"} for n in range(5)]
    service.replace("POST /batches", times=1, status_code=500)
    cut = service.change

    pages: list[str] = []

    def paged(asked: str, true: Answer) -> Answer:
        if asked != "GET /batches":
            return cut(asked, true)
        last = pages.pop() if pages else None
        ids = [*others, *service.batches.values()]
        start = next((n + 1 for n, one in enumerate(ids) if one["id"] == last), 0)
        page = ids[start : start + 2]
        pages.append(page[-1]["id"] if page else "none")
        return Answer(200, json={"data": page, **more})

    service.change = paged
    assert run(path, client) == ["0?", "1?", "2?"]
    assert set(service.bill.values()) == {1}


def test_a_list_gets_time_to_show_what_was_made(
    service: Changed, client: BatchClient, path: Path, slept: list[float]
) -> None:
    """A batch that its list does not show yet is not made again at once."""
    service.replace("POST /batches", times=1, status_code=504)
    service.listed = False

    def shows(seconds: float) -> None:
        slept.append(seconds)
        service.listed = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", shows)
        assert run(path, client) == ["0?", "1?", "2?"]
    assert 0 < slept[0] <= _job_steps._LATE
    assert set(service.bill.values()) == {1}


def test_where_nobody_can_tell_cancelling_is_the_way_out(
    service: Changed, client: BatchClient, path: Path
) -> None:
    """The list never shows the batch, and its file cannot be deleted."""
    service.listed = False
    service.replace("POST /batches", times=1, status_code=504)
    with BatchJob(path, client) as job:
        job.add(requests(2))
        with pytest.raises(MiMoError):
            job.submit()
        service.replace("DELETE", status_code=405, content=b"")
        with pytest.raises(MiMoError, match=r"405.*cancel the job"):
            job.submit()
        assert job.cancel().lost == 2
        assert "may have been" in str(next(job.results()).error)
        assert job.retry() == 0
        assert job.retry(lost=True) == 2


def test_the_key_of_another_account_sends_nothing_again(
    service: Changed, client: BatchClient, path: Path
) -> None:
    """It sees neither the batch nor the file: that says nothing about what was made."""
    service.replace("POST /batches", times=1, status_code=504)
    service.listed = False
    with BatchJob(path, client) as job:
        job.add(requests(2))
        with pytest.raises(MiMoError):
            job.submit()
        service.replace("DELETE", status_code=404, content=b"")
        service.asked.clear()
        for _ in range(2):
            with pytest.raises(NotFoundError, match="same account"):
                job.submit()
        assert "POST files" not in service.asked


def test_a_deletion_that_was_not_answered_is_one(service: Changed, path: Path) -> None:
    """The second time the file is not there, because of the first."""
    http = httpx2.Client(transport=httpx2.MockTransport(service))

    def refuse(asked: str) -> None:
        if asked == "POST batches":
            service.before = lambda asked: None
            raise httpx2.ReadTimeout("slow")

    def lost(asked: str) -> None:
        if asked == "DELETE files":
            service.after = lambda asked: None
            raise httpx2.ReadError("reset")

    service.before, service.after = refuse, lost
    with (
        BatchClient(KEY, http_client=http, max_retries=1) as client,
        BatchJob(path, client) as job,
    ):
        job.add(requests(2))
        with pytest.raises(MiMoError):
            job.submit()
        job.submit()
        assert job.wait(poll=0).answered == 2
    assert service.asked.count("DELETE files") == 2


# Results


@pytest.mark.parametrize(
    "change",
    [
        {"output_file_id": None},
        {"status": "expired", "output_file_id": None, "request_counts": {"completed": 3}},
        {"status": "cancelled", "output_file_id": None, "request_counts": {"completed": 1}},
    ],
)
def test_results_that_come_after_the_end_are_waited_for(
    service: Changed, client: BatchClient, path: Path, change: dict[str, Any]
) -> None:
    service.replace("GET /batches/", times=2, change=change)
    assert run(path, client) == ["0?", "1?", "2?"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 404},
        {"content": b""},
        {"content": b"<html>later</html>"},
        {"content": line("0-1-0123456789abcdef", "of another job") + b'\n{"custom_id": "0-1'},
    ],
)
def test_a_file_that_is_late_or_cut_is_fetched_again(
    service: Changed, client: BatchClient, path: Path, answer: dict[str, Any]
) -> None:
    service.replace("GET /files", times=3, **answer)
    assert run(path, client) == ["0?", "1?", "2?"]


def test_what_was_called_lost_is_found_by_a_later_look(
    service: Changed, client: BatchClient, path: Path
) -> None:
    service.replace("GET /files", content=b"")
    assert run(path, client) == [None, None, None]
    service.change = lambda asked, answer: answer
    with BatchJob(path, client) as job:
        assert job.status().lost == 3
        assert job.refresh().lost == 0
        assert texts(job) == ["0?", "1?", "2?"]


@pytest.mark.parametrize(
    "bad",
    [
        b"not JSON",
        b"[" * 5_000,
        b'{"summary": true}',
        b'{"custom_id": 5, "response": {}}',
        b'{"custom_id": "\\ud800", "response": {"body": {}}}',
        b'{"custom_id": "1", "response": {"body": "\\ud800"}}',
        b"\xff\xfe",
    ],
)
def test_a_line_that_cannot_be_read_keeps_no_other_answer_away(
    service: Changed, client: BatchClient, path: Path, bad: bytes
) -> None:
    service.answers = lambda id, question: line(id, question) + b"\n" + bad
    assert run(path, client) == ["0?", "1?", "2?"]
    with BatchJob(path, client) as job:
        assert job.status().batches[0].unknown == 3


def test_an_answer_with_a_broken_letter_is_an_answer(
    service: Changed, client: BatchClient, path: Path
) -> None:
    service.answers = lambda id, question: line(id, "Stra__e").replace(b"__", b"\xdf")
    assert run(path, client, 1) == ["Stra\N{REPLACEMENT CHARACTER}e"]


@pytest.mark.parametrize(
    ("change", "is_read"),
    [
        ({"status": "COMPLETED"}, True),
        ({"status": "canceled"}, True),
        ({"request_counts": {"total": 10**30, "completed": 10**30, "failed": -1}}, True),
        ({"request_counts": "many"}, True),
        ({"errors": {"data": 5}}, True),
        ({"status": "failed", "output_file_id": None, "errors": ["\ud800 no"]}, False),
        ({"status": "failed", "output_file_id": None, "errors": {"message": "no"}}, False),
    ],
)
def test_a_batch_that_is_described_oddly(
    service: Changed, client: BatchClient, path: Path, change: dict[str, Any], is_read: bool
) -> None:
    service.replace("GET /batches/", change=change)
    assert run(path, client, 1) == (["0?"] if is_read else [None])
    if not is_read:
        with BatchJob(path, client) as job:
            assert "no." in str(next(job.results()).error)


def test_answers_that_the_service_counts_and_does_not_give_are_not_sent_again_unasked(
    service: Changed, client: BatchClient, path: Path
) -> None:
    """It may want money for them."""
    change = {"status": "expired", "output_file_id": None, "request_counts": {"completed": 2}}
    service.replace("GET /batches/", change=change)
    run(path, client)
    with BatchJob(path, client) as job:
        assert job.status().lost == 3
        assert job.retry() == 0


@pytest.mark.parametrize("status", [404, 200])
def test_a_batch_in_trouble_keeps_no_other_ones_answers_away(
    service: Changed,
    client: BatchClient,
    path: Path,
    status: int,
) -> None:
    both = [*requests(1), *requests(2, model="mimo-v2.6-pro")[1:]]
    with BatchJob(path, client) as job:
        job.add(both)
        job.submit()
        service.replace("GET /batches/batch-0", status_code=status, content=b"<html>")
        with pytest.raises((NotFoundError, InvalidResponseError)):
            job.refresh()
        assert job.status().answered == 1
        service.replace("GET /batches/batch-0", status_code=status, content=b"<html>", times=3)
        assert job.wait(poll=0).answered == 2  # it is known after some minutes


@pytest.mark.parametrize(
    "refused", ["POST /batches/batch-0/cancel", "POST /batches/batch-1/cancel"]
)
def test_a_batch_that_cannot_be_cancelled_keeps_no_other_running(
    service: Changed, client: BatchClient, path: Path, refused: str
) -> None:
    with BatchJob(path, client) as job:
        job.add([*requests(1), *requests(2, model="mimo-v2.6-pro")[1:]])
        job.submit()
        service.replace(refused, status_code=500)
        service.status = "in_progress"
        with pytest.raises(MiMoError):
            job.cancel()
    assert service.asked.count("POST cancel") == 2


def test_a_batch_that_has_ended_needs_no_cancelling(
    service: Changed, client: BatchClient, path: Path
) -> None:
    def ended(asked: str, answer: Answer) -> Answer:
        if not asked.endswith("/cancel"):
            return answer
        service.batches["batch-0"]["status"] = "in_progress"
        service.status = "completed"
        return Answer(400, json={"error": {"message": "it has ended already"}})

    with BatchJob(path, client) as job:
        job.add(requests(2))
        job.submit()
        service.change = ended
        job.cancel()
        job.wait(poll=0)
        assert texts(job) == ["0?", "1?"]


# Files


def test_a_job_named_memory_is_a_file(
    client: BatchClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory", "a%20b?#c.db"):
        with BatchJob(name, client) as job:
            job.add(requests(1))
        with BatchJob(name, client) as job:
            assert job.status().total == 1


def test_a_job_is_kept_in_a_file_only(client: BatchClient, path: Path) -> None:
    os.mkfifo(path)
    for what in (path, path.parent, "/dev/null"):
        with pytest.raises(InvalidRequestError, match=r"cannot be used: (Not a regular|Is a dir)"):
            BatchJob(what, client)


def test_two_programs_do_not_work_on_one_job_by_different_names(
    client: BatchClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path.parent / "elsewhere").mkdir()
    link = path.parent / "elsewhere" / "link.db"
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)
    with BatchJob("job.db", client) as job, BatchJob(link, client) as other:
        monkeypatch.chdir("elsewhere")  # the lock stays where the file is
        with job._store.alone(), pytest.raises(InvalidRequestError, match="Another program"):
            other.submit()


def test_a_lock_that_cannot_be_had_is_not_another_programs(client: BatchClient, path: Path) -> None:
    """A wait would go on for it."""
    with BatchJob(path, client) as job:
        job.add(requests(1))
        os.unlink(f"{path}.lock")
        os.mkdir(f"{path}.lock")
        with pytest.raises(
            InvalidRequestError, match="lock cannot be used: unable to open"
        ) as seen:
            job.submit()
        assert seen.value.code is None


def test_a_full_disk_is_named_and_nothing_is_sent_twice(
    service: Changed, client: BatchClient, path: Path
) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(3))
        job.submit()
        most = job._store._db.execute("PRAGMA page_count").fetchone()[0]
        service.answers = lambda id, question: line(id, question * 10_000)
        job._store._db.execute(f"PRAGMA max_page_count = {most}")
        with pytest.raises(InvalidRequestError, match="disk is full"):
            job.wait(poll=0)
        job._store._db.execute("PRAGMA max_page_count = 1000000")
        assert job.wait(poll=0).answered == 3
    assert len(service.batches) == 1


def test_a_damaged_file_says_so(client: BatchClient, path: Path) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(300))
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 8)
    with (
        pytest.raises(InvalidRequestError, match="is damaged"),
        BatchJob(path, client) as job,
    ):
        job.submit()


def test_a_damaged_request_says_so(service: Changed, client: BatchClient, path: Path) -> None:
    run(path, client)
    with BatchJob(path, client) as job:
        job._store._db.execute("UPDATE requests SET body = x'e1' WHERE position = 1")
        with pytest.raises(InvalidRequestError, match="request 2 cannot be read"):
            list(job.results())


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
def test_a_kept_traceback_keeps_no_lock(
    service: Changed, client: BatchClient, path: Path, failure: type[BaseException]
) -> None:
    """As a notebook keeps it after Ctrl-C."""

    def stop(asked: str) -> None:
        service.before = lambda asked: None
        raise failure

    service.before = stop
    with BatchJob(path, client) as job:
        job.add(requests(2))
        with pytest.raises(failure) as kept:
            job.submit()
        job.submit()
        assert job.wait(poll=0).answered == 2
    assert kept.tb is not None


@pytest.mark.parametrize("poll", [-1, float("nan"), float("inf")])
def test_a_poll_that_is_none_is_refused(client: BatchClient, path: Path, poll: float) -> None:
    with BatchJob(path, client) as job:
        job.add(requests(1))
        job.submit()
        with pytest.raises(InvalidRequestError, match="poll is"):
            job.wait(poll=poll)
