"""A proxy for one server, which writes down what is said.

A request is passed on as it came, its key included, to that server and to no other: redirects are
handed to the client. The answer is passed on piece by piece as it arrives, and kept with the same
breaks. Compression is not asked for: keys could not be looked for in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mimo_core._addresses import carries_credentials, is_plain_url
from mimo_core.testing.cassettes.endings import CLOSED, NO_ANSWER, is_whole
from mimo_core.testing.cassettes.vcrpy import Request
from mimo_core.testing.emulator.connection import Cut, WireRequest
from mimo_core.testing.emulator.faults import Fault, error_body
from mimo_core.testing.emulator.listener import NO_FAULT
from mimo_core.testing.emulator.service import HTTPAnswer, error_answer
from mimo_core.testing.fake_command.recorder import Recorder

# Of one connection, not of the request (RFC 9110, 7.6.1); or made anew by the other side.
_OF_THE_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("host", "content-length", "accept-encoding"),
    }
)
_BODILESS = (204, 304)
_TIMEOUT = httpx2.Timeout(600.0, connect=30.0)  # seconds; a model may think for minutes


def refused_target(url: str, environ: Mapping[str, str]) -> str | None:
    """Why a proxy must not stand before this address, or None.

    Args:
        url: scheme, host and perhaps a path.
        environ: the environment, for `MIMO_ALLOW_HTTP`.
    """
    if not is_plain_url(url):
        return (
            "the URL of a server is needed, without user and query: https://HOST or https://HOST/v1"
        )
    if not carries_credentials(url, environ):
        host = urlsplit(url).hostname
        return f"keys would go to {host} unencrypted: use https, or set MIMO_ALLOW_HTTP={host}"
    return None


class RecordProxy:
    """Passes requests on and records the exchange.

    Args:
        url: the server: scheme, host and perhaps a path, which is put before a request's own unless
            it stands there already.
        recorder: keeps the exchanges.
        log: called with one line for each request and its answer.
    """

    def __init__(self, url: str, recorder: Recorder, log: Callable[[str], None]) -> None:
        parts = urlsplit(url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self._recorder = recorder
        self._log = log
        self._client = httpx2.Client(timeout=_TIMEOUT, follow_redirects=False)

    def close(self) -> None:
        """Close the connections to the server."""
        self._client.close()

    def target(self, path: str) -> str:
        """Where a request for `path` goes."""
        inside = path == self._prefix or path.startswith((f"{self._prefix}/", f"{self._prefix}?"))
        return f"{self._origin}{path if inside else self._prefix + path}"

    def handle(self, received: WireRequest) -> tuple[HTTPAnswer, Fault]:
        """Pass a request on, and hand back its answer, whose body is still on its way."""
        if not received.path.startswith("/"):  # `GET http://elsewhere/`: a key would go there
            body = error_body("400", "mimo-fake: this is not a proxy for any host; name a path")
            return error_answer(400, body), NO_FAULT
        url = self.target(received.path)
        sent = Request(received.method, url, received.body, dict(received.headers))
        headers = [*_passed_on(received.fields), ("accept-encoding", "identity")]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        what = f"{received.method} {received.path.partition('?')[0]}"
        try:
            request = httpx2.Request(received.method, url, headers=raw, content=received.body)
        except httpx2.InvalidURL as error:
            return error_answer(400, error_body("400", f"mimo-fake: {error}")), NO_FAULT
        try:
            response = self._client.send(request, stream=True)
        except httpx2.TransportError as error:
            self._keep_failure(sent, error)
            said = f"{self._origin} did not answer: {type(error).__name__}: {error}"
            self._log(f"{what} -> {said}")
            return error_answer(502, error_body("502", f"mimo-fake: {said}")), NO_FAULT
        self._log(f"{what} -> {response.status_code}")
        return self._answer(sent, response), NO_FAULT

    def _answer(self, sent: Request, response: httpx2.Response) -> HTTPAnswer:
        fields = _passed_on(response.headers.multi_items())
        body = _Body(sent, response, self._recorder)
        return HTTPAnswer(
            response.status_code,
            {},
            events=body,
            is_emulators=False,
            repeated_headers=tuple(fields),
        )

    def _keep_failure(self, sent: Request, error: Exception) -> None:
        broken = {"error": type(error).__name__, "message": str(error)}
        status = {"code": NO_ANSWER, "message": ""}
        body = {"string": b"", "broken": broken}
        self._recorder.add(sent, {"status": status, "headers": {}, "body": body})


class _Body:
    """An answer's body on its way to the client; what passes is kept, once it has ended."""

    def __init__(self, sent: Request, response: httpx2.Response, recorder: Recorder) -> None:
        self._sent = sent
        self._response = response
        self._recorder = recorder
        self._pieces: list[bytes] = []
        self._is_kept = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._response.iter_raw():
                if piece:
                    self._pieces.append(piece)
                    yield piece
        except httpx2.TransportError as error:
            self._keep({"error": type(error).__name__, "message": str(error)})
            raise Cut from error
        self._keep()

    def close(self) -> None:
        """The answer has been sent, or nobody waits for it any more."""
        empty = self._sent.method == "HEAD" or self._response.status_code in _BODILESS
        whole = empty or is_whole(self._pieces)
        self._keep(None if whole else {"error": CLOSED})
        self._response.close()

    def _keep(self, broken: dict[str, str] | None = None) -> None:
        if self._is_kept:
            return
        self._is_kept = True
        response = self._response
        headers: dict[str, list[str]] = {}
        for name, value in response.headers.multi_items():
            headers.setdefault(name.lower(), []).append(value)
        body: dict[str, Any] = {"string": b"".join(self._pieces)}
        body["pieces"] = [len(piece) for piece in self._pieces]
        if broken is not None:
            body["broken"] = broken
        status = {"code": response.status_code, "message": response.reason_phrase}
        self._recorder.add(self._sent, {"status": status, "headers": headers, "body": body})


def _passed_on(fields: Any) -> list[tuple[str, str]]:
    """The headers without those of the connection."""
    given = list(fields)
    named = ",".join(value for name, value in given if name.lower() == "connection").lower()
    own = _OF_THE_CONNECTION | {name.strip() for name in named.split(",")}
    return [(name, value) for name, value in given if name.lower() not in own]
