"""A job: any number of requests through batches, in a file that survives whatever dies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, Self, TypeVar

from mimo_core._http.settings import ClientSettings
from mimo_core.batches._job_file import address_in
from mimo_core.batches._job_steps import (
    KEPT,
    MAX_RESULTS,
    Moment,
    cancelling,
    refreshing,
    submitting,
    waiting,
)
from mimo_core.batches._lines import read_line, reading
from mimo_core.batches._rows import Row
from mimo_core.batches._store import Store
from mimo_core.batches.client import AsyncBatchClient, BatchClient
from mimo_core.errors import InvalidRequestError, MiMoError, NotFoundError, ServerError
from mimo_core.threads import in_thread
from mimo_core.types import ChatRequest, ChatResponse

Client = TypeVar("Client", BatchClient, AsyncBatchClient)
_POLL = 60.0


class JobBatch(NamedTuple):
    """A batch of a job, as it was last seen."""

    name: str
    """Of its input file."""
    requests: int
    """How many it holds."""
    batch_id: str | None = None
    """None where it has not been created."""
    status: str | None = None
    """As `Batch.status`."""
    completed: int | None = None
    """Of its requests, as the service counts; None where it did not say."""
    failed: int | None = None
    """Of its requests, as the service counts; None where it did not say."""
    created_at: float | None = None
    """When it was asked for, in seconds since 1970."""
    unknown: int = 0
    """Lines of its results that belong to no request of the job; they are left out."""


class JobStatus(NamedTuple):
    """What became of the requests of a job, as far as was seen."""

    total: int
    """All requests of the job."""
    waiting: int
    """Not sent yet."""
    sent: int
    """In a batch that has not ended, or whose results were not fetched."""
    answered: int
    """With an answer, which may still be one that a host finds unfit."""
    failed: int
    """Answered with an error."""
    unanswered: int
    """Expired, cancelled, or in a batch that failed as a whole: not answered and not charged."""
    lost: int
    """Without a result that can be had: they may have been answered and charged. The next `refresh`
    looks for them again."""
    batches: tuple[JobBatch, ...] = ()
    problem: MiMoError | None = None
    """In a wait: why the last look at the service failed. It is tried again."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        return not self.waiting and not self.sent

    @property
    def fetch_before(self) -> float | None:
        """When the service forgets the first results that were not fetched, in seconds since 1970
        (30 days, vendor's page of September 2026); None where there are none."""
        open_since = [b.created_at for b in self.batches if b.created_at]
        return min(open_since) + KEPT if open_since and self.sent else None


class JobResult(NamedTuple):
    """What came back for one request: a `response` or an `error`, never both."""

    position: int
    """Of the request in the job, from 0."""
    request: ChatRequest
    """As it was sent."""
    note: str
    """What was added with it."""
    response: ChatResponse | None = None
    """The answer, as `MiMoClient.chat` gives one."""
    error: MiMoError | None = None
    """Why there is none. Its `status` is None where the service answered nothing."""


