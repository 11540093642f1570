"""Jobs on the realtime engine: asked one by one within the limits, gone on with after a death."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import BaseModel

from langchain_mimo import (
    ChatMiMo,
    MiMoAuthenticationError,
    MiMoContentFilterError,
    MiMoInvalidRequestError,
    MiMoOutputCheckError,
    MiMoServerError,
    MiMoTimeoutError,
    abatch_job,
    batch_job,
    realtime_jobs,
)
from langchain_mimo.rate_limits import Limits, RateLimits
from langchain_mimo.realtime_answers import ask, error_from, message_from
from langchain_mimo.realtime_run import Clock, RealtimeRun
from mimo_core.batches import JobStatus
from mimo_core.testing.emulator import FakeMiMo, Fault, Reply
from mimo_core.threads import in_thread
from tests.conftest import KEY
from tests.langchain.batch_server import BatchServer

Make = Callable[..., ChatMiMo]


class Meeting(BaseModel):
    """A meeting."""

    topic: str


class FastClock(Clock):
    """Time that passes only where somebody waits for it."""

    time = 1_000_000.0

    def now(self) -> float:
        return FastClock.time

    def sleep(self, seconds: float) -> None:
        FastClock.time += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> type[FastClock]:
    monkeypatch.setattr(FastClock, "time", 1_000_000.0)
    monkeypatch.setattr(realtime_jobs, "Clock", FastClock)
    return FastClock


@pytest.fixture
def make(mimo: FakeMiMo) -> Iterator[Make]:
    """Makes models that ask the emulator, and closes them."""
    mimo.respond = lambda request: f"About {request.text_of('user')}"
    with ExitStack() as models:

        def make(**arguments: Any) -> ChatMiMo:
            where = {"api_key": KEY, "base_url": mimo.base_url, "max_retries": 0}
            model = ChatMiMo(**{**where, **arguments})
            models.callback(model.close)
            return model

        yield make


@pytest.fixture
def job(make: Make, tmp_path: Path) -> Callable[..., Any]:
    """Makes a job in the one file."""

    def of(inputs: Any, *, on: Any = None, config: Any = None, **arguments: Any) -> Any:
        path = tmp_path / "job.db"
        model = on if on is not None else make()
        return batch_job(model, inputs, config, path=path, engine="realtime", **arguments)

    return of


Job = Callable[..., Any]


def asked(mimo: FakeMiMo) -> Counter[str]:
    return Counter(request.text_of("user") for request in mimo.requests)


def texts(job: Any) -> list[str]:
    return [message.text for message in job.results()]


# ---------------------------------------------------------------- answers


def test_results_come_in_the_order_of_the_inputs_and_are_those_of_invoke(
    mimo: FakeMiMo, make: Make, job: Job, tmp_path: Path
) -> None:
    heard: list[AIMessage] = []

    class Hear(BaseCallbackHandler):
        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            heard.append(response.generations[0][0].message)

    mimo.respond = lambda request: Reply(
        '{"topic": "cats"}', reasoning="Hm.", tool_calls=[("f", '{"x": [}')]
    )
    with job(["1"], config={"callbacks": [Hear()]}, response_format=Meeting) as one:
        assert one.status().waiting == 1, "nothing is asked before somebody waits"
        assert one.wait(progress=False).answered == 1
        assert list(one.results()) == heard
        assert heard[0].additional_kwargs["parsed"] == Meeting(topic="cats")
        assert heard[0].invalid_tool_calls
    assert stat.S_IMODE((tmp_path / "job.db").stat().st_mode) == 0o600


def test_steps_before_and_after_the_model(job: Job, make: Make) -> None:
    prompt = ChatPromptTemplate.from_template("{what}?")
    chain = prompt | make() | (lambda message: message.text.upper())
    with job([{"what": word} for word in "abc"], on=chain) as one:
        one.wait(progress=False)
        assert list(one.results()) == ["ABOUT A?", "ABOUT B?", "ABOUT C?"]


def test_structured_output_is_asked_for_again_and_what_stays_invalid_is_listed(
    mimo: FakeMiMo, make: Make, job: Job
) -> None:
    mimo.respond = lambda request: (
        '{"topic": "cats"}' if "good" in request.text_of("user") else "Cats!"
    )
    with job(["good", "bad"], on=make().with_structured_output(Meeting)) as one:
        one.wait(progress=False)
        good, bad = one.results()
        assert good == Meeting(topic="cats")
        assert isinstance(bad, MiMoOutputCheckError)
        assert bad.llm_output == "Cats!"
        assert one.invalid() == ["bad"]
    assert len(mimo.requests) == 3


def test_an_error_comes_out_of_the_file_as_it_went_in(mimo: FakeMiMo, make: Make) -> None:
    mimo.queue(Fault("overloaded", retry_after=7))
    outcome = ask(make(), "Hi", {}, {})
    assert (outcome.state, outcome.passes) == ("failed", True)
    error = error_from(outcome.text)
    assert type(error) is MiMoServerError
    assert (error.status, error.retry_after, error.is_retryable) == (503, 7, True)
    assert "overloaded" in str(error)
    assert error.response is not None
    assert error.response.status_code == 503
    assert KEY not in outcome.text


def test_an_answer_is_kept_whatever_is_in_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a surrogate pair, which UTF-8 does not have, and what JSON does not have."""
    strange = AIMessage("\ud83d", additional_kwargs={"at": Path("/x")}, tool_calls=[])
    monkeypatch.setattr(ChatMiMo, "invoke", lambda *args, **kwargs: strange)
    outcome = ask(make(), "Hi", {}, {})
    outcome.text.encode()
    assert message_from(outcome.text).content == "\ud83d"
    assert message_from(outcome.text).additional_kwargs == {"at": "/x"}


