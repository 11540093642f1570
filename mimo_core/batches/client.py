"""The clients for batches: two thin shells over the transport of `MiMoClient` and its like."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Self

from mimo_core._http.settings import ClientSettings
from mimo_core.batches._exchanges import (
    DeleteCall,
    Download,
    UploadCall,
    cancel_call,
    get_call,
    list_call,
)
from mimo_core.batches._job_steps import MAX_RESULTS
from mimo_core.batches._lines import LineResult, read_line, reading, request_line
from mimo_core.batches._records import Batch, Page, RemoteFile
from mimo_core.batches._steps import Pause, Result, Run, Step, Steps, Work, creating, finding
from mimo_core.batches._upload import FileSource
from mimo_core.batches._where import batch_address, check_key
from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.credentials import HoldsSecret, sealed_key, without_user
from mimo_core.errors import InvalidRequestError, MiMoError
from mimo_core.threads import in_thread

_PAGE = 20


class _Settings:
    """What both clients share: their address, and all that needs no I/O."""

    _settings: ClientSettings
    _client: type[Any]

    def __init__(
        self,
        api_key: str | HoldsSecret | None = None,
        *,
        base_url: str | None = None,
        batch_base_url: str | None = None,
        **options: Any,
    ) -> None:
        """
        Args:
            api_key: a text or a `SecretStr`, else `MIMO_API_KEY`. Xiaomi takes `sk-` keys only.
            base_url: of the realtime API; where it is not Xiaomi's, batches are asked for there.
            batch_base_url: a URL, or a region of Xiaomi's (`cn`, `ams`, …); else
                `MIMO_BATCH_BASE_URL`; else as `base_url` says; else region `cn`.
            options: as for `MiMoClient`: `auth`, `timeout`, `max_retries`, `default_headers`,
                `default_query`, `deadline`, `limits` (`body` is the longest line of results),
                `http_client`.

        Raises:
            AuthenticationError: no key, or one that batches do not take.
            InvalidRequestError: an argument is not what it should be.
        """
        api_key, base_url = sealed_key(api_key), without_user(base_url)
        given = _resolved(api_key, base_url, without_user(batch_base_url), options)
        self._settings = self._client(**given)
        _checked(self._settings)

    def line(self, request: Mapping[str, Any], custom_id: str) -> bytes:
        """One line of an input file, with its end.

        Args:
            request: a `ChatRequest`; it is checked and adapted as for `MiMoClient.chat`.
            custom_id: by which its answer is found; unique within its file.

        Returns:
            JSON in UTF-8.

        Raises:
            InvalidRequestError: the request is not one that a batch takes.
        """
        return request_line(request, custom_id, self._settings.endpoint)

    def _upload_call(self, path: str | os.PathLike[str], name: str | None) -> UploadCall:
        return UploadCall(self._settings, FileSource(path), name or Path(path).name)

    def _files_of(self, batch: Batch) -> list[str]:
        if not batch.has_ended:
            raise InvalidRequestError(
                f"Batch {batch.id} is {batch.status}: its results are there when it has ended. "
                "Ask get() again later.",
                param="batch",
            )
        return [file for file in (batch.output_file_id, batch.error_file_id) if file]


def _resolved(
    api_key: Any, base_url: str | None, batch_base_url: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    where = batch_address(batch_base_url, base_url, api_key)
    return {"api_key": api_key, "base_url": where, "protocol": "chat_completions", **options}


def _checked(settings: ClientSettings) -> None:
    given = {"api-key", "authorization"} & settings._options.headers.keys()
    if settings.endpoint.api_key or not given:  # else the key is in the user's own headers
        check_key(settings.endpoint)


class BatchClient(_Settings):
    """Files and batches of an OpenAI-compatible Batch API, as Xiaomi documents its own.

    >>> with BatchClient() as client:
    ...     batch = client.create(client.upload("prompts.jsonl").id)
    ...     batch = client.get(batch.id)
    ...     answers = list(client.results(batch)) if batch.has_ended else []
    """

    _settings: MiMoClient
    _client = MiMoClient

    def upload(self, path: str | os.PathLike[str], *, name: str | None = None) -> RemoteFile:
        """Upload a file of lines, which is read piece by piece while it is sent.

        Args:
            path: of the JSONL file; `line()` makes its lines.
            name: under which the service lists it; default the file's own.

        Raises:
            InvalidRequestError: it cannot be read, is empty, or larger than `MAX_FILE`.
            MiMoError: the service does not take it. What a broken upload left costs nothing.
        """
        return self._settings._ask(self._upload_call(path, name))

    def create(self, input_file_id: str) -> Batch:
        """Let the service work on an uploaded file, within 24 hours.

        It is not sent twice. Where a timeout leaves open whether it has happened, the batch is
        looked for by its input file, and returned if it is there.

        Args:
            input_file_id: `upload(…).id`.

        Raises:
            MiMoError: it was refused; or it may exist, and the text says what to do.
        """
        return self._run(creating(self._settings, input_file_id))

    def get(self, batch_id: str) -> Batch:
        """A batch as it is now. Raises `NotFoundError` where there is none of this id."""
        return self._settings._ask(get_call(self._settings, batch_id))

    def list(self, *, limit: int = _PAGE, after: str | None = None) -> Page:
        """A page of the batches, newest first as OpenAI's API has it.

        Args:
            limit: the most that a page holds.
            after: `Page.after` of the page before.
        """
        return self._settings._ask(list_call(self._settings, limit, after))

    def find(self, input_file_id: str) -> Batch | None:
        """The batch of an input file, or None where the whole list has none."""
        return self._run(finding(self._settings, input_file_id))

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch. What it has answered by then stays to be fetched, and is paid for."""
        return self._settings._ask(cancel_call(self._settings, batch_id))

    def delete(self, file_id: str) -> None:
        """Delete a file from the service's store."""
        self._settings._ask(DeleteCall(self._settings, file_id))

    def download(self, file_id: str, into: BinaryIO, *, max_bytes: int = MAX_RESULTS) -> None:
        """Write a file's lines into `into`, from its beginning. It is never in memory as a whole.

        Args:
            file_id: e.g. `Batch.output_file_id`.
            into: a file that can be truncated, because a broken transfer begins anew.
            max_bytes: the most that is read.

        Raises:
            NotFoundError: the store has forgotten it: after 30 days, or because it was deleted.
        """
        self._settings._ask(Download(self._settings, file_id, into, max_bytes))

    def results(
        self,
        batch: Batch,
        *,
        tools: Iterable[Mapping[str, Any]] | None = None,
        max_bytes: int = MAX_RESULTS,
    ) -> Iterator[LineResult]:
        """The answers and errors of a batch that has ended, in the order of its files.

        They are kept in a temporary file on the disk meanwhile.

        Args:
            batch: of `get`. An expired or cancelled one holds what was done.
            tools: that the requests offered: calls are repaired by their schemas.
            max_bytes: the most that is read of each file.

        Raises:
            InvalidRequestError: the batch has not ended.
            InvalidResponseError: a line is none of results.
        """
        call = reading(self._settings, tools)
        for file_id in self._files_of(batch):
            with tempfile.TemporaryFile() as file:
                self.download(file_id, file, max_bytes=max_bytes)
                file.seek(0)
                for line in file:
                    yield read_line(line, call)

    def close(self) -> None:
        """Close the connections."""
        self._settings.close()

    def _run(self, steps: Steps[Result]) -> Result:
        with closing(Run(steps)) as run:
            while run.call is not None:
                try:
                    answer = self._do(run.call)
                except MiMoError as error:
                    run.failed(error)
                else:
                    run.answered(answer)
            return run.result

    def _do(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        return step.do() if isinstance(step, Work) else self._settings._ask(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class AsyncBatchClient(_Settings):
    """`BatchClient`, asynchronously: the same arguments, results and errors."""

    _settings: AsyncMiMoClient
    _client = AsyncMiMoClient

    async def upload(self, path: str | os.PathLike[str], *, name: str | None = None) -> RemoteFile:
        """As `BatchClient.upload`."""
        return await self._settings._ask(self._upload_call(path, name))

    async def create(self, input_file_id: str) -> Batch:
        """As `BatchClient.create`."""
        return await self._run(creating(self._settings, input_file_id))

    async def get(self, batch_id: str) -> Batch:
        """As `BatchClient.get`."""
        return await self._settings._ask(get_call(self._settings, batch_id))

    async def list(self, *, limit: int = _PAGE, after: str | None = None) -> Page:
        """As `BatchClient.list`."""
        return await self._settings._ask(list_call(self._settings, limit, after))

    async def find(self, input_file_id: str) -> Batch | None:
        """As `BatchClient.find`."""
        return await self._run(finding(self._settings, input_file_id))

    async def cancel(self, batch_id: str) -> Batch:
        """As `BatchClient.cancel`."""
        return await self._settings._ask(cancel_call(self._settings, batch_id))

    async def delete(self, file_id: str) -> None:
        """As `BatchClient.delete`."""
        await self._settings._ask(DeleteCall(self._settings, file_id))

    async def download(self, file_id: str, into: BinaryIO, *, max_bytes: int = MAX_RESULTS) -> None:
        """As `BatchClient.download`."""
        await self._settings._ask(Download(self._settings, file_id, into, max_bytes))

    async def results(
        self,
        batch: Batch,
        *,
        tools: Iterable[Mapping[str, Any]] | None = None,
        max_bytes: int = MAX_RESULTS,
    ) -> AsyncIterator[LineResult]:
        """As `BatchClient.results`."""
        call = reading(self._settings, tools)
        for file_id in self._files_of(batch):
            with tempfile.TemporaryFile() as file:
                await self.download(file_id, file, max_bytes=max_bytes)
                file.seek(0)
                for line in file:
                    yield read_line(line, call)

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await self._settings.aclose()

    async def _run(self, steps: Steps[Result]) -> Result:
        with closing(Run(steps)) as run:
            while run.call is not None:
                try:
                    answer = await self._do(run.call)
                except MiMoError as error:
                    run.failed(error)
                else:
                    run.answered(answer)
            return run.result

    async def _do(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        return await (in_thread(step.do) if isinstance(step, Work) else self._settings._ask(step))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()