class _Job(Generic[Client]):
    """What both kinds share: all that asks the service for nothing."""

    def __init__(self, path: str | os.PathLike[str], client: Client) -> None:
        """
        Args:
            path: of the job's file, an SQLite database. It is made where there is none, readable
                by its owner alone, and opened where there is one. Keep it on a local disk.
            client: over which the job asks; it stays the caller's to close.

        Raises:
            InvalidRequestError: what stands there is no job, or belongs to another address.
        """
        self._client: Client = client
        self._settings: ClientSettings = client._settings
        self._store = Store(path, self._settings.endpoint.base_url)

    @staticmethod
    def address_of(path: str | os.PathLike[str]) -> str | None:
        """The base URL that the job in a file belongs to. Nothing is changed.

        Args:
            path: of the file.

        Returns:
            The address; None where no job stands there.
        """
        return address_in(path)

    @property
    def path(self) -> str:
        """Of the job's file."""
        return self._store.path

    @property
    def address(self) -> str:
        """The base URL that the job belongs to."""
        return self._settings.endpoint.base_url

    @property
    def meta(self) -> dict[str, Any]:
        """What `add` was told to keep."""
        kept: dict[str, Any] = json.loads(self._store.fact("meta"))
        return kept

    def status(self) -> JobStatus:
        """What the file knows. It asks the service for nothing."""
        counts = self._store.counts()
        return JobStatus(
            total=sum(counts.values()),
            waiting=counts.get("waiting", 0),
            sent=counts.get("sent", 0),
            answered=counts.get("answered", 0),
            failed=counts.get("failed", 0),
            unanswered=counts.get("unanswered", 0),
            lost=counts.get("lost", 0),
            batches=tuple(
                JobBatch(
                    part.name,
                    part.lines,
                    part.batch_id,
                    part.status,
                    part.completed,
                    part.failed,
                    part.created_at,
                    part.unknown,
                )
                for part in self._store.parts()
            ),
        )

    def results(self, *, partial: bool = False) -> Iterator[JobResult]:
        """What came back, in the order of the requests; one result at a time is in memory.

        Args:
            partial: give what is there of a job that has not ended; else that is an error.

        Raises:
            InvalidRequestError: the job has not ended.
        """
        if not partial and not (status := self.status()).has_ended:
            raise InvalidRequestError(
                f"{self.path} has not ended: of {status.total:,} requests {status.waiting:,} are "
                f"not sent and {status.sent:,} in work. Call wait() first, or pass partial=True.",
                param="partial",
            )
        for row in self._store.rows("state NOT IN ('waiting', 'sent')"):
            yield self._result(row)

    def retry(self, positions: Iterable[int] | None = None, *, lost: bool = False) -> int:
        """Let requests wait for another `submit`; their answers so far are dropped.

        Args:
            positions: of the requests; what is waiting or in work is left as it is. Default all
                that failed or were not answered.
            lost: those too that may have been answered and charged.

        Returns:
            How many wait now.
        """
        with self._store.alone():
            if positions is None:
                states = "('failed', 'unanswered', 'lost')" if lost else "('failed', 'unanswered')"
                return self._store.again(f"state IN {states}")
            return self._store.again(
                "position = ? AND state NOT IN ('waiting', 'sent')",
                ((int(position),) for position in positions),
            )

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _add(
        self,
        requests: Iterable[Mapping[str, Any] | tuple[Mapping[str, Any], str]],
        meta: Mapping[str, Any] | None,
    ) -> None:
        pairs = (one if isinstance(one, tuple) else (one, "") for one in requests)
        with self._store.alone():
            self._store.add(pairs, meta or {}, self._settings.endpoint)

    def _result(self, row: Row) -> JobResult:
        request: ChatRequest = self._store.request_of(row)
        head = (row.position, request, row.note)
        if row.answer is not None:
            read = read_line(row.answer, reading(self._settings, request.get("tools")))
            return JobResult(*head, read.response, read.error)
        said = row.said or "The results have no line for this request."
        kind = NotFoundError if row.state == "lost" else ServerError
        return JobResult(*head, None, kind(said))

    def _look(self, progress: Callable[[JobStatus], None] | None) -> Callable[[Moment], None]:
        def look(moment: Moment) -> None:
            if progress is not None:
                progress(self.status()._replace(problem=moment.problem))

        return look


