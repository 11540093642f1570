"""No test goes live by itself: what keeps the requests of this library in the process."""

from __future__ import annotations

import _socket
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mimo_core._addresses import is_loopback
from mimo_core._http.destination import LiveRequestRefused, leading_to, refusing
from mimo_core.gateways import serves_mimo
from mimo_core.testing.decorators import context_decorator

if TYPE_CHECKING:
    from mimo_core.testing.emulator import FakeMiMo

__all__ = ["STAND_IN_KEY", "LiveRequestRefused", "all_requests_to", "block", "loopback_allowed"]

STAND_IN_KEY = "sk-not-a-key"
"""What `MIMO_API_KEY` is set to where nothing is asked that needs one."""


_OWN = ("socket", "_socket")  # the modules whose functions look names up where nobody guards them


@context_decorator
def block(reason: str = "Nothing may be sent here") -> Iterator[None]:
    """Refuse every request of this library that no cassette answers and no `fake_mimo` takes.

    It holds for the whole process, whenever a model was made. A server on this machine may be
    asked. It is a decorator as well.

    Args:
        reason: the beginning of the error's line.

    Raises:
        LiveRequestRefused: (from the request) it would have left the machine.
    """
    with refusing(reason), environment(MIMO_LIVE="false"):  # which subprocesses look at
        yield


@contextmanager
def all_requests_to(mimo: FakeMiMo) -> Iterator[None]:
    """Lead every request of this library in this process to an emulator, whenever its model was
    made. Subprocesses find it in their environment, and may ask no other machine.

    Args:
        mimo: it is running. Another running one may still be asked by its own address.
    """

    def address(url: str) -> str:
        parts = urlsplit(url)
        if is_loopback(parts.hostname or "") and serves_mimo(url):
            return url
        query = f"?{parts.query}" if parts.query else ""
        return f"{mimo.root_url}{mimo.path_for(parts.path)}{query}"

    variables = dict.fromkeys(("MIMO_BASE_URL", "MIMO_BATCH_BASE_URL"), mimo.named_base_url)
    variables["MIMO_API_KEY"] = STAND_IN_KEY
    with leading_to(address), environment(**variables, MIMO_LIVE="false"):
        yield


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables set, and put back afterwards."""
    layer = dict(values)
    with _lock:
        for name in values:
            if not any(name in one for one in _layers):
                _before[name] = os.environ.get(name)
        _layers.append(layer)
        os.environ.update(values)
    try:
        yield
    finally:
        with _lock:  # contexts of threads and fixtures end in any order
            del _layers[next(i for i, one in enumerate(_layers) if one is layer)]
            for name in values:
                left = [one[name] for one in _layers if name in one]
                value = left[-1] if left else _before.pop(name)
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


_lock = threading.RLock()
_layers: list[dict[str, str]] = []
_before: dict[str, str | None] = {}


@contextmanager
def loopback_allowed() -> Iterator[None]:
    """Let sockets reach this machine, and it alone, where pytest-socket (`--disable-socket`) or
    pytest-recording (`--block-network`) lets them reach nothing."""
    blocked = socket.socket
    # Plugins put a subclass in the place of the class, or another method into the class.
    real: Any = next(kind for kind in blocked.__mro__ if kind.__module__ == "socket")
    before = {name: vars(real).get(name) for name in ("connect", "connect_ex")}
    lookups = {name: getattr(socket, name) for name in ("getaddrinfo", "gethostbyname")}
    guarded_lookups = {name: f for name, f in lookups.items() if f.__module__ not in _OWN}
    if blocked is real and not any(before.values()) and not guarded_lookups:
        yield
        return
    for name, guarded in before.items():
        setattr(real, name, _only_here(name, guarded, blocked if blocked is not real else None))
    for name, lookup in guarded_lookups.items():
        setattr(socket, name, _looked_up_here(name, lookup))
    socket.socket = real  # type: ignore[misc]
    try:
        yield
    finally:
        socket.socket = blocked  # type: ignore[misc]
        for name, lookup in guarded_lookups.items():
            setattr(socket, name, lookup)
        for name, guarded in before.items():
            if guarded is None:
                delattr(real, name)
            else:
                setattr(real, name, guarded)


def _looked_up_here(name: str, guarded: Callable[..., Any]) -> Callable[..., Any]:
    look_up = getattr(_socket, name)

    def call(host: Any, *arguments: Any, **named: Any) -> Any:
        text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        return (look_up if is_loopback(text) else guarded)(host, *arguments, **named)

    return call


def _only_here(name: str, guarded: Callable[..., Any] | None, blocked: Any) -> Callable[..., Any]:
    connect = getattr(_socket.socket, name)

    def call(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and is_loopback(str(address[0])):
            return connect(self, address)
        if blocked is not None:
            blocked(socket.AF_INET, socket.SOCK_STREAM)  # raises what the plugin raises
        return (guarded or connect)(self, address)

    return call
