"""Blocking connections that set their timeout when it changes, not at every read.

httpcore2's stream sets the socket's timeout (a system call) and enters a context manager for each
read: 2 µs of the 14 that a read costs. Everything but `read` is httpcore2's own.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore2
import httpx2

from mimo_core._http.network import HeadBudget, has_unasked, head_arrived, pool_options, shorter

_UNKNOWN = -1.0  # the socket's timeout may have been changed by httpcore2


class SocketBackend(httpcore2.SyncBackend):
    """httpcore2's network backend, with streams that read as above."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._socket = stream.get_extra_info("socket")
        self._pid = os.getpid()
        self._timeout: float | None = _UNKNOWN
        self._limit: float | None = None
        self.head = HeadBudget()

    def limit_reads(self, seconds: float) -> None:
        """The most that a read waits, until something is written: the next request."""
        self._limit = seconds

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._pid != os.getpid():  # what it takes, the parent would never see
            raise httpcore2.ReadError("the connection belongs to the process that opened it")
        if self._limit is not None:
            timeout = shorter(timeout, self._limit)
        try:
            if timeout != self._timeout:
                self._socket.settimeout(timeout)
                self._timeout = timeout
            data: bytes = self._socket.recv(max_bytes)
            self.head.spend(len(data))
            return data
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._timeout = _UNKNOWN
        self._limit = None
        self.head.begin()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        # A thread that waits in `recv` is not woken by closing alone. (An SSLSocket's own
        # `shutdown` takes away what that thread is using.) A forked child would end its parent's.
        if self._pid == os.getpid():
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Connection(httpcore2.HTTPConnection):
    def has_expired(self) -> bool:
        return super().has_expired() or has_unasked(self)


class _Pool(httpcore2.ConnectionPool):
    def create_connection(self, origin: httpcore2.Origin) -> httpcore2.ConnectionInterface:
        return _Connection(
            origin,
            self._ssl_context,
            self._keepalive_expiry,
            network_backend=self._network_backend,
        )


class SocketTransport(httpx2.HTTPTransport):
    """httpx2's transport with connections of this backend (`AsyncioTransport` says how)."""

    def __init__(self, context: ssl.SSLContext, limits: httpx2.Limits) -> None:
        super().__init__(verify=context, limits=limits)
        self._pool = _Pool(**pool_options(context, limits), network_backend=SocketBackend())

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return head_arrived(super().handle_request(request))
