"""The HTTP clients of this process, made on first use and shared by all prompts."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.errors import MiMoError
from mimo_core.gateways import Endpoint

_Client = TypeVar("_Client", MiMoClient, AsyncMiMoClient)

_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def sync_client(key: str | None, timeout: float | None = None) -> MiMoClient:
    """The client for this key and `MIMO_BASE_URL`: rounds of tool calls share its connection.

    Args:
        key: the API key. None sends requests without one.
        timeout: in seconds. None uses the client's default.

    Returns:
        A client that stays open until the process ends.

    Raises:
        MiMoError: the key or `MIMO_BASE_URL` is malformed.
    """
    return _cached(MiMoClient, key, timeout)


def async_client(key: str | None, timeout: float | None = None) -> AsyncMiMoClient:
    """Do what `sync_client` does, for an asynchronous client."""
    return _cached(AsyncMiMoClient, key, timeout)


def _cached(kind: Callable[..., _Client], key: str | None, timeout: float | None) -> _Client:
    where = os.environ.get("MIMO_BASE_URL")
    identity = (kind, key, where, timeout)
    with _lock:
        if identity not in _clients:
            _clients[identity] = kind(key, base_url=where, timeout=timeout)
        client: _Client = _clients[identity]
        return client


@atexit.register
def close_clients() -> None:
    """Close the synchronous clients' connections; the others close with their event loop."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        if hasattr(client, "close"):
            client.close()


def key_is_optional() -> bool:
    """Whether `MIMO_BASE_URL` names a server other than the known gateways."""
    if not os.environ.get("MIMO_BASE_URL"):
        return False
    try:
        return Endpoint.resolve().gateway is None
    except MiMoError:
        return False
