"""One client's connection: requests read, answers written, both with full control of the socket."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from mimo_core.testing.emulator.batch_files import Spool
from mimo_core.testing.emulator.faults import Fault
from mimo_core.testing.emulator.service import HTTPAnswer

_PROCESSING = b": PROCESSING\n\n"
_BOM = b"\xef\xbb\xbf"
_DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)
_MAX_LINE = 65_536
_BODILESS = (204, 304)
_PIECE = 65_536
Spools = Callable[[str, str], int | None]
"""Of a method and a path: up to how many bytes of the body go to the disk; None for into memory."""


class Disconnected(Exception):
    """The client went away before its answer was complete."""


class Cut(Exception):
    """A fault asks for the connection to end here."""


@dataclass(frozen=True)
class WireRequest:
    """One request off the wire."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    version: str = "HTTP/1.1"
    fields: tuple[tuple[str, str], ...] = ()
    """The headers as they came, those included whose names come more than once."""
    upload: Spool | None = None
    """The body, where it went to the disk; `body` is empty then."""

    @property
    def is_old(self) -> bool:
        """Whether the client speaks HTTP/1.0, which has no chunks (`ab`, nginx by default)."""
        return self.version == "HTTP/1.0"

    @property
    def keeps_open(self) -> bool:
        """Whether the client wants to send more over the same connection."""
        said = self.headers.get("connection", "").lower()
        wishes = {wish.strip() for wish in said.split(",")}
        return "keep-alive" in wishes if self.is_old else "close" not in wishes


