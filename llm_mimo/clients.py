"""The clients of this process, made when first used."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.errors import MiMoError
from mimo_core.gateways import Endpoint

_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def sync_client(key: str | None, timeout: float | None = None) -> MiMoClient:
    """The client for this key and `MIMO_BASE_URL`: rounds of tool calls share its connection.

    Args:
        key: the API key, or None where there is none.
        timeout: seconds; None is the client's default.

    Returns:
        A client that stays open until the process ends.

    Raises:
        MiMoError: the key or `MIMO_BASE_URL` is not what it should be.
    """
    return _cached(MiMoClient, key, timeout)  # type: ignore[no-any-return]


def async_client(key: str | None, timeout: float | None = None) -> AsyncMiMoClient:
    """`sync_client`, asynchronously."""
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


def key_is_optional() -> bool:
    """Whether `MIMO_BASE_URL` is a server of one's own, which may do without a key."""
    if not os.environ.get("MIMO_BASE_URL"):
        return False
    try:
        return Endpoint.resolve().gateway is None
    except MiMoError:
        return False
