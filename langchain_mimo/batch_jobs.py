"""`batch_job`: many inputs as one job, on the vendor's batch engine or one by one."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_mimo.chat_jobs import POLL, AsyncChatJob, ChatJob, Found, Prepared, planned
from langchain_mimo.errors import (
    MiMoInvalidRequestError,
    MiMoModelError,
    MiMoNotFoundError,
    MiMoServerError,
    as_model_error,
    model_errors,
)
from langchain_mimo.job_methods import Configs, Engine
from langchain_mimo.job_plan import Plan
from langchain_mimo.job_progress import Progress, shown
from mimo_core.batches import (
    AsyncBatchClient,
    AsyncBatchJob,
    BatchClient,
    BatchJob,
    JobResult,
    JobStatus,
)
from mimo_core.errors import InvalidRequestError
from mimo_core.models import model_info
from mimo_core.threads import in_thread
from mimo_core.values import quoted


def batch_job(
    runnable: Runnable[Any, Any],
    inputs: Sequence[Any],
    config: Configs = None,
    *,
    path: str | os.PathLike[str],
    engine: Engine = "batch",
    batch_base_url: str | None = None,
    **kwargs: Any,
) -> ChatJob:
    """All inputs as one job, kept in a file: submitted, or gone on with where the file has it.

    On the vendor's engine (`engine="batch"`) a job costs half of the same calls and is done within
    24 hours (vendor's page, September 2026; never tried against the service). Each request is the
    one that `invoke` would send, and each answer is read as `invoke` would read it. But nothing is
    asked again: where structured output or a forced call is not what was asked for, the error of
    that line says so, and `invalid()` lists those inputs. No request is paid for twice, whenever
    the program dies: call it again with the same arguments.

    `engine="realtime"` asks for the same inputs one by one, within the account's limits, while
    somebody waits; `langchain_mimo.realtime_jobs` says what is promised then. Its file is another
    one.

    Args:
        runnable: a `ChatMiMo`; one with something bound to it; `with_structured_output(…)`; or a
            sequence with one of these in it. The steps before the model run when this is called,
            and must give the same each time; those after it run when results are read.
        inputs: as for `batch`.
        config: as for `batch`, one or one for each input. The steps around the model run with it,
            and configurable fields are set by it (one config for all). The model's own run is told
            to no callback or tracer, so its tags and metadata show nowhere: there is no time at
            which it ran, and whoever reads results twice would count their tokens twice. The cache
            of LangChain is neither asked nor filled.
        path: of the job's file, an SQLite database; it is made where there is none.
        engine: `"batch"` or `"realtime"`.
        batch_base_url: a URL, or a region of Xiaomi's (`cn`, `ams`, …); else
            `MIMO_BATCH_BASE_URL`; else the model's own address where that is not Xiaomi's; else
            region `cn`.
        kwargs: as for `invoke`: `stop`, `tools`, `temperature`, … Not `extra_headers` and
            `extra_query`, which a line of a batch has no place for; `timeout` has no meaning
            there. For the realtime engine alone: `requests_per_minute` (default 100),
            `tokens_per_minute` (default 10,000,000) and `workers`.

    Returns:
        The job: `wait()`, `status()`, `results()`, `invalid()`, `retry()`, `cancel()`.

    Raises:
        MiMoInvalidRequestError: an input cannot be sent, or the file holds another job.
        MiMoModelError: the service did not take it. Call it again: it goes on where it stopped.
    """
    if _is_realtime(engine, kwargs):
        from langchain_mimo.realtime_jobs import realtime_job

        return realtime_job(runnable, inputs, config, path=path, **kwargs)
    plan, inputs, configs = planned(runnable, inputs, config, kwargs)
    prompts = inputs if plan.first is None else plan.first.batch([*inputs], [*configs])
    prepared = Prepared(plan, inputs, configs, prompts)
    with _submission_errors():
        client = BatchClient(**_client_arguments(plan, batch_base_url, plan.model.http_client))
        job = BatchJob(path, client)
        try:
            job.add(_requests(prepared))
            job.submit()
        except BaseException:
            job.close()
            client.close()
            raise
    return BatchChatJob(prepared, job, client)


async def abatch_job(
    runnable: Runnable[Any, Any],
    inputs: Sequence[Any],
    config: Configs = None,
    *,
    path: str | os.PathLike[str],
    engine: Engine = "batch",
    batch_base_url: str | None = None,
    **kwargs: Any,
) -> AsyncChatJob:
    """`batch_job` for asynchronous programs: the same arguments and errors.

    Returns:
        The job, whose methods are coroutines; `results()` is an asynchronous iterator.
    """
    if _is_realtime(engine, kwargs):
        from langchain_mimo.realtime_jobs import arealtime_job

        return await arealtime_job(runnable, inputs, config, path=path, **kwargs)
    plan, inputs, configs = planned(runnable, inputs, config, kwargs)
    prompts = inputs if plan.first is None else await plan.first.abatch([*inputs], [*configs])
    prepared = Prepared(plan, inputs, configs, prompts)
    with _submission_errors():
        client = AsyncBatchClient(
            **_client_arguments(plan, batch_base_url, plan.model.http_async_client)
        )
        job = AsyncBatchJob(path, client)
        try:
            await job.add(_requests(prepared))
            await job.submit()
        except BaseException:
            job.close()
            await client.aclose()
            raise
    return AsyncBatchChatJob(prepared, job, client)


@contextmanager
def _submission_errors() -> Iterator[None]:
    """`model_errors`, with what to do where a server has no batches."""
    try:
        with model_errors():
            yield
    except MiMoNotFoundError as error:
        text = f"{error} A server without batches can be asked one by one: engine='realtime'."
        error.args = (text, *error.args[1:])
        raise


def _is_realtime(engine: Any, kwargs: dict[str, Any]) -> bool:
    """Whether it is; the realtime engine's own arguments are left to it."""
    if engine not in ("batch", "realtime"):
        raise MiMoInvalidRequestError(
            f"engine is {quoted(engine)}; it can be 'batch' or 'realtime'.", param="engine"
        )
    if engine == "batch":
        for name in ("requests_per_minute", "tokens_per_minute", "workers"):
            if kwargs.pop(name, None) is not None:
                raise MiMoInvalidRequestError(
                    f"{name} is for engine='realtime': the batch engine paces itself. Leave it "
                    "out, or use that engine.",
                    param=name,
                )
    return bool(engine == "realtime")


def _requests(prepared: Prepared) -> Iterator[dict[str, Any]]:
    """The request for each input."""
    for number, prompt in enumerate(prepared.prompts, 1):
        try:
            call = prepared.plan.call(prompt)
        except MiMoInvalidRequestError as error:
            error.args = (f"Input {number}: {error}", *error.args[1:])
            raise
        for name in ("extra_headers", "extra_query"):
            if call.options.get(name):
                raise MiMoInvalidRequestError(
                    f"A line of a batch has no place for {name}. Use default_headers or "
                    "default_query of the model, which go with every request of the job.",
                    param=name,
                )
        if model_info(call.attempts.request["model"]).kind != "chat":
            raise MiMoInvalidRequestError(
                f"Batches serve chat models, not {call.attempts.request['model']}. Use "
                "engine='realtime'.",
                param="model",
            )
        yield call.attempts.request


def _client_arguments(plan: Plan, batch_base_url: str | None, http: Any) -> dict[str, Any]:
    """The model's own connection settings, for another address."""
    model = plan.model
    given = {name: value for name, value in model._client_arguments.items() if name not in _OF_CHAT}
    resolved = {name: model._resolved[name] for name in ("api_key", "base_url")}
    return {**given, **resolved, "batch_base_url": batch_base_url, "http_client": http}


_OF_CHAT = ("protocol", "deadline")  # batches have one protocol, and no call that must end soon


class BatchChatJob(ChatJob):
    """A job on the vendor's batch engine."""

    def __init__(self, prepared: Prepared, job: BatchJob, client: BatchClient) -> None:
        """
        Args:
            prepared: what it is made of.
            job: with the requests in it; it is closed with this one.
            client: of `job`; the same.
        """
        super().__init__(prepared)
        self._job, self._client = job, client
        self._let_go = weakref.finalize(self, job.close)

    @property
    def path(self) -> str:
        """Of the job's file."""
        return self._job.path

    def wait(
        self, *, poll: float = POLL, timeout: float | None = None, progress: Progress = True
    ) -> JobStatus:
        with shown(progress, self.path) as look, model_errors():
            return self._job.wait(poll=poll, timeout=timeout, progress=look)

    def status(self, *, refresh: bool = True) -> JobStatus:
        with model_errors():
            try:
                return self._job.refresh() if refresh else self._job.status()
            except InvalidRequestError as error:
                if error.code != "job_in_use":
                    raise
                return self._job.status()  # another program looks at the service

    def cancel(self) -> JobStatus:
        with model_errors():
            return self._job.cancel()

    def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        with model_errors():
            count = self._job.retry(positions, lost=lost)
            self._job.submit()
        return count

    def close(self) -> None:
        self._let_go()
        self._client.close()

    def _found(self, *, partial: bool) -> Iterator[Found]:
        return _messages(self._prepared.plan, self._job, partial=partial)


class AsyncBatchChatJob(AsyncChatJob):
    """`BatchChatJob`, asynchronously."""

    def __init__(self, prepared: Prepared, job: AsyncBatchJob, client: AsyncBatchClient) -> None:
        """As `BatchChatJob`."""
        super().__init__(prepared)
        self._job, self._client = job, client
        self._let_go = weakref.finalize(self, job.close)

    @property
    def path(self) -> str:
        """Of the job's file."""
        return self._job.path

    async def wait(
        self,
        *,
        poll: float = POLL,
        timeout: float | None = None,  # noqa: ASYNC109 (nothing is cut off by it)
        progress: Progress = True,
    ) -> JobStatus:
        with shown(progress, self.path) as look, model_errors():
            return await self._job.wait(poll=poll, timeout=timeout, progress=look)

    async def status(self, *, refresh: bool = True) -> JobStatus:
        with model_errors():
            try:
                return await self._job.refresh() if refresh else self._job.status()
            except InvalidRequestError as error:
                if error.code != "job_in_use":
                    raise
                return self._job.status()

    async def cancel(self) -> JobStatus:
        with model_errors():
            return await self._job.cancel()

    async def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        with model_errors():
            count = await in_thread(lambda: self._job.retry(positions, lost=lost))
            await self._job.submit()
        return count

    async def aclose(self) -> None:
        self._let_go()
        await self._client.aclose()

    def _found(self, *, partial: bool) -> Iterator[Found]:
        return _messages(self._prepared.plan, self._job, partial=partial)


def _messages(plan: Plan, job: BatchJob | AsyncBatchJob, *, partial: bool) -> Iterator[Found]:
    """What came back for each request, as a message or an error."""
    results = job.results(partial=partial)
    while True:
        with model_errors():
            result: JobResult | None = next(results, None)
        if result is None:
            return
        yield result.position, _message(plan, result)


def _message(plan: Plan, result: JobResult) -> AIMessage | MiMoModelError:
    if result.error is not None:
        return _with_next_step(as_model_error(result.error))
    assert result.response is not None
    try:
        return plan.message(result.response)
    except MiMoModelError as error:
        return error


def _with_next_step(error: MiMoModelError) -> MiMoModelError:
    """The error of a request that has no answer (no status either), with how to ask again."""
    if error.status is None and isinstance(error, MiMoNotFoundError | MiMoServerError):
        lost = "lost=True" if isinstance(error, MiMoNotFoundError) else ""
        error.args = (f"{error} retry({lost}) asks for it again.", *error.args[1:])
    return error