class Connection:
    """Reads requests and delivers answers on one accepted socket."""

    def __init__(self, sock: socket.socket, spools: Spools | None = None) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._spools = spools
        self._file = sock.makefile("rb")

    # Reading

    def receive(self) -> WireRequest | None:
        """The next request, or None where the client has closed or speaks no HTTP."""
        try:
            line = self._file.readline(_MAX_LINE).decode("latin-1")
            if line in ("\r\n", "\n"):  # tolerated before a request, as in RFC 9112
                line = self._file.readline(_MAX_LINE).decode("latin-1")
            parts = line.split()
            if len(parts) != 3:
                return None
            fields = http.client.parse_headers(self._file)
            headers = {name.lower(): value for name, value in fields.items()}
            if headers.get("expect", "").lower() == "100-continue" and parts[2] != "HTTP/1.0":
                self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            most = self._spools(parts[0], parts[1]) if self._spools else None
            body = b"" if most is not None else self._body(headers)
            upload = None if most is None else self._upload(headers, most)
            every = tuple(fields.items())
            return WireRequest(parts[0], parts[1], headers, body, parts[2], every, upload)
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self._file.read(int(headers.get("content-length", 0)))
        return b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._file.readline(_MAX_LINE).split(b";")[0], 16):
            yield self._file.read(size)
            self._file.readline(_MAX_LINE)
        while self._file.readline(_MAX_LINE).strip():  # trailers
            pass

    def _upload(self, headers: dict[str, str], most: int) -> Spool:
        """The body on the disk. Raises `ValueError` where it ends too early."""
        spool = Spool()
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = int(headers.get("content-length", 0))
        for piece in self._chunks() if chunked else self._pieces(length):
            kept = piece[: max(0, most - spool.size)]
            spool.add(kept)
            spool.left_out += len(piece) - len(kept)
        return spool

    def _pieces(self, length: int) -> Iterator[bytes]:
        while length:
            if not (piece := self._file.read(min(_PIECE, length))):
                raise ValueError("the client went away")
            yield piece
            length -= len(piece)

    # Writing

    def deliver(self, answer: HTTPAnswer, fault: Fault, request: WireRequest) -> bool:
        """Send an answer as the fault says.

        Args:
            answer: what to send. `events` may be made while they are sent; they are closed.
            fault: how it goes wrong.
            request: what is answered. A `HEAD` gets no body, HTTP/1.0 gets no chunks.

        Returns:
            Whether the connection can take another request.

        Raises:
            Disconnected: the client closed the connection first.
            Cut: the fault, or a source of events that fails, ends the connection; `close` must
                follow.
        """
        with contextlib.ExitStack() as stack:
            if close := getattr(answer.events, "close", None):
                stack.callback(close)
            try:
                return self._deliver(answer, fault, request)
            except OSError as error:
                raise Disconnected from error

    def _deliver(self, answer: HTTPAnswer, fault: Fault, request: WireRequest) -> bool:
        if fault.hang:
            self._wait(None)
        self._wait(fault.latency)
        if fault.cut == "before_headers":
            raise Cut
        keeps_open = request.keeps_open and not (request.is_old and answer.events is not None)
        usual = keeps_open and not request.is_old
        framing = {} if usual else {"connection": "keep-alive" if keeps_open else "close"}
        bodiless = answer.status in _BODILESS
        if answer.events is None:
            if not bodiless:
                framing["content-length"] = str(self._length(answer, fault))
        elif not (request.is_old or bodiless):
            framing["transfer-encoding"] = "chunked"
        head = _head(answer, framing)
        if request.method == "HEAD" or bodiless:
            self._send(head)
        elif answer.events is None:
            self._send_body(head, answer, fault)
        else:
            self._send(head)
            self._send_stream(answer, answer.events, fault, chunked=not request.is_old)
        return keeps_open

    @staticmethod
    def _length(answer: HTTPAnswer, fault: Fault) -> int:
        length = len(answer.body) + len(_BOM) * fault.bom
        return length // 2 if fault.cut is not None and fault.clean else length

    def _send_body(self, head: bytes, answer: HTTPAnswer, fault: Fault) -> None:
        body = (_BOM if fault.bom else b"") + answer.body
        half = fault.cut is not None or fault.hang_after is not None
        if fault.cut is not None and fault.clean:
            body, half = body[: len(body) // 2], False
        if not (half or fault.byte_by_byte or fault.first_event_latency or fault.cut):
            self._send(head + body)  # at once: each write wakes the client
            return
        self._send(head)
        self._wait(fault.first_event_latency)
        if fault.cut == "before_first_event":
            raise Cut
        self._send_pieces(body[: len(body) // 2] if half else body, fault.byte_by_byte)
        if fault.hang_after is not None:
            self._wait(None)
        if half:
            raise Cut

    def _send_stream(
        self, answer: HTTPAnswer, events: Iterable[bytes], fault: Fault, *, chunked: bool
    ) -> None:
        if fault.bom:
            self._send_chunk(_BOM, fault, chunked)
        for _ in range(answer.comments):
            self._send_chunk(_PROCESSING, fault, chunked)
            self._wait(fault.comment_interval)
        self._wait(fault.first_event_latency)
        for count, event in enumerate(events):
            if count == fault.hang_after:
                self._wait(None)
            if count:
                self._wait(answer.interval)
            if self._is_closed():
                raise Disconnected
            self._send_chunk(event, fault, chunked)
        if fault.hang_after is not None or fault.never_ends:
            self._wait(None)
        if fault.cut is not None and not (fault.clean or fault.cut == "before_done"):
            raise Cut
        if chunked:
            # A client may leave once it has read the last event: by then its answer is complete.
            with contextlib.suppress(OSError):
                self._send(b"0\r\n\r\n")

    def _send_chunk(self, data: bytes, fault: Fault, chunked: bool) -> None:
        if fault.crlf:
            data = data.replace(b"\n", b"\r\n")
        size = 1 if fault.byte_by_byte else max(1, len(data))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def _send_pieces(self, data: bytes, one_by_one: bool) -> None:
        for start in range(0, len(data), 1 if one_by_one else max(1, len(data))):
            self._send(data[start : start + 1] if one_by_one else data)

    def _send(self, data: bytes) -> None:
        self._sock.sendall(data)

    # Waiting

    def _wait(self, seconds: float | None) -> None:
        """Wait, for ever where None, unless the client (or the emulator's stop) ends it."""
        if seconds is not None and seconds <= 0:
            return
        self._sock.settimeout(seconds)
        try:
            if not self._sock.recv(1, socket.MSG_PEEK):
                raise Disconnected
        except TimeoutError:
            return
        finally:
            self._sock.settimeout(None)
        # The client has sent its next request early: this one's answer is no longer waited for.
        raise Disconnected

    def _is_closed(self) -> bool:
        if not _DONT_WAIT:
            return False  # told by the next write instead
        try:
            return not self._sock.recv(1, socket.MSG_PEEK | _DONT_WAIT)
        except BlockingIOError:
            return False

    # Ending

    def wake(self) -> None:
        """From another thread: end whatever this connection is waiting for."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self, *, reset: bool = False) -> None:
        """Close the connection, with a TCP reset if asked to."""
        if reset:
            linger = struct.pack("ii", 1, 0)
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            self.wake()
        self._file.close()
        self._sock.close()


def _head(answer: HTTPAnswer, framing: dict[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    own = {
        "server": "FakeMiMo",
        "date": formatdate(usegmt=True),
        "x-request-id": uuid.uuid4().hex,
    }
    headers = {**(own if answer.is_emulators else {}), **answer.headers, **framing}
    fields = [*headers.items(), *answer.repeated_headers]
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {answer.status} {phrase}\r\n{lines}\r\n".encode("latin-1")
