"""Jobs on the batch engine over their life: deaths, expiry, addresses, and how far they are."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate

from langchain_mimo import (
    ChatMiMo,
    MiMoAuthenticationError,
    MiMoConnectionError,
    MiMoInvalidRequestError,
    MiMoNotFoundError,
    MiMoServerError,
    MiMoTimeoutError,
    batch_job,
)
from langchain_mimo.batch_jobs import BatchChatJob
from langchain_mimo.job_progress import progress_text, shown
from mimo_core.batches import JobBatch, JobStatus
from mimo_core.testing import BatchPlan
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from tests.conftest import KEY, STRICT
from tests.langchain.batch_server import BatchServer, done

Make = Callable[..., ChatMiMo]


# ---------------------------------------------------------------- a file that outlives a program


class Death(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("dies_at", ["POST files", "POST batches", "GET batches", "GET files"])
def test_the_same_arguments_go_on_after_a_death(
    batch_server: BatchServer,
    batch_chat: Make,
    job_path: Path,
    dies_at: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the request of this kind reaches the batch_server."""
    from mimo_core.client import MiMoClient

    ask = MiMoClient._ask
    calls: list[str] = []

    def dying(self: MiMoClient, call: Any) -> Any:
        asked = f"{call.method} {call.url.split('/')[4].partition('?')[0]}"
        if asked == dies_at and not calls:
            calls.append(asked)
            raise Death
        return ask(self, call)

    monkeypatch.setattr(MiMoClient, "_ask", dying)
    with pytest.raises(Death):
        done(batch_chat().batch_job(["1", "2"], path=job_path))
    assert [
        message.text for message in done(batch_chat().batch_job(["1", "2"], path=job_path))
    ] == [
        "About 1",
        "About 2",
    ]
    assert set(batch_server.bill.values()) == {1}
    assert batch_server.asked.count("POST batches") == 1


def test_other_inputs_are_refused(
    batch_chat: Make, job_path: Path, batch_server: BatchServer
) -> None:
    batch_chat().batch_job(["1", "2"], path=job_path).close()
    before = job_path.read_bytes()
    with pytest.raises(
        MiMoInvalidRequestError, match=r"job\.db was made of other requests: number 2"
    ):
        batch_chat().batch_job(["1", "3"], path=job_path)
    with pytest.raises(MiMoInvalidRequestError, match=r"number 3 differs"):
        batch_chat().batch_job(["1", "2", "3"], path=job_path)
    with pytest.raises(MiMoInvalidRequestError, match="other requests"):
        batch_chat().batch_job(["1", "2"], path=job_path, max_tokens=10)
    assert job_path.read_bytes() == before
    assert batch_server.asked.count("POST batches") == 1


def test_expired_lines_are_asked_again_alone(
    batch_server: BatchServer, batch_chat: Make, job_path: Path
) -> None:
    batch_server.status, batch_server.skips = "expired", lambda text: text == "2"
    with batch_chat().batch_job(["1", "2", "3"], path=job_path) as job:
        status = job.wait(poll=0, progress=False)
        assert (status.answered, status.unanswered) == (2, 1)
        one, two, _ = job.results()
        assert one.text == "About 1"
        assert isinstance(two, MiMoServerError)
        assert str(two).endswith("expired before it was answered. retry() asks for it again.")
        batch_server.status, batch_server.skips = "completed", lambda text: False
        assert job.retry() == 1
        job.wait(poll=0, progress=False)
        assert [message.text for message in job.results()] == ["About 1", "About 2", "About 3"]
        assert job.retry() == 0
    assert set(batch_server.bill.values()) == {1}


def test_a_lost_line_says_how_it_is_asked_for_again(
    batch_server: BatchServer, batch_chat: Make, job_path: Path
) -> None:
    """It may have been paid for, so that `retry()` leaves it as it is."""
    batch_server.skips = lambda text: text == "2"
    with batch_chat().batch_job(["1", "2"], path=job_path) as job:
        assert job.wait(poll=0, progress=False).lost == 1
        _, two = job.results()
        assert isinstance(two, MiMoNotFoundError)
        assert "paid for" in str(two)
        assert str(two).endswith(" retry(lost=True) asks for it again.")
        assert job.retry() == 0
        batch_server.skips = lambda text: False
        assert job.retry(lost=True) == 1
        job.wait(poll=0, progress=False)
        assert [message.text for message in job.results()] == ["About 1", "About 2"]


