"""`engine="realtime"`: a job's inputs are asked one by one while somebody waits, within the limits.

What is promised, and what is not:

- *Nothing is lost.* Each answer is committed to the job's file before another request takes its
  place.
- *Nothing in the file is paid for twice.* A request is found again by the hash of everything that
  can change its answer.
- *What was on its way may be.* Where the program, or a Dask worker, is killed between sending a
  request and committing its answer, the request is sent again: the API documents no idempotency
  key. Those are at most as many as are on their way at once. `asked_again()` counts those of a
  program that died; what Dask gives from a dead worker to another one, nobody counts.
- *The limits are kept by one limiter*, which lets a request go only when a thread or a worker is
  free for it, and which knows what was sent before a restart. It counts an input once: the further
  attempts of `max_retries` and of structured output are not seen by it.

Without `workers`, threads of this program ask: 100 requests a minute are little for one process.
Dask is for servers with other limits. All machines of its cluster ask, and this program alone keeps
the file and the pace.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from langchain_core.runnables.config import ContextThreadPoolExecutor

from langchain_mimo.chat_jobs import POLL, AsyncChatJob, ChatJob, Found, Prepared, planned
from langchain_mimo.errors import MiMoInvalidRequestError
from langchain_mimo.job_methods import Configs
from langchain_mimo.job_progress import Progress, shown
from langchain_mimo.rate_limits import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE, Limits
from langchain_mimo.realtime_answers import Outcome, aask, ask
from langchain_mimo.realtime_file import RealtimeFile
from langchain_mimo.realtime_requests import found_in, opened_file
from langchain_mimo.realtime_run import Ask, Clock, RealtimeRun
from mimo_core.batches import JobStatus
from mimo_core.threads import in_thread
from mimo_core.values import quoted

AT_ONCE = 32
"""Requests on their way at once, where `max_concurrency` says nothing: at 100 a minute, enough for
answers that take 20 seconds."""


def realtime_job(
    runnable: Any,
    inputs: Sequence[Any],
    config: Configs = None,
    *,
    path: str | os.PathLike[str],
    requests_per_minute: float | None = REQUESTS_PER_MINUTE,
    tokens_per_minute: float | None = TOKENS_PER_MINUTE,
    workers: Any = None,
    **kwargs: Any,
) -> RealtimeChatJob:
    """`langchain_mimo.batch_job(engine="realtime")`. Nothing is asked before somebody waits.

    The model's runs are told to callbacks as those of `batch` are.

    Args:
        runnable: as for `batch_job`.
        inputs: as for `batch_job`.
        config: as for `batch_job`. Its `max_concurrency` is the number of requests on their way at
            once, default 32.
        path: of the job's file.
        requests_per_minute: None for any; default that of a pay-as-you-go account for one model
            (vendor, September 2026).
        tokens_per_minute: the same; estimated until an answer says how many they were.
        workers: None for threads of this program; a number for so many processes of a local Dask
            cluster; or a `distributed.Client` for its cluster.
        kwargs: as for `batch_job`.

    Raises:
        MiMoInvalidRequestError: an argument is not what it should be, or the file holds another
            job.
    """
    limits = Limits(requests_per_minute, tokens_per_minute).checked()
    _check_workers(workers)
    plan, inputs, configs = planned(runnable, inputs, config, kwargs)
    if workers is not None and plan.model.rate_limiter is not None:
        raise MiMoInvalidRequestError(
            "The model's rate_limiter counts in one process. Leave it out, and use "
            "requests_per_minute.",
            param="workers",
        )
    prompts = inputs if plan.first is None else plan.first.batch([*inputs], [*configs])
    prepared = Prepared(plan, inputs, configs, prompts)
    return RealtimeChatJob(prepared, opened_file(path, prepared), limits, workers)


async def arealtime_job(
    runnable: Any,
    inputs: Sequence[Any],
    config: Configs = None,
    *,
    path: str | os.PathLike[str],
    requests_per_minute: float | None = REQUESTS_PER_MINUTE,
    tokens_per_minute: float | None = TOKENS_PER_MINUTE,
    workers: Any = None,
    **kwargs: Any,
) -> AsyncRealtimeChatJob:
    """`realtime_job` for asynchronous programs, whose event loop asks: there are no `workers`."""
    if workers is not None:
        raise MiMoInvalidRequestError(
            "An asynchronous job is asked by its event loop. Leave workers out, or use batch_job.",
            param="workers",
        )
    limits = Limits(requests_per_minute, tokens_per_minute).checked()
    plan, inputs, configs = planned(runnable, inputs, config, kwargs)
    prompts = inputs if plan.first is None else await plan.first.abatch([*inputs], [*configs])
    prepared = Prepared(plan, inputs, configs, prompts)
    opened = await in_thread(lambda: opened_file(path, prepared))
    return AsyncRealtimeChatJob(prepared, opened, limits)


def _check_workers(workers: Any) -> None:
    if workers is None:
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise MiMoInvalidRequestError(
            "workers needs Dask: pip install distributed. Without workers, threads of this program "
            "ask.",
            param="workers",
        ) from error
    is_number = isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1
    if not is_number and not isinstance(workers, Client):
        raise MiMoInvalidRequestError(
            f"workers is {quoted(workers)}; it must be a number from 1, a distributed.Client, or "
            "None for threads.",
            param="workers",
        )


@contextmanager
def _pool(workers: Any, at_once: int) -> Iterator[tuple[Executor, int]]:
    """What asks, and how many requests it can have on their way: none may wait in it, because the
    limiter has let them go."""
    with ExitStack() as opened:
        if workers is None:
            yield opened.enter_context(ContextThreadPoolExecutor(at_once)), at_once
            return
        from distributed import Client, LocalCluster

        client = workers
        if isinstance(workers, int):
            threads = -(-at_once // workers)
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=threads, dashboard_address="127.0.0.1:0"
            )
            client = opened.enter_context(Client(opened.enter_context(cluster)))
        free = sum(client.nthreads().values())
        if not free:
            raise MiMoInvalidRequestError("The Dask cluster has no workers.", param="workers")
        yield client.get_executor(pure=False), min(at_once, free)


class RealtimeChatJob(ChatJob):
    """A job that is asked one by one, while `wait` runs."""

    def __init__(
        self,
        prepared: Prepared,
        opened: tuple[RealtimeFile, list[int]],
        limits: Limits,
        workers: Any = None,
    ) -> None:
        """
        Args:
            prepared: what it is made of.
            opened: its file, which is closed with it, and the tokens of its requests.
            limits: of the account.
            workers: as for `realtime_job`.
        """
        super().__init__(prepared)
        self._file, self._tokens = opened
        self._limits, self._workers = limits, workers
        self._clock = Clock()
        self._let_go = weakref.finalize(self, self._file.close)

    @property
    def path(self) -> str:
        """Of the job's file."""
        return self._file.path

    def wait(
        self, *, poll: float = POLL, timeout: float | None = None, progress: Progress = True
    ) -> JobStatus:
        """Ask for everything that has no answer yet.

        Ctrl-C, or the end of `timeout`, lets nothing more go, and what is on its way is waited for
        and kept.

        Args:
            poll: seconds between two lines of progress where they are not rewritten.
            timeout: seconds after which nothing more is sent; default any.
            progress: as for every job; called after each answer.

        Raises:
            MiMoTimeoutError: something is left to ask.
            MiMoModelError: the key, the balance or the address will not do; or twenty requests in
                a row failed for a reason that passes. Wait again to go on.
        """
        with ExitStack() as open:
            look = open.enter_context(shown(progress, self.path, every=poll))
            open.enter_context(self._file.alone())
            at_once = self._prepared.configs[0].get("max_concurrency") or AT_ONCE
            run = RealtimeRun(
                self._file, self._limits, self._tokens, at_once, self._clock, timeout, look
            )
            if not run.is_done:
                pool, run.at_once = open.enter_context(_pool(self._workers, at_once))
                self._work(run, pool)
            return run.end()

    def _work(self, run: RealtimeRun, pool: Executor) -> None:
        on_their_way: dict[Future[Any], int] = {}
        try:
            while (step := run.next_step()) is not None:
                if isinstance(step, Ask):
                    on_their_way[pool.submit(ask, *self._prepared.question(step.position))] = (
                        step.position
                    )
                elif on_their_way:
                    done, _ = wait(on_their_way, step.seconds, FIRST_COMPLETED)
                    for future in done:
                        run.ended(on_their_way.pop(future), future.result())
                elif step.seconds is not None:
                    self._clock.sleep(step.seconds)
        except BaseException:
            for future, position in on_their_way.items():  # they are paid for
                with suppress(Exception):
                    run.ended(position, future.result())
            raise

    def status(self, *, refresh: bool = True) -> JobStatus:
        """How far it is. Nothing is to be looked at: `refresh` has no meaning."""
        return self._file.status()

    def cancel(self) -> JobStatus:
        """Send nothing more, until `retry`. Raises where somebody waits for the job: stop that."""
        with self._file.alone():
            self._file.stop()
        return self._file.status()

    def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        """Let `wait` ask again for what failed or was not answered. Returns how many.

        Args:
            positions: as for every job.
            lost: has no meaning.
        """
        with self._file.alone():
            return self._file.again(positions)

    def asked_again(self) -> int:
        """How many requests were sent more than once."""
        return self._file.asked_again()

    def close(self) -> None:
        self._let_go()

    def _found(self, *, partial: bool) -> Iterator[Found]:
        return found_in(self._file, self._prepared, partial=partial)


