"""Streams through vcrpy, piece by piece: recorded as they arrive, replayed with the same breaks.

vcrpy reads a response to its end before anybody sees it and replays it as one lump. While one of
our cassettes is open, its two handlers for httpx and httpx2 are replaced by ones that hand the
pieces through, and that leave every cassette which is not ours to vcrpy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from mimo_core._addresses import is_loopback
from mimo_core._http.clients import OURS
from mimo_core._http.destination import check_live, is_led
from mimo_core.testing.cassettes.cassette import MiMoCassette, candidates_of
from mimo_core.testing.cassettes.cleaning import MiMoRequest, is_clean
from mimo_core.testing.cassettes.edits import split
from mimo_core.testing.cassettes.endings import CLOSED, NO_ANSWER, is_whole
from mimo_core.testing.cassettes.matching import match_of, why_no_match
from mimo_core.testing.cassettes.vcrpy import Cassette, Request, httpx_stubs
from mimo_core.testing.errors import CassetteError, NoRecordedAnswer
from mimo_core.testing.live import STAND_IN_KEY

_vcr_handle_request = httpx_stubs._vcr_handle_request
_vcr_handle_async_request = httpx_stubs._vcr_handle_async_request
_PUBLISHED = ("question", "model")
_lock = threading.RLock()
_open_cassettes = 0


@contextmanager
def replaced_handlers() -> Iterator[None]:
    """Let vcrpy call our handlers; vcrpy's own are back when the last such context has ended.

    Contexts may be nested, and may begin and end in any order in threads and tasks.
    """
    global _open_cassettes
    with _lock:
        _open_cassettes += 1
        httpx_stubs._vcr_handle_request = _handle_request
        httpx_stubs._vcr_handle_async_request = _handle_async_request
    try:
        yield
    finally:
        with _lock:
            _open_cassettes -= 1
            if not _open_cassettes:
                httpx_stubs._vcr_handle_request = _vcr_handle_request
                httpx_stubs._vcr_handle_async_request = _vcr_handle_async_request


def _handle_request(cassette: Cassette, real: Any, transport: Any, request: Any, httpx: Any) -> Any:
    body = b"".join(request.stream)
    request.stream = httpx.ByteStream(body)
    if _is_led_past(cassette, request):
        return real(transport, request)
    if (cleaned := _cleaned(cassette, request, body)) is None:
        return _vcr_handle_request(cassette, real, transport, request, httpx)
    if (answer := _replayed(cassette, cleaned, request, httpx)) is not None:
        return answer
    _prepare_to_send(cassette, request)
    began = time.monotonic()
    try:
        response = real(transport, request)
    except httpx.TransportError as error:
        _keep_failure(cassette, cleaned, error)
        raise
    return _recording(cassette, cleaned, response, httpx, began)


async def _handle_async_request(
    cassette: Cassette, real: Any, transport: Any, request: Any, httpx: Any
) -> Any:
    body = b"".join([part async for part in request.stream])
    request.stream = httpx.ByteStream(body)
    if _is_led_past(cassette, request):
        return await real(transport, request)
    if (cleaned := _cleaned(cassette, request, body)) is None:
        return await _vcr_handle_async_request(cassette, real, transport, request, httpx)
    if (answer := _replayed(cassette, cleaned, request, httpx)) is not None:
        return answer
    _prepare_to_send(cassette, request)
    began = time.monotonic()
    try:
        response = await real(transport, request)
    except httpx.TransportError as error:
        _keep_failure(cassette, cleaned, error)
        raise
    return _recording(cassette, cleaned, response, httpx, began)


def _is_led_past(cassette: Cassette, request: Any) -> bool:
    """Whether an emulator answers that was set up within a cassette which only plays."""
    if not isinstance(cassette, MiMoCassette) or OURS not in request.extensions:
        return False
    return cassette.write_protected and is_led(since=cassette.opened)


def _cleaned(cassette: Cassette, request: Any, body: bytes) -> Request | None:
    """The request as it would stand in our file.

    None leaves it to vcrpy: the file is not ours, the request is none of MiMo's, or a filter of
    the user's keeps it out.
    """
    if not isinstance(cassette, MiMoCassette):
        return None
    kind = MiMoRequest if OURS in request.extensions else Request
    sent = kind(request.method, str(request.url), body, dict(request.headers))
    cleaned = cassette.filter_request(sent)
    if cleaned is None and OURS in request.extensions:
        check_live(str(request.url))  # a filter of the user's leaves it to the network
    return cleaned if is_clean(cleaned) else None


def _prepare_to_send(cassette: Cassette, request: Any) -> None:
    """Ask for a plain answer: a compressed one has breaks that say nothing, and hides keys.

    Raises:
        CassetteError: the key is the one that stands in for a key while cassettes replay.
    """
    request.headers["accept-encoding"] = "identity"
    given = (request.headers.get(name, "") for name in ("api-key", "x-api-key", "authorization"))
    if not is_loopback(request.url.host) and any(STAND_IN_KEY in value for value in given):
        raise CassetteError(
            f"{cassette._path} has no answer to this {request.method} {request.url.path}, and to "
            "record one takes a key: set MIMO_API_KEY."
        )


# Replaying


def _replayed(cassette: Cassette, sent: Request, request: Any, httpx: Any) -> Any:
    """The recorded response to the cleaned request `sent`, or None where it is to be fetched.

    Raises:
        NoRecordedAnswer: the cassette has no answer left, and nothing may be recorded.
    """
    with _lock:  # two threads with the same request must not take the same answer
        if cassette.can_play_response_for(sent):
            return _response(cassette.play_response(sent), request, httpx)
    if cassette.write_protected:
        raise NoRecordedAnswer(_why_not(cassette, sent), cassette=cassette, failed_request=sent)
    return None


def _response(answer: dict[str, Any], request: Any, httpx: Any) -> Any:
    held = answer["body"]
    body = held["string"] or b""
    if answer["status"]["code"] == NO_ANSWER:
        raise _failure(held.get("broken") or {}, request, httpx)
    pieces = split(body.encode() if isinstance(body, str) else body, held.get("pieces"))
    reason = str(answer["status"].get("message") or "")
    return httpx.Response(
        answer["status"]["code"],
        headers=[(name, value) for name, values in answer["headers"].items() for value in values],
        stream=_kinds(httpx)[1](pieces, held.get("broken"), request, httpx),
        extensions={"http_version": b"HTTP/1.1", "reason_phrase": reason.encode("latin-1")},
    )


def _why_not(cassette: Cassette, sent: Request) -> str:
    """One line: what was asked, how the nearest recorded request differs, what to do."""
    again = "Record it: pytest --record-mode=rewrite, or mimo-replay --record."
    if any(match_of(known) in _PUBLISHED for known in cassette.requests):
        again = "Its answers were published: ask for these, or record a cassette of your own."
    if not getattr(cassette, "matches_by_meaning", True):
        return f"{cassette._path} holds no further answer that its match_on lets pass. {again}"
    rule = getattr(cassette._persister, "rule", None)
    return f"{cassette._path} {why_no_match(sent, candidates_of(cassette), rule)}. {again}"


def _failure(broken: dict[str, str], request: Any, httpx: Any) -> Exception:
    """The exception of this HTTP library that was recorded."""
    kind = getattr(httpx, broken.get("error", ""), None)
    if not (isinstance(kind, type) and issubclass(kind, httpx.TransportError)):
        kind = httpx.ReadError
    failure: Exception = kind(broken.get("message", ""), request=request)
    return failure


class _Replayed:
    """A response's body, piece by piece, and the error it ended in."""

    def __init__(
        self, pieces: list[bytes], broken: dict[str, str] | None, request: Any, httpx: Any
    ) -> None:
        self._pieces = pieces
        self._broken = broken
        self._request = request
        self._httpx = httpx

    def _end(self) -> None:
        if self._broken is None:
            return
        if self._broken.get("error") == CLOSED:
            raise CassetteError(
                "The recording ends here: the client had closed the stream. Record it again."
            )
        raise _failure(self._broken, self._request, self._httpx)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from anyio.lowlevel import checkpoint  # both httpx and httpx2 bring it

        for piece in self._pieces:
            await checkpoint()  # as on a real connection, other tasks run and a cancel is seen
            yield piece
        self._end()