def test_usage_is_what_the_limiter_counts(mimo: FakeMiMo, make: Make) -> None:
    mimo.queue(Reply("Hi", usage={"total_tokens": 77}))
    outcome = ask(make(), "Hi", {}, {})
    assert outcome.tokens == 77
    assert message_from(outcome.text).text == "Hi"


# ---------------------------------------------------------------- limits


def most_in_a_minute(times: list[float]) -> int:
    return max(sum(start <= time < start + 60 for time in times) for start in times)


def test_no_minute_has_more_requests_than_allowed(
    mimo: FakeMiMo, job: Job, clock: type[FastClock]
) -> None:
    times: list[float] = []

    def respond(request: Any) -> str:
        times.append(clock.time)
        return "fine"

    mimo.respond = respond
    with job([str(n) for n in range(25)], requests_per_minute=10) as one:
        one.wait(progress=False)
    assert len(times) == 25
    assert most_in_a_minute(times) == 10
    assert clock.time == 1_000_120.0


def test_the_limit_outlives_the_program(job: Job, clock: type[FastClock]) -> None:
    inputs = ["1", "2", "3"]
    with job(inputs, requests_per_minute=2) as one, pytest.raises(MiMoTimeoutError):
        one.wait(timeout=30, progress=False)
    assert clock.time == 1_000_030.0
    with job(inputs, requests_per_minute=2) as one:
        assert one.wait(progress=False).answered == 3
    assert clock.time == 1_000_060.0


def test_tokens_are_counted_as_the_answers_say(
    mimo: FakeMiMo, job: Job, clock: type[FastClock]
) -> None:
    mimo.respond = lambda request: Reply("fine", usage={"total_tokens": 600})
    with job(["1", "2", "3"], config={"max_concurrency": 1}, tokens_per_minute=1000) as one:
        one.wait(progress=False)
    assert clock.time == 1_000_060.0, "two are over the limit when the second is answered"


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute"])
@pytest.mark.parametrize("value", [0, -1, "many", True, float("nan")])
def test_a_limit_is_a_number(job: Job, name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(MiMoInvalidRequestError, match=f"{name} is .* must be a number from 1"):
        job(["1"], **{name: value})
    assert not (tmp_path / "job.db").exists()


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 80)), max_size=60),
    st.integers(1, 5),
    st.integers(50, 200),
)
def test_whoever_waits_as_told_is_never_over_the_limits(
    steps: list[tuple[float, int]], requests: int, tokens: int
) -> None:
    limits = RateLimits(Limits(requests, tokens))
    now, sent = 0.0, list[tuple[float, int]]()
    for pause, own in steps:
        now += pause
        delay = limits.delay(own, now)
        now += delay
        assert limits.delay(own, now) <= 1e-6
        limits.send(own, now)
        sent.append((now, own))
        minute = [tokens for at, tokens in sent if at > now - 60 + 1e-6]
        assert len(minute) <= requests
        assert sum(minute) <= tokens or len(minute) == 1