class BatchJob(_Job[BatchClient]):
    """Requests through batches: split, uploaded, followed, fetched, joined again.

    Every step is on the disk before its request leaves. A program that dies at any point, or a
    closed laptop, is gone on with: open the same file and call the same methods. No request is
    ever in two batches at once, unless `retry` was told to.

    >>> with BatchClient() as client, BatchJob("job.db", client) as job:
    ...     job.add(requests)
    ...     job.submit()
    ...     job.wait()
    ...     for result in job.results():
    ...         print(result.position, result.response or result.error)
    """

    def add(
        self,
        requests: Iterable[Mapping[str, Any] | tuple[Mapping[str, Any], str]],
        *,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the requests into the job's file: all, or where one is refused none.

        A job whose file has requests is compared with these and left as it is.

        Args:
            requests: each a `ChatRequest`, checked and adapted as for `MiMoClient.chat`, or a pair
                of one and a note, which comes back in the result. They are read one at a time.
            meta: what `meta` gives again; JSON.

        Raises:
            InvalidRequestError: one cannot be sent; or the file has others.
        """
        self._add(requests, meta)

    def submit(self) -> None:
        """Upload and create what waits.

        Where an earlier program died, or was never answered, it finds out what had happened before
        anything is asked for again.

        Raises:
            MiMoError: it did not go through. Call it again: it goes on where it stopped.
        """
        self._client._run(submitting(self._store, self._settings))

    def refresh(self, *, max_bytes: int = MAX_RESULTS) -> JobStatus:
        """Look at the service once, and fetch the results of what has ended.

        Args:
            max_bytes: the most that is read of each file of results.

        Raises:
            MiMoError: the service did not answer.
        """
        self._client._run(refreshing(self._store, self._settings, max_bytes))
        return self.status()

    def wait(
        self,
        *,
        poll: float = _POLL,
        timeout: float | None = None,
        progress: Callable[[JobStatus], None] | None = None,
        max_bytes: int = MAX_RESULTS,
    ) -> JobStatus:
        """Wait until all batches have ended, and fetch their results as each does.

        To stop it (Ctrl-C) stops nothing at the service. A submission that was interrupted is
        brought to its end. A look that fails for a reason that passes is tried again, twenty times
        in a row.

        Args:
            poll: seconds between two looks.
            timeout: seconds in all; default any.
            progress: called after each look.
            max_bytes: the most that is read of each file of results.

        Raises:
            APITimeoutError: it took longer than `timeout`.
            MiMoError: the service does not answer.
        """
        look = self._look(progress)
        self._client._run(
            waiting(
                self._store,
                self._settings,
                poll=poll,
                timeout=timeout,
                max_bytes=max_bytes,
                look=look,
            )
        )
        return self.status()

    def cancel(self) -> JobStatus:
        """Stop what runs and send nothing more. What is answered by then is paid for; `wait`
        fetches it. What nobody can tell about, because a create was not answered and its traces are
        not shown, is lost from then on.

        Raises:
            MiMoError: one of the batches could not be stopped; the others were. Call it again.
        """
        self._client._run(cancelling(self._store, self._settings))
        return self.status()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncBatchJob(_Job[AsyncBatchClient]):
    """`BatchJob`, asynchronously: the same arguments, results and errors."""

    async def add(
        self,
        requests: Iterable[Mapping[str, Any] | tuple[Mapping[str, Any], str]],
        *,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        """As `BatchJob.add`; `requests` is read in another thread."""
        await in_thread(lambda: self._add(requests, meta))

    async def submit(self) -> None:
        """As `BatchJob.submit`."""
        await self._client._run(submitting(self._store, self._settings))

    async def refresh(self, *, max_bytes: int = MAX_RESULTS) -> JobStatus:
        """As `BatchJob.refresh`."""
        await self._client._run(refreshing(self._store, self._settings, max_bytes))
        return self.status()

    async def wait(
        self,
        *,
        poll: float = _POLL,
        timeout: float | None = None,  # noqa: ASYNC109 (nothing is cut off by it)
        progress: Callable[[JobStatus], None] | None = None,
        max_bytes: int = MAX_RESULTS,
    ) -> JobStatus:
        """As `BatchJob.wait`."""
        look = self._look(progress)
        await self._client._run(
            waiting(
                self._store,
                self._settings,
                poll=poll,
                timeout=timeout,
                max_bytes=max_bytes,
                look=look,
            )
        )
        return self.status()

    async def cancel(self) -> JobStatus:
        """As `BatchJob.cancel`."""
        await self._client._run(cancelling(self._store, self._settings))
        return self.status()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()
