"""`FakeMiMo`: the service on loopback, scriptable, with its rejections, and faults on demand."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from mimo_core.dialects import XIAOMI
from mimo_core.gateways import assign_dialect
from mimo_core.testing.emulator import service
from mimo_core.testing.emulator.connection import Connection, Cut, Disconnected, WireRequest
from mimo_core.testing.emulator.defaults import default_reply
from mimo_core.testing.emulator.faults import Fault, error_body
from mimo_core.testing.emulator.policy import Policy
from mimo_core.testing.emulator.received import ReceivedRequest
from mimo_core.testing.emulator.reply import Reply
from mimo_core.testing.emulator.service import HTTPAnswer

Answerable = Reply | Fault | str | Mapping[str, Any]
"""What can be scripted: a reply, a fault, a text, or a mapping that is the raw JSON body."""

HOST = "127.0.0.1"
_BACKLOG = 1024
_NO_FAULT = Fault()


class FakeMiMo:
    """The MiMo service, emulated on loopback. No model runs; nothing leaves the machine.

    A request is rejected where the service would reject it. Otherwise it is answered by the first
    reply in the queue, else by `respond`, else by an echo that says what it is.

    Args:
        respond: called with each accepted request that finds the queue empty.
        port: 0 takes a free one.
        keys: the API keys that are known; None accepts every request, also one without a key.
        key_prefix: `"sk-"`, `"tp-"` or `"ttp-"`, to refuse the other kind of key with 401.
        require_reasoning: refuse a history of calls without their `reasoning_content`.
        refuse_empty_content: refuse assistant messages whose content is `""`; null always is.
        web_search_enabled: whether the key has the web search plugin.
        extra_models: ids that are served beside those of the model table.
        retired: ids that are not served any more: `400 Unsupported model …`.
        drops_media: messages protocol: drop sound, video and documents in silence, as the service
            does; they are refused otherwise, so that a loss shows.
        data_prefix_errors: begin the error bodies of streaming requests with `data:`.
        log: called with one line for each request and its answer.

    Attributes:
        requests: every request received, in order, rejected ones included.
    """

    def __init__(
        self,
        respond: Callable[[ReceivedRequest], Answerable] | None = None,
        *,
        port: int = 0,
        keys: Iterable[str] | None = None,
        key_prefix: str | None = None,
        require_reasoning: bool = True,
        refuse_empty_content: bool = True,
        web_search_enabled: bool = True,
        extra_models: Iterable[str] = (),
        retired: Iterable[str] = (),
        drops_media: bool = False,
        data_prefix_errors: bool = False,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.respond = respond
        self.requests: list[ReceivedRequest] = []
        self._policy = Policy(
            keys=None if keys is None else frozenset(keys),
            key_prefix=key_prefix,
            require_reasoning=require_reasoning,
            refuse_empty_content=refuse_empty_content,
            web_search_enabled=web_search_enabled,
            extra_models=frozenset(extra_models),
            retired=frozenset(retired),
            drops_media=drops_media,
        )
        self._data_prefix_errors = data_prefix_errors
        self._log = log
        self._wanted_port = port
        self._queue: deque[Answerable] = deque()
        self._changed = threading.Condition()
        self._disconnects = 0
        self._connections: dict[Connection, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    # Life

    def start(self) -> FakeMiMo:
        """Listen and serve in daemon threads.

        Returns:
            Itself.

        Raises:
            RuntimeError: it is running already.
            OSError: the port is taken.
        """
        if self._listener is not None:
            raise RuntimeError("FakeMiMo is already running")
        listener = socket.create_server((HOST, self._wanted_port), backlog=_BACKLOG)
        self._listener = listener
        self._acceptor = threading.Thread(
            target=self._accept, args=(listener,), name=f"FakeMiMo:{self.port}", daemon=True
        )
        self._acceptor.start()
        assign_dialect(self.root_url, XIAOMI)
        return self

    def stop(self) -> None:
        """Close every connection and the port. Does nothing where it is not running."""
        listener, acceptor = self._listener, self._acceptor
        if listener is None or acceptor is None:
            return
        address = listener.getsockname()
        assign_dialect(self.root_url, None)
        self._listener = None
        # A last connection wakes the acceptor on every platform; closing the socket does not.
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=1).close()
        acceptor.join(timeout=2)
        listener.close()
        with self._changed:
            open_now = dict(self._connections)
        for connection in open_now:
            connection.wake()
        deadline = time.monotonic() + 2
        for thread in open_now.values():
            thread.join(timeout=max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> FakeMiMo:
        return self if self._listener is not None else self.start()

    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # Where it is

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._listener is None:
            raise RuntimeError("FakeMiMo is not running")
        return int(self._listener.getsockname()[1])

    @property
    def root_url(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        """The base for chat completions; ends in `/v1`."""
        return f"{self.root_url}/v1"

    @property
    def named_base_url(self) -> str:
        """The same for `MIMO_BASE_URL` in another process, which cannot know that an address of
        this machine is not a server of one's own: `xiaomi+http://…`."""
        return f"xiaomi+{self.base_url}"

    @property
    def messages_base_url(self) -> str:
        """The base for the messages protocol, as Anthropic's SDK takes it."""
        return f"{self.root_url}/anthropic"

    # The script, and what happened

    def queue(self, *replies: Answerable) -> None:
        """Add answers for the requests to come, first in, first out.

        Args:
            replies: one for each request. A request that is rejected does not use one up.

        Raises:
            TypeError: something else than a `Reply`, a `Fault`, a text or a mapping.
        """
        for reply in replies:
            if not isinstance(reply, (Reply, Fault, str, Mapping)):
                raise TypeError(f"cannot answer with a {type(reply).__name__}")
        with self._changed:
            self._queue.extend(replies)

    @property
    def queued(self) -> int:
        """How many scripted answers are left."""
        return len(self._queue)

    @property
    def last_request(self) -> ReceivedRequest:
        """The request that came last.

        Raises:
            IndexError: nothing has been received yet.
        """
        return self.requests[-1]

    def reset(self) -> None:
        """Forget the requests, the queue and the disconnects; connections stay open."""
        with self._changed:
            self.requests.clear()
            self._queue.clear()
            self._disconnects = 0

    @property
    def connections_open(self) -> int:
        """Connections open now, idle ones included."""
        return len(self._connections)

    @property
    def disconnects(self) -> int:
        """How often a client has closed its connection before its answer was complete."""
        return self._disconnects

    def wait_for_disconnect(self, timeout: float = 5.0, *, count: int = 1) -> bool:
        """Wait until clients have closed connections before their answers were complete.

        Args:
            timeout: seconds to wait at most.
            count: how many `disconnects` to wait for.

        Returns:
            False if it took longer than `timeout`.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._disconnects >= count, timeout)

    def wait_for_requests(self, count: int = 1, timeout: float = 5.0) -> bool:
        """Wait until requests have been received.

        Args:
            count: how many at least.
            timeout: seconds to wait at most.

        Returns:
            False if it took longer than `timeout`.
        """
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, timeout)

    def wait_for_idle(self, timeout: float = 5.0) -> bool:
        """Wait until every connection is closed, e.g. to see that a client closed all of its own.

        Args:
            timeout: seconds to wait at most.

        Returns:
            False if it took longer than `timeout`.
        """
        with self._changed:
            return self._changed.wait_for(lambda: not self._connections, timeout)

    # Serving

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                sock, _ = listener.accept()
            except OSError:
                time.sleep(0.01)  # no file left, or a client gone already: the next may fare better
                continue
            if self._listener is listener:
                self._open(sock)
            else:  # the connection with which `stop` wakes this thread
                sock.close()

    def _open(self, sock: socket.socket) -> None:
        try:
            connection = Connection(sock)
        except OSError:  # already closed by the client
            sock.close()
            return
        name = f"connection of {threading.current_thread().name}"
        thread = threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True)
        with self._changed:
            self._connections[connection] = thread
        thread.start()

    def _serve(self, connection: Connection) -> None:
        reset = False
        try:
            while (received := connection.receive()) is not None:
                answer, fault = self._answer(received)
                reset = fault.reset
                connection.deliver(answer, fault)
                if received.headers.get("connection", "").lower() == "close":
                    break
        except Cut:
            pass
        except Disconnected:
            self._note_disconnect()
        finally:
            connection.close(reset=reset)
            with self._changed:
                self._connections.pop(connection, None)
                self._changed.notify_all()

    def _note_disconnect(self) -> None:
        with self._changed:
            if self._listener is not None:  # else it was `stop` that ended the connection
                self._disconnects += 1
            self._changed.notify_all()

    def _answer(self, received: WireRequest) -> tuple[HTTPAnswer, Fault]:
        request = service.record(
            received.method,
            received.path,
            received.headers,
            received.body,
            drops_media=self._policy.drops_media,
        )
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        answer, fault = self._decide(request)
        if self._log is not None:
            self._log(service.log_line(request, answer))
        return answer, fault

    def _decide(self, request: ReceivedRequest) -> tuple[HTTPAnswer, Fault]:
        if refused := service.rejection(request, self._policy):
            prefix = self._data_prefix_errors and request.stream
            return service.error_answer(*refused, data_prefix=prefix), _NO_FAULT
        if request.protocol == "models":
            return service.models_answer(self._policy), _NO_FAULT
        try:
            return self._scripted(request)
        except Exception as error:
            # A status that no client retries: a mistake in a test should show at once.
            message = f"FakeMiMo: the script failed: {type(error).__name__}: {error}"
            return service.error_answer(418, error_body("418", message)), _NO_FAULT

    def _scripted(self, request: ReceivedRequest) -> tuple[HTTPAnswer, Fault]:
        with self._changed:
            said = self._queue.popleft() if self._queue else None
        if said is None:
            said = self._unscripted(request)
        fault = _NO_FAULT
        if isinstance(said, Fault):
            fault = said
            if fault.is_error:
                status, headers, body = fault.http_error(stream=request.stream)
                return HTTPAnswer(status, headers, body), fault
            said = self._unscripted(request) if fault.reply is None else fault.reply
            if isinstance(said, Fault):  # `respond` answers with a fault that wraps nothing
                said = default_reply(request)
        reply = Reply(said) if isinstance(said, str) else said
        return service.reply_answer(reply, request, fault), fault

    def _unscripted(self, request: ReceivedRequest) -> Answerable:
        return self.respond(request) if self.respond is not None else default_reply(request)