def test_a_job_that_has_not_ended(
    batch_server: BatchServer, batch_chat: Make, job_path: Path
) -> None:
    batch_server.status = "in_progress"
    with batch_chat().batch_job(["1", "2"], path=job_path) as job:
        with pytest.raises(MiMoTimeoutError, match="has not ended within 0 s"):
            job.wait(poll=1, timeout=0, progress=False)
        with pytest.raises(MiMoInvalidRequestError, match="has not ended"):
            list(job.results())
        assert list(job.results(partial=True)) == [None, None]
        assert job.status().batches[0].status == "in_progress"
        looked = len(batch_server.asked)
        assert job.status(refresh=False).sent == 2
        assert len(batch_server.asked) == looked
        assert job.cancel().batches[0].status == "cancelling"
        batch_server.skips = lambda text: text == "2"
        one, two = done(job)
    assert one.text == "About 1"
    assert "cancelled before it was answered" in str(two)


async def test_a_status_while_another_program_looks_is_what_the_file_knows(
    batch_chat: Make, job_path: Path
) -> None:
    with batch_chat().batch_job(["1"], path=job_path) as job:
        assert isinstance(job, BatchChatJob)
        async with await batch_chat().abatch_job(["1"], path=job_path) as other:
            with job._job._store.alone():
                assert job.status().sent == 1
                assert (await other.status()).sent == 1
                with pytest.raises(MiMoInvalidRequestError, match="Another program works on"):
                    job.cancel()


# ---------------------------------------------------------------- on the emulator


