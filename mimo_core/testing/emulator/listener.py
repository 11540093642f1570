"""A port on this machine, its connections, and a thread for each: the emulator's, and the proxy's.

What is answered is the business of the `handler`; when and how bytes go out is `Connection`'s.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable

from mimo_core.testing.emulator.connection import (
    Connection,
    Cut,
    Disconnected,
    Spools,
    WireRequest,
)
from mimo_core.testing.emulator.faults import Fault
from mimo_core.testing.emulator.service import HTTPAnswer

LOOPBACK = "127.0.0.1"
NO_FAULT = Fault()
Handler = Callable[[WireRequest], tuple[HTTPAnswer, Fault]]

_BACKLOG = 1024
_STOP_SECONDS = 2.0


class Listener:
    """Accepts connections and lets `handler` answer what comes over them.

    Args:
        handler: called in the connection's thread with each request.
        name: of the server, for error messages and the names of threads.
        host: the address to listen on.
        port: 0 takes a free one.
        spools: which bodies go to the disk.

    Attributes:
        changed: notified whenever a connection ends; the owner may notify it of more.
        disconnects: how often a client closed its connection before its answer was complete.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        name: str,
        host: str = LOOPBACK,
        port: int = 0,
        spools: Spools | None = None,
    ) -> None:
        self.changed = threading.Condition()
        self.disconnects = 0
        self._handler = handler
        self._spools = spools
        self._name = name
        self._host = host
        self._wanted_port = port
        self._connections: dict[Connection, threading.Thread] = {}
        self._socket: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    # Life

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._socket is not None

    def start(self) -> None:
        """Listen and serve in daemon threads.

        Raises:
            RuntimeError: it is running already.
            OSError: the port is taken, or the address is not one of this machine's.
        """
        if self._socket is not None:
            raise RuntimeError(f"{self._name} is already running")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        address = (self._host, self._wanted_port)
        listening = socket.create_server(address, family=family, backlog=_BACKLOG)
        self._socket = listening
        self._acceptor = threading.Thread(
            target=self._accept, args=(listening,), name=f"{self._name}:{self.port}", daemon=True
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Close every connection and the port. Does nothing where it is not running."""
        listening, acceptor = self._socket, self._acceptor
        if listening is None or acceptor is None:
            return
        self._socket = None
        _wake(listening)
        acceptor.join(timeout=_STOP_SECONDS)
        listening.close()
        with self.changed:
            open_now = dict(self._connections)
        for connection in open_now:
            connection.wake()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in open_now.values():
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    # What is seen of it

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: it is not running.
        """
        if self._socket is None:
            raise RuntimeError(f"{self._name} is not running")
        return int(self._socket.getsockname()[1])

    @property
    def root_url(self) -> str:
        """Scheme, host and port, as a client on this machine reaches it."""
        host = _reachable(self._host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def connections_open(self) -> int:
        """Connections open now, idle ones included."""
        return len(self._connections)

    def wait_for(self, reached: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition holds, at most `timeout` seconds, and say whether it does."""
        with self.changed:
            return self.changed.wait_for(reached, timeout)

    # Serving

    def _accept(self, listening: socket.socket) -> None:
        while self._socket is listening:
            try:
                sock, _ = listening.accept()
            except OSError:
                if self._socket is listening:
                    # No file left, or a client gone already: the next may fare better.
                    time.sleep(0.01)
                continue
            if self._socket is listening:
                self._open(sock)
            else:  # the connection with which `stop` wakes this thread
                sock.close()

    def _open(self, sock: socket.socket) -> None:
        try:
            connection = Connection(sock, self._spools)
        except OSError:  # already closed by the client
            sock.close()
            return
        name = f"connection of {threading.current_thread().name}"
        thread = threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True)
        with self.changed:
            self._connections[connection] = thread
        thread.start()

    def _serve(self, connection: Connection) -> None:
        reset = False
        try:
            while (received := connection.receive()) is not None:
                answer, fault = self._handler(received)
                reset = fault.reset
                if not connection.deliver(answer, fault, received):
                    break
        except Cut:
            pass
        except Disconnected:
            with self.changed:
                if self._socket is not None:  # else it was `stop` that ended the connection
                    self.disconnects += 1
        finally:
            connection.close(reset=reset)
            with self.changed:
                self._connections.pop(connection, None)
                self.changed.notify_all()


def _wake(listening: socket.socket) -> None:
    """End an `accept` that waits in another thread; to close the socket would not."""
    try:
        listening.shutdown(socket.SHUT_RDWR)  # Linux
    except OSError:  # elsewhere a last connection does it
        host, port = listening.getsockname()[:2]
        with contextlib.suppress(OSError):
            socket.create_connection((_reachable(host), port), timeout=1).close()


def _reachable(host: str) -> str:
    """The address for a client on this machine: `0.0.0.0` and `::` are none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return LOOPBACK if address.version == 4 else "::1"