def test_nothing_waits_longer_than_it_has_to() -> None:
    limits = RateLimits(Limits(2, None))
    assert limits.delay(10**9, 0.0) == 0
    limits.send(1, 0.0)
    limits.send(1, 10.0)
    assert limits.delay(1, 20.0) == 40.0
    assert limits.delay(1, 60.0) == 0.0
    assert RateLimits(Limits(None, None)).delay(1, 0.0) == 0


# ---------------------------------------------------------------- a file that outlives a program


class Death(BaseException):
    """The process dies here."""


def test_what_is_in_the_file_is_not_asked_again(
    mimo: FakeMiMo, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies with one answer kept, and the second one on its way."""
    keep = RealtimeRun.ended
    kept: list[int] = []

    def dying(self: RealtimeRun, position: int, outcome: Any) -> None:
        if kept:
            raise Death
        kept.append(position)
        keep(self, position, outcome)

    inputs = ["1", "2", "3", "4"]
    with monkeypatch.context() as patch, job(inputs, config={"max_concurrency": 1}) as one:
        patch.setattr(RealtimeRun, "ended", dying)
        with pytest.raises(Death):
            one.wait(progress=False)
    with job(inputs) as one:
        assert (one.status().answered, one.status().sent, one.status().waiting) == (1, 1, 2)
        with pytest.raises(MiMoInvalidRequestError, match="3 of 4 requests have no answer"):
            list(one.results())
        assert [getattr(found, "text", None) for found in one.results(partial=True)] == [
            "About 1",
            *[None] * 3,
        ]
        one.wait(progress=False)
        assert texts(one) == [f"About {word}" for word in inputs]
        assert one.asked_again() == 1
        one.wait(progress=False)
    assert asked(mimo) == {"1": 1, "2": 2, "3": 1, "4": 1}


def test_ctrl_c_keeps_what_is_on_its_way(mimo: FakeMiMo, job: Job) -> None:
    both_are_there = threading.Barrier(2)

    def respond(request: Any) -> Fault:
        both_are_there.wait(10)
        return Fault(reply=Reply("fine"), latency=0.3 if "2" in request.text_of("user") else 0)

    def interrupt(status: JobStatus) -> None:
        if status.answered == 1:
            raise KeyboardInterrupt

    mimo.respond = respond
    with job(["1", "2", "3"], config={"max_concurrency": 2}) as one:
        with pytest.raises(KeyboardInterrupt):
            one.wait(progress=interrupt)
        assert (one.status().answered, one.status().waiting) == (2, 1)


def test_the_key_is_not_in_the_file(mimo: FakeMiMo, job: Job, tmp_path: Path) -> None:
    mimo.respond = lambda request: Fault("bad_request", body={"error": {"message": f"not {KEY}"}})
    with job(["1"], extra_body={"token": f"{KEY}-2"}, extra_headers={"x-token": KEY}) as one:
        assert one.wait(progress=False).failed == 1
        assert KEY not in str(list(one.results()))
    assert KEY.encode() not in (tmp_path / "job.db").read_bytes()


def test_other_inputs_are_refused(job: Job, make: Make) -> None:
    job(["1", "2"]).close()
    for other in (["1", "3"], ["2", "1"], ["1"], ["1", "2", "3"]):
        with pytest.raises(MiMoInvalidRequestError, match=r"job\.db was made of other requests"):
            job(other)
    with pytest.raises(MiMoInvalidRequestError, match="number 1 differs"):
        job(["1", "2"], max_tokens=10)
    with pytest.raises(MiMoInvalidRequestError, match="number 1 differs"):
        job(["1", "2"], on=make(base_url="http://127.0.0.1:9/v1"))
    assert job(["1", "2"]).status().waiting == 2


def test_the_order_of_arguments_makes_no_other_request(job: Job) -> None:
    job(["1"], stop=["END"], max_tokens=10, extra_body={"k": {1: 2, "a": 3}}).close()
    job(["1"], max_tokens=10, extra_body={"k": {1: 2, "a": 3}}, stop=["END"]).close()


def test_an_input_that_is_not_json_is_refused(job: Job) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(MiMoInvalidRequestError, match="Input 1 cannot be written as JSON"):
        job(["1"], extra_body={"k": deep})


def test_each_engine_has_files_of_its_own(
    mimo: FakeMiMo, make: Make, job: Job, tmp_path: Path
) -> None:
    with BatchServer(mimo.base_url) as server:
        model = make(base_url=server.base_url)
        model.batch_job(["1"], path=tmp_path / "job.db").close()
        with pytest.raises(MiMoInvalidRequestError, match="no job of the realtime engine"):
            job(["1"])
        other = tmp_path / "other.db"
        model.batch_job(["1"], path=other, engine="realtime").close()
        with pytest.raises(MiMoInvalidRequestError, match="no job of batches"):
            model.batch_job(["1"], path=other)


def test_a_file_of_something_else_is_not_touched(job: Job, tmp_path: Path) -> None:
    path = tmp_path / "job.db"
    path.write_text("a letter to my aunt, and it is a long one" * 20)
    with pytest.raises(MiMoInvalidRequestError, match=r"job\.db cannot be used as a job's file"):
        job(["1"])
    assert path.read_text().startswith("a letter")
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE aunts (name TEXT)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(MiMoInvalidRequestError, match="so it was not touched"):
        job(["1"])
    assert path.read_bytes() == before
    with pytest.raises(MiMoInvalidRequestError, match="cannot be used as a job's file"):
        batch_job(ChatMiMo(api_key=KEY), ["1"], path=tmp_path / "no" / "job.db", engine="realtime")


def test_two_programs_do_not_work_on_one_job(job: Job) -> None:
    with job(["1", "2"]) as one, job(["1", "2"]) as other:

        def meanwhile(status: JobStatus) -> None:
            for method in (other.wait, other.cancel, other.retry):
                with pytest.raises(MiMoInvalidRequestError, match="Another program works on"):
                    method()
            assert other.status().total == 2

        one.wait(progress=meanwhile)
        assert other.status().answered == 2


# ---------------------------------------------------------------- failures


def test_a_line_that_failed_is_its_own_error_until_it_is_asked_again(
    mimo: FakeMiMo, job: Job
) -> None:
    mimo.respond = lambda request: Fault("moderation") if "2" in request.text_of("user") else "fine"
    with job(["1", "2", "3"]) as one:
        assert one.wait(progress=False).failed == 1
        results = list(one.results())
        assert isinstance(results[1], MiMoContentFilterError)
        assert [results[0].text, results[2].text] == ["fine", "fine"]
        mimo.respond = lambda request: "fine"
        assert one.retry() == 1
        one.wait(progress=False)
        assert texts(one) == ["fine"] * 3
        assert one.retry([0]) == 1
        assert one.status().waiting == 1


def test_a_key_that_is_refused_ends_the_run_and_fails_no_line(mimo: FakeMiMo, job: Job) -> None:
    mimo.respond = lambda request: Fault("invalid_key")
    with job(["1", "2", "3"], config={"max_concurrency": 1}) as one:
        with pytest.raises(MiMoAuthenticationError):
            one.wait(progress=False)
        assert (one.status().waiting, one.status().failed) == (3, 0)
        assert len(mimo.requests) == 1
        mimo.respond = lambda request: "fine"
        assert one.wait(progress=False).answered == 3


def test_a_service_that_is_away_is_not_asked_for_ever(mimo: FakeMiMo, job: Job) -> None:
    mimo.respond = lambda request: Fault("overloaded")
    with job([str(n) for n in range(30)], config={"max_concurrency": 1}) as one:
        with pytest.raises(MiMoServerError, match="overloaded"):
            one.wait(progress=False)
        assert (one.status().failed, one.status().waiting) == (20, 10)


def test_what_is_cancelled_is_not_sent_until_it_is_asked_for(mimo: FakeMiMo, job: Job) -> None:
    with job(["1", "2"]) as one:
        with pytest.raises(MiMoInvalidRequestError, match=r"Call wait\(\) first, or pass partial"):
            next(one.results())
        assert one.cancel().unanswered == 2
        assert one.wait(progress=False).unanswered == 2
        assert all("cancelled before" in str(result) for result in one.results())
        assert all("retry() asks for it" in str(result) for result in one.results())
        assert not mimo.requests
        assert one.retry() == 2
        assert one.wait(progress=False).answered == 2


def test_a_file_of_lines_is_written_to_every_poll(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    with job(["1", "2", "3"], config={"max_concurrency": 1}) as one:
        one.wait()
    assert capsys.readouterr().err == "job.db: 1 of 3 answered\njob.db: 3 of 3 answered\n"


# ---------------------------------------------------------------- asyncio


async def test_an_event_loop_asks_as_well(
    mimo: FakeMiMo, make: Make, tmp_path: Path, clock: type[FastClock]
) -> None:
    mimo.respond = lambda request: (
        Fault("moderation") if "2" in request.text_of("user") else request.text_of("user")
    )
    chain = ChatPromptTemplate.from_template("{x}?") | make() | (lambda message: message.text)
    inputs = [{"x": word} for word in "123"]
    arguments: dict[str, Any] = {"path": tmp_path / "job.db", "engine": "realtime"}
    async with await abatch_job(chain, inputs, requests_per_minute=2, **arguments) as job:
        assert job.path == str(tmp_path / "job.db")
        assert (await job.wait(progress=False)).answered == 2
        assert clock.time == 1_000_060.0
        one, two, three = [output async for output in job.results()]
        assert (one, three) == ("1?", "3?")
        assert isinstance(two, MiMoContentFilterError)
        assert await job.invalid() == []
        assert await job.retry() == 1
        assert (await job.cancel()).unanswered == 1
        assert (await job.status()).has_ended


async def test_a_task_that_is_cancelled_leaves_what_was_on_its_way_to_the_next(
    mimo: FakeMiMo, make: Make, tmp_path: Path
) -> None:
    mimo.respond = lambda request: Fault(hang=True)
    model, path = make(), tmp_path / "job.db"
    async with await model.abatch_job(["1"], path=path, engine="realtime") as job:
        task = asyncio.create_task(job.wait(progress=False))
        assert await in_thread(mimo.wait_for_requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        mimo.respond = lambda request: "fine"
        assert (await job.wait(progress=False)).answered == 1
        assert job.asked_again() == 1  # type: ignore[attr-defined]


async def test_an_event_loop_has_no_workers(make: Make, tmp_path: Path) -> None:
    with pytest.raises(MiMoInvalidRequestError, match="Leave workers out"):
        await abatch_job(make(), ["1"], path=tmp_path / "a", engine="realtime", workers=2)


# ---------------------------------------------------------------- Dask


def test_workers_need_dask(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MiMoInvalidRequestError, match="pip install distributed"):
        job(["1"], workers=2)
    job(["1"]).close()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, True, "two", object()])
def test_workers_are_a_number_or_a_cluster(job: Job, workers: Any) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(MiMoInvalidRequestError, match="must be a number from 1, a distributed"):
        job(["1"], workers=workers)


@pytest.mark.slow
def test_a_limiter_of_one_process_is_refused_for_several(job: Job, make: Make) -> None:
    pytest.importorskip("distributed")
    limiter = InMemoryRateLimiter(requests_per_second=1000)
    with pytest.raises(MiMoInvalidRequestError, match="counts in one process"):
        job(["1"], on=make(rate_limiter=limiter), workers=2)


@pytest.mark.slow  # it starts a process
@pytest.mark.parametrize("given_cluster", [False, True])
def test_the_workers_of_a_cluster_ask(mimo: FakeMiMo, job: Job, given_cluster: bool) -> None:
    distributed = pytest.importorskip("distributed")
    mimo.respond = lambda request: (
        Fault("moderation") if request.text_of("user") == "7" else request.text_of("user")
    )
    with ExitStack() as open:
        workers: Any = 1
        if given_cluster:
            workers = open.enter_context(
                distributed.Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0")
            )
        inputs = [str(n) for n in range(20)]
        with job(inputs, workers=workers, config={"max_concurrency": 4}) as one:
            status = one.wait(progress=False)
            assert (status.answered, status.failed) == (19, 1)
            results = list(one.results())
            assert isinstance(results.pop(7), MiMoContentFilterError)
            assert [message.text for message in results] == [n for n in inputs if n != "7"]
    assert set(asked(mimo).values()) == {1}
