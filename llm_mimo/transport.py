"""The clients of this process, made when first used, and errors in llm's terms."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import llm

if TYPE_CHECKING:
    from mimo_core.client import AsyncMiMoClient, MiMoClient
    from mimo_core.errors import MiMoError

_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def sync_client(key: str | None, timeout: float | None = None) -> MiMoClient:
    """The client for this key and `MIMO_BASE_URL`: rounds of tool calls share its connection.

    Args:
        timeout: seconds; None is the client's default.
    """
    from mimo_core.client import MiMoClient

    return _cached(MiMoClient, key, timeout)  # type: ignore[no-any-return]


def async_client(key: str | None, timeout: float | None = None) -> AsyncMiMoClient:
    """`sync_client`, asynchronously."""
    from mimo_core.client import AsyncMiMoClient

    return _cached(AsyncMiMoClient, key, timeout)  # type: ignore[no-any-return]


def _cached(kind: Any, key: str | None, timeout: float | None) -> Any:
    where = os.environ.get("MIMO_BASE_URL")
    identity = (kind, key, where, timeout)
    with _lock:
        if identity not in _clients:
            _clients[identity] = kind(key, base_url=where, timeout=timeout)
        return _clients[identity]


@atexit.register
def close_clients() -> None:
    """Close the connections of the synchronous clients; the others close with their event loop."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        if hasattr(client, "close"):
            client.close()


def model_error(error: MiMoError) -> llm.ModelError:
    """What llm shows of an error: one line, with the next step as an llm user takes it."""
    from mimo_core.errors import AuthenticationError

    text = str(error)
    if isinstance(error, AuthenticationError):
        text += " With llm: llm keys set mimo (a saved key wins over MIMO_API_KEY)."
    return llm.ModelError(text)


@contextmanager
def llm_errors() -> Iterator[None]:
    """Turns the core's errors into llm's."""
    from mimo_core.errors import MiMoError

    try:
        yield
    except MiMoError as error:
        raise model_error(error) from error


def key_is_optional() -> bool:
    """Whether `MIMO_BASE_URL` is a server of one's own, which may do without a key."""
    if not os.environ.get("MIMO_BASE_URL"):
        return False
    from mimo_core.endpoint import Endpoint
    from mimo_core.errors import MiMoError

    try:
        return Endpoint.resolve().gateway is None
    except MiMoError:
        return False
