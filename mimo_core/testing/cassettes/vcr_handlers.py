"""Streams through vcrpy, piece by piece: recorded as they arrive, replayed with the same breaks.

vcrpy reads a response to its end before anybody sees it and replays it as one lump. While one of
our cassettes is open, its two handlers for httpx and httpx2 are replaced by ones that hand the
pieces through, and that leave every cassette which is not ours to vcrpy.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from mimo_core.testing.cassettes.cleaning import is_clean
from mimo_core.testing.cassettes.edits import split
from mimo_core.testing.cassettes.matching import difference, endpoint_of, match_of
from mimo_core.testing.cassettes.persister import MiMoPersister
from mimo_core.testing.cassettes.vcrpy import Cassette, Request, httpx_stubs
from mimo_core.testing.errors import CassetteError, NoRecordedAnswer

_vcr_handle_request = httpx_stubs._vcr_handle_request
_vcr_handle_async_request = httpx_stubs._vcr_handle_async_request
_PUBLISHED = ("question", "model")
_CLOSED = "closed by the client"
# The last bytes a complete answer ends in, in either protocol.
_ENDINGS = (b"data: [DONE]", b'"type": "message_stop"', b'"type":"message_stop"')
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
    if (cleaned := _cleaned(cassette, request, body)) is None:
        return _vcr_handle_request(cassette, real, transport, request, httpx)
    if (answer := _replayed(cassette, cleaned, request, httpx)) is not None:
        return answer
    _ask_for_plain(request)
    response = real(transport, request)
    return _recording(cassette, cleaned, response, httpx)


async def _handle_async_request(
    cassette: Cassette, real: Any, transport: Any, request: Any, httpx: Any
) -> Any:
    body = b"".join([part async for part in request.stream])
    request.stream = httpx.ByteStream(body)
    if (cleaned := _cleaned(cassette, request, body)) is None:
        return await _vcr_handle_async_request(cassette, real, transport, request, httpx)
    if (answer := _replayed(cassette, cleaned, request, httpx)) is not None:
        return answer
    _ask_for_plain(request)
    response = await real(transport, request)
    return _recording(cassette, cleaned, response, httpx)


def _cleaned(cassette: Cassette, request: Any, body: bytes) -> Request | None:
    """The request as it would stand in our file.

    None leaves it to vcrpy: the file is not ours, or its configuration does not clean requests.
    """
    if not isinstance(cassette._persister, MiMoPersister):
        return None
    sent = Request(request.method, str(request.url), body, dict(request.headers))
    cleaned = cassette.filter_request(sent)
    return cleaned if is_clean(cleaned) else None


def _ask_for_plain(request: Any) -> None:
    """A compressed answer has breaks that say nothing, and hides keys from the redaction."""
    request.headers["accept-encoding"] = "identity"


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
    asked = f"{sent.method} {endpoint_of(sent)}"
    again = "Record it: pytest --record-mode=rewrite, or mimo-replay --record."
    if any(match_of(known) in _PUBLISHED for known in cassette.requests):
        again = "Its answers were published: ask for these, or record a cassette of your own."
    if not cassette.data:
        return f"{cassette._path} holds no recorded answers (asked: {asked}). {again}"
    differences = [difference(sent, known, match_of(known)) for known in cassette.requests]
    if None in differences:
        times = differences.count(None)
        return (
            f"{cassette._path} holds {times} answer(s) to this {asked}, and all were given. {again}"
        )
    unplayed = [text for index, text in enumerate(differences) if not cassette.play_counts[index]]
    nearest = (unplayed or differences)[0]
    return f"{cassette._path} holds no answer to this {asked}: {nearest}. {again}"


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
        name, message = self._broken.get("error", ""), self._broken.get("message", "")
        if name == _CLOSED:
            raise CassetteError(
                "The recording ends here: the client had closed the stream. Record it again."
            )
        kind = getattr(self._httpx, name, None)
        if not (isinstance(kind, type) and issubclass(kind, self._httpx.TransportError)):
            kind = self._httpx.ReadError
        raise kind(message, request=self._request)

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


def _recording(cassette: Cassette, sent: Request, response: Any, httpx: Any) -> Any:
    response.stream = _kinds(httpx)[0](cassette, sent, response)
    return response


class _Recording:
    """A response's body on its way to the reader; what passes goes into the cassette."""

    def __init__(self, cassette: Cassette, sent: Request, response: Any) -> None:
        self._cassette = cassette
        self._sent = sent
        self._stream = response.stream
        self._answer: dict[str, Any] | None = {
            "status": {"code": response.status_code, "message": response.reason_phrase},
            "headers": _headers(response),
        }
        self._pieces: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._stream:
                self._pieces.append(piece)
                yield piece
        except Exception as error:
            self._keep({"error": type(error).__name__, "message": str(error)})
            raise
        self._keep()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                self._pieces.append(piece)
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
        complete = any(ending in b"".join(self._pieces[-2:]) for ending in _ENDINGS)
        self._keep(None if complete else {"error": _CLOSED})

    def _keep(self, broken: dict[str, str] | None = None) -> None:
        """Put the answer into the cassette, once."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        body: dict[str, Any] = {"string": b"".join(self._pieces)}
        body["pieces"] = [len(piece) for piece in self._pieces if piece]
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