def test_a_model_of_the_messages_protocol_has_batches_too(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    """Their address is another one, and their requests are chat completions."""
    mimo.batches.default = BatchPlan("completed")
    mimo.respond = lambda request: Reply("Hi.", reasoning="Hm.")
    model = batch_chat(base_url=mimo.messages_base_url, protocol="messages")
    job = model.batch_job(["Hi"], path=job_path, batch_base_url=mimo.base_url)
    (message,) = done(job)
    assert message.additional_kwargs["reasoning_content"] == "Hm."
    assert mimo.batches.bill.total() == 1


def test_the_key_is_not_in_the_file(mimo: FakeMiMo, batch_chat: Make, job_path: Path) -> None:
    mimo.batches.default = BatchPlan("completed")
    mimo.respond = lambda request: f"Your key is {KEY}."
    model = batch_chat(base_url=mimo.base_url, default_headers={"x-token": f"{KEY}-2"})
    with model.batch_job(["1"], path=job_path) as job:
        job.wait(poll=0, progress=False)
        assert KEY not in str(list(job.results()))
    assert KEY.encode() not in job_path.read_bytes()


def test_an_unanswered_create_and_an_expiry_cost_nothing_twice(
    mimo: FakeMiMo, batch_chat: Make, job_path: Path
) -> None:
    """The batch is made and its answer gets lost; the list is late; half of it expires."""
    mimo.respond = lambda request: f"About {request.text_of('user')}"
    mimo.batches.queue(
        BatchPlan(["in_progress", "expired"], answered=2, unlisted=1, names_unanswered=True),
        BatchPlan("completed"),
    )
    mimo.batches.fail("create", Fault(cut="before_headers"))
    inputs = ["1", "2", "3"]
    model = batch_chat(base_url=mimo.base_url)
    with pytest.raises(MiMoConnectionError, match="Go on with the same job"):
        model.batch_job(inputs, path=job_path)
    with model.batch_job(inputs, path=job_path) as job:
        status = job.wait(poll=0, progress=False)
        assert (status.answered, status.failed + status.unanswered) == (2, 1)
        assert job.retry() == 1
        job.wait(poll=0, progress=False)
        assert [message.text for message in job.results()] == [f"About {n}" for n in inputs]
    assert mimo.batches.bill_by_prompt == {"1": 1, "2": 1, "3": 1}


@pytest.mark.slow  # two processes, one of which is killed
def test_a_killed_process_is_gone_on_with_by_another(mimo: FakeMiMo, job_path: Path) -> None:
    mimo.batches.default = BatchPlan(["in_progress", "completed"], seconds=0.3)
    program = [sys.executable, *STRICT, "-c", PROGRAM, mimo.base_url, str(job_path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "submitted\n"
        killed.kill()
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["submitted", "300 answered, first 0, last 299"]
    assert len(mimo.batches.all) == 1
    bill = mimo.batches.bill_by_prompt
    assert (len(bill), set(bill.values())) == (300, {1})


PROGRAM = """
import sys
from langchain_mimo import ChatMiMo

model = ChatMiMo(api_key="sk-any", base_url=sys.argv[1], max_tokens=20)
with model.batch_job([str(n) for n in range(300)], path=sys.argv[2]) as job:
    print("submitted", flush=True)
    job.wait(poll=0.1, progress=False)
    asked = [result.request["messages"][0]["content"] for result in job._job.results()]
    texts = [message.text for message in job.results()]
    print(f"{len(list(filter(None, texts)))} answered, first {asked[0]}, last {asked[-1]}")
"""


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"engine": "dask"}, "engine is 'dask'; it can be 'batch' or 'realtime'"),
        ({"workers": 2}, "workers is for engine='realtime'"),
        ({"requests_per_minute": 9}, "requests_per_minute is for engine='realtime'"),
        ({"tokens_per_minute": 9}, "tokens_per_minute is for engine='realtime'"),
        ({"extra_headers": {"x-a": "b"}}, "no place for extra_headers"),
        ({"extra_query": {"a": "b"}}, "no place for extra_query"),
        ({"model": "mimo-v2.5-tts"}, "chat models, not mimo-v2.5-tts"),
        ({"api_key": KEY}, "belongs to ChatMiMo"),
        ({"temprature": 1}, "did you mean 'temperature'"),
        ({"inputs": "Hi"}, "inputs must be a list"),
        ({"inputs": HumanMessage("Hi")}, "inputs must be a list"),
        ({"inputs": {"text": "Hi"}}, "inputs must be a list"),
        ({"inputs": []}, "no input to ask for"),
        ({"inputs": ["Hi", 7]}, "Input 2: The input is not a text"),
        ({"config": [{}, {}]}, "config: "),
        ({"return_exceptions": False}, "leave return_exceptions out"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_sent(
    batch_server: BatchServer,
    batch_chat: Make,
    job_path: Path,
    arguments: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(MiMoInvalidRequestError, match=re.escape(said)) as e:
        batch_chat().batch_job(**{"inputs": ["Hi"], "path": job_path, **arguments})
    assert "\n" not in str(e.value)
    assert batch_server.asked == []


def test_arguments_for_a_model_behind_another_step(batch_chat: Make, job_path: Path) -> None:
    chain = ChatPromptTemplate.from_template("{x}") | batch_chat()
    with pytest.raises(MiMoInvalidRequestError, match=r"'stop' is for the model.*bind it"):
        batch_job(chain, [{"x": 1}], path=job_path, stop=["END"])


def test_a_job_has_an_address_of_its_own(
    batch_server: BatchServer, batch_chat: Make, job_path: Path, mimo: FakeMiMo
) -> None:
    model = batch_chat(base_url=mimo.base_url, default_headers={"x-team": "blue"})
    (message,) = done(model.batch_job(["1"], path=job_path, batch_base_url=batch_server.base_url))
    assert message.text == "About 1"
    assert batch_server.headers["x-team"] == "blue"


@pytest.mark.parametrize("key", ["tp-0123456789abcdef", "none"])
def test_xiaomis_batches_take_one_kind_of_key(job_path: Path, key: str) -> None:
    model = ChatMiMo(api_key=key, base_url="https://api.xiaomimimo.com/v1")
    with pytest.raises(MiMoAuthenticationError, match="pay-as-you-go key"):
        model.batch_job(["1"], path=job_path)
    assert not job_path.exists()


async def test_where_there_are_no_batches(mimo: FakeMiMo, batch_chat: Make, job_path: Path) -> None:
    model = batch_chat(base_url=f"{mimo.base_url}/nowhere")
    with pytest.raises(MiMoNotFoundError, match=r"batch_base_url.*one by one: engine='realtime'"):
        model.batch_job(["1"], path=job_path)
    with pytest.raises(MiMoNotFoundError, match=r"batch_base_url.*one by one: engine='realtime'"):
        await model.abatch_job(["1"], path=job_path)


# ---------------------------------------------------------------- progress


def test_the_line_of_progress() -> None:
    batch = JobBatch("a.jsonl", 8, "batch-0", "in_progress", completed=5)
    status = JobStatus(1000, 0, 8, 990, 1, 1, 0, (batch,), None)
    text = "995 of 1,000 answered, 1 failed, 1 not answered, in_progress"
    assert progress_text(status) == text
    lost = status._replace(problem=MiMoTimeoutError("no answer"))
    assert progress_text(lost) == f"{text}, trying again (no answer)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminals_line_is_rewritten_and_a_files_is_written_when_it_changes() -> None:
    first, second = JobStatus(2, 0, 2, 0, 0, 0, 0), JobStatus(2, 0, 0, 2, 0, 0, 0)
    for stream, said in (
        (Terminal(), "\r\x1b[Kjob.db: 0 of 2 answered\r\x1b[Kjob.db: 2 of 2 answered\n"),
        (io.StringIO(), "job.db: 0 of 2 answered\njob.db: 2 of 2 answered\n"),
    ):
        with shown(True, "/tmp/job.db", stream) as look:
            assert look is not None
            for status in (first, first, second):
                look(status)
        assert stream.getvalue() == said


def test_progress_can_be_the_callers_and_can_be_off(
    batch_chat: Make, job_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[JobStatus] = []
    with batch_chat().batch_job(["1"], path=job_path) as job:
        job.wait(poll=0, progress=seen.append)
        job.wait(poll=0, progress=False)
        assert capsys.readouterr().err == ""
        job.wait(poll=0)
    assert seen[-1].answered == 1
    assert capsys.readouterr().err == "job.db: 1 of 1 answered\n"