class AsyncRealtimeChatJob(AsyncChatJob):
    """`RealtimeChatJob` in an event loop, whose tasks ask."""

    def __init__(
        self, prepared: Prepared, opened: tuple[RealtimeFile, list[int]], limits: Limits
    ) -> None:
        """As `RealtimeChatJob`."""
        super().__init__(prepared)
        self._file, self._tokens = opened
        self._limits = limits
        self._clock = Clock()
        self._let_go = weakref.finalize(self, self._file.close)

    @property
    def path(self) -> str:
        """Of the job's file."""
        return self._file.path

    async def wait(
        self,
        *,
        poll: float = POLL,
        timeout: float | None = None,  # noqa: ASYNC109 (nothing is cut off by it)
        progress: Progress = True,
    ) -> JobStatus:
        """As `RealtimeChatJob.wait`, but what is on its way when it is cancelled is given up."""
        with shown(progress, self.path, every=poll) as look, self._file.alone():
            at_once = self._prepared.configs[0].get("max_concurrency") or AT_ONCE
            run = RealtimeRun(
                self._file, self._limits, self._tokens, at_once, self._clock, timeout, look
            )
            await self._work(run)
            return run.end()

    async def _work(self, run: RealtimeRun) -> None:
        on_their_way: dict[asyncio.Task[Outcome], int] = {}
        try:
            while (step := await in_thread(run.next_step)) is not None:
                if isinstance(step, Ask):
                    question = self._prepared.question(step.position)
                    on_their_way[asyncio.create_task(aask(*question))] = step.position
                elif on_their_way:
                    done, _ = await asyncio.wait(
                        on_their_way, timeout=step.seconds, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        position, outcome = on_their_way.pop(task), await task
                        await in_thread(partial(run.ended, position, outcome))
                elif step.seconds is not None:
                    await self._clock.asleep(step.seconds)
        finally:
            for task in on_their_way:
                task.cancel()
            await asyncio.gather(*on_their_way, return_exceptions=True)

    async def status(self, *, refresh: bool = True) -> JobStatus:
        """As `RealtimeChatJob.status`."""
        return self._file.status()

    async def cancel(self) -> JobStatus:
        """As `RealtimeChatJob.cancel`."""
        with self._file.alone():
            self._file.stop()
        return self._file.status()

    async def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        """As `RealtimeChatJob.retry`."""
        with self._file.alone():
            return self._file.again(positions)

    def asked_again(self) -> int:
        """How many requests were sent more than once."""
        return self._file.asked_again()

    async def aclose(self) -> None:
        self._let_go()

    def _found(self, *, partial: bool) -> Iterator[Found]:
        return found_in(self._file, self._prepared, partial=partial)