# Recording


def _keep_failure(cassette: Cassette, sent: Request, error: Exception) -> None:
    """Keep that there was no answer, and why."""
    broken = {"error": type(error).__name__, "message": str(error)}
    answer: dict[str, Any] = {"status": {"code": NO_ANSWER, "message": ""}, "headers": {}}
    answer["body"] = {"string": b"", "broken": broken}
    with _lock:
        cassette.append(sent, answer)


def _recording(cassette: Cassette, sent: Request, response: Any, httpx: Any, began: float) -> Any:
    response.stream = _kinds(httpx)[0](cassette, sent, response, began)
    return response


class _Recording:
    """A response's body on its way to the reader; what passes goes into the cassette."""

    def __init__(self, cassette: Cassette, sent: Request, response: Any, began: float) -> None:
        self._cassette = cassette
        self._began = began
        self._sent = sent
        self._stream = response.stream
        self._answer: dict[str, Any] | None = {
            "status": {"code": response.status_code, "message": response.reason_phrase},
            "headers": _headers(response),
        }
        self._pieces: list[bytes] = []
        self._times: list[int] = []  # ms after the request, of each piece that is not empty

    def _take(self, piece: bytes) -> None:
        self._pieces.append(piece)
        if piece:
            self._times.append(round((time.monotonic() - self._began) * 1000))

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._stream:
                self._take(piece)
                yield piece
        except Exception as error:
            self._keep({"error": type(error).__name__, "message": str(error)})
            raise
        self._keep()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                self._take(piece)
                yield piece
        except Exception as error:
            self._keep({"error": type(error).__name__, "message": str(error)})
            raise
        self._keep()

    def close(self) -> None:
        self._keep_closed()
        self._stream.close()

    async def aclose(self) -> None:
        self._keep_closed()
        await self._stream.aclose()

    def _keep_closed(self) -> None:
        complete = is_whole(self._pieces)
        self._keep(None if complete else {"error": CLOSED})

    def _keep(self, broken: dict[str, str] | None = None) -> None:
        """Put the answer into the cassette, once."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        body: dict[str, Any] = {"string": b"".join(self._pieces)}
        body["pieces"] = [len(piece) for piece in self._pieces if piece]
        body["times"] = self._times
        if broken is not None:
            body["broken"] = broken
        answer["body"] = body
        with _lock:
            self._cassette.append(self._sent, answer)


def _headers(response: Any) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in response.headers.multi_items():
        headers.setdefault(name.lower(), []).append(value)
    return headers


@cache
def _kinds(httpx: Any) -> tuple[Any, Any]:
    """Our two streams as classes of this HTTP library, which checks for its own."""
    bases = (httpx.SyncByteStream, httpx.AsyncByteStream)
    return (
        type("RecordingStream", (_Recording, *bases), {}),
        type("ReplayedStream", (_Replayed, *bases), {}),
    )
