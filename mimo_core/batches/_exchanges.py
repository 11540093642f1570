"""The requests of the Files and Batches APIs, each an `Exchange`: no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlencode

from mimo_core._http.clients import ClientErrors
from mimo_core._http.exchange import Exchange
from mimo_core._http.settings import ClientSettings
from mimo_core._response.body import BodyReader
from mimo_core.batches._lines import URL, LineSplitter
from mimo_core.batches._records import Batch, Page, Reader, RemoteFile
from mimo_core.batches._upload import Source, UploadBody
from mimo_core.errors import InvalidResponseError, MiMoError, NotFoundError

Record = TypeVar("Record")
Take = Callable[[bytes], None]
_HINT = "Batches have an address of their own: set batch_base_url to a region or a URL."


class _Call(Exchange[Record]):
    """A request that is answered with one JSON object, or with nothing that is kept."""

    def __init__(self, settings: ClientSettings, method: str, path: str, **query: Any) -> None:
        super().__init__(
            settings.endpoint,
            max_retries=settings._max_retries,
            options=settings._options,
            limits=settings._limits,
            deadline=settings._deadline,
        )
        self.method = method
        own = urlencode({name: value for name, value in query.items() if value is not None})
        given = settings._options.query_string
        joined = "&".join(part for part in (given.removeprefix("?"), own) if part)
        self.url = settings.endpoint.url(path) + (f"?{joined}" if joined else "")
        self.records = Reader(self._secrets)

    def _payload(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        # What was created, or is going to be, is answered with 201 or 202 by some servers.
        return super()._payload(200 if status in (201, 202) else status, headers, body)

    def failure(self, cause: Exception, kinds: ClientErrors) -> MiMoError:
        error = super().failure(cause, kinds)
        if isinstance(error, NotFoundError) and _HINT not in str(error):
            error.args = (f"{error} {_HINT}", *error.args[1:])
        return error


class ObjectCall(_Call[Record]):
    """A request for one record."""

    def __init__(
        self,
        settings: ClientSettings,
        method: str,
        path: str,
        read: Callable[[Reader, Mapping[str, Any]], Record],
        **query: Any,
    ) -> None:
        super().__init__(settings, method, path, **query)
        self._read = read

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Record:
        return self._read(self.records, self._payload(status, headers, body))


class CreateCall(ObjectCall[Batch]):
    """`POST /batches`. It is sent again only where the service cannot have taken it.

    Attributes:
        may_exist: whether the batch may have been made although the call failed.
    """

    def __init__(self, settings: ClientSettings, input_file_id: str) -> None:
        super().__init__(settings, "POST", "/batches", Reader.batch)
        body = {"input_file_id": input_file_id, "endpoint": URL, "completion_window": "24h"}
        self.content = json.dumps(body).encode()
        self.headers["content-type"] = "application/json"
        self.may_exist = False

    def failure(self, cause: Exception, kinds: ClientErrors) -> MiMoError:
        error = super().failure(cause, kinds)
        never_sent = isinstance(cause, kinds.never_connected)
        self.may_exist = not never_sent and not _is_refusal(error)
        return error

    def delay_before_retry(self, error: MiMoError) -> float | None:
        return None if self.may_exist else super().delay_before_retry(error)


_AMBIGUOUS = frozenset({303, 408, 409, 499})  # "see the result", timeouts, "it is there already"


def _is_refusal(error: MiMoError) -> bool:
    """Whether the service says that it did not do it. A body that cannot be read says nothing."""
    seen = {error.status} | ({error.response.status_code} if error.response else set())
    said = {status for status in seen if status is not None}
    if not said or said & _AMBIGUOUS or max(said) >= 500:
        return False
    return max(said) >= 300


class UploadCall(ObjectCall[RemoteFile]):
    """`POST /files`."""

    def __init__(self, settings: ClientSettings, source: Source, name: str) -> None:
        super().__init__(settings, "POST", "/files", Reader.file)
        self.content = body = UploadBody(source, name)
        self.headers["content-type"] = body.content_type
        self.headers["content-length"] = str(len(body))


class DeleteCall(_Call[None]):
    """`DELETE /files/{id}`."""

    def __init__(self, settings: ClientSettings, file_id: str) -> None:
        super().__init__(settings, "DELETE", f"/files/{quote(file_id, safe='')}")

    @property
    def was_repeated(self) -> bool:
        """Whether it was sent more than once: the file may be gone because of the first time."""
        return self._attempt > 0

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if status != 204:
            self._payload(status, headers, body)


class _LineReader(BodyReader):
    """Gives out the lines of a file while it arrives, and keeps none."""

    __slots__ = ("_lines",)

    def __init__(self, lines: LineSplitter) -> None:
        super().__init__(is_answer=True)
        self._lines = lines

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)

    def body(self) -> bytes:
        self._lines.close()
        return b""


class ContentCall(_Call[None]):
    """`GET /files/{id}/content`, line by line.

    Where the connection breaks it begins anew: `take` may get a line twice.
    """

    def __init__(self, settings: ClientSettings, file_id: str, take: Take, most: int) -> None:
        super().__init__(settings, "GET", f"/files/{quote(file_id, safe='')}/content")
        self._take, self._most = take, most
        self._read = 0

    def reader(self, status: int) -> BodyReader:
        self._read = 0
        if status != 200:
            return super().reader(status)
        return _LineReader(LineSplitter(self._limits.body, self._count))

    def received(self, count: int) -> None:
        self.check_deadline()  # what is compressed is counted as lines

    def _count(self, line: bytes) -> None:
        self._read += len(line)
        if self._read > self._most:
            raise InvalidResponseError(
                f"The results are larger than {self._most // 10**6} MB, so they were not read "
                "further. If they are meant to be, raise max_bytes."
            )
        self._take(line)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if status != 200:
            self._payload(status, headers, body)


class Download(ContentCall):
    """`ContentCall` into a file, which each attempt begins anew."""

    def __init__(self, settings: ClientSettings, file_id: str, into: BinaryIO, most: int) -> None:
        super().__init__(settings, file_id, self._write, most)
        self._into = into

    def reader(self, status: int) -> BodyReader:
        self._into.seek(0)
        self._into.truncate()
        return super().reader(status)

    def _write(self, line: bytes) -> None:
        self._into.write(line + b"\n")


def get_call(settings: ClientSettings, batch_id: str) -> ObjectCall[Batch]:
    """`GET /batches/{id}`."""
    return ObjectCall(settings, "GET", f"/batches/{quote(batch_id, safe='')}", Reader.batch)


def cancel_call(settings: ClientSettings, batch_id: str) -> ObjectCall[Batch]:
    """`POST /batches/{id}/cancel`."""
    return ObjectCall(settings, "POST", f"/batches/{quote(batch_id, safe='')}/cancel", Reader.batch)


def list_call(settings: ClientSettings, limit: int, after: str | None) -> ObjectCall[Page]:
    """`GET /batches`."""
    return ObjectCall(settings, "GET", "/batches", Reader.page, limit=limit, after=after)
