"""The HTTP clients of this process, made on first use and shared by all prompts."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import llm

from llm_mimo.errors import InputError, sentence
from llm_mimo.models import MiMoModel
from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.credentials import sealed_key, without_user
from mimo_core.dialects import Dialect
from mimo_core.errors import MiMoError
from mimo_core.gateways import Endpoint

_Client = TypeVar("_Client", MiMoClient, AsyncMiMoClient)

_clients: dict[tuple[Any, ...], Any] = {}
_lock = threading.Lock()


def sync_client(
    key: str | None, timeout: float | None = None, deadline: float | None = None
) -> MiMoClient:
    """The client for this key and `MIMO_BASE_URL`: rounds of tool calls share its connection.

    Args:
        key: the API key. None sends requests without one.
        timeout: in seconds. None uses the client's default.
        deadline: seconds for a whole answer. None for any number.

    Returns:
        A client that stays open until the process ends.

    Raises:
        MiMoError: the key or `MIMO_BASE_URL` is malformed.
    """
    key = sealed_key(key)
    return _cached(MiMoClient, key, timeout, deadline)


def async_client(
    key: str | None, timeout: float | None = None, deadline: float | None = None
) -> AsyncMiMoClient:
    """Do what `sync_client` does, for an asynchronous client."""
    key = sealed_key(key)
    return _cached(AsyncMiMoClient, key, timeout, deadline)


def mimo_model(model_id: str) -> MiMoModel:
    """Find one of this plugin's models.

    Args:
        model_id: its id or an alias.

    Returns:
        The synchronous model.

    Raises:
        ModelError: the model is unknown, or another provider's (whose key must not go to MiMo).
    """
    try:
        model = llm.get_model(model_id)
    except llm.UnknownModelError as error:
        raise InputError(f"{sentence(error.args[0])} `llm mimo models` lists MiMo's.") from error
    if not isinstance(model, MiMoModel):
        raise InputError(
            f"{model_id} is not one of MiMo's models, so nothing was sent. "
            "`llm mimo models` lists them."
        )
    return model


def client_for(model_id: str, key: str | None, timeout: float | None = None) -> MiMoClient:
    """Find the client for one of this plugin's models.

    Args:
        model_id: its id or an alias.
        key: a key, or the name of a saved one. None uses the key that llm finds.
        timeout: in seconds. None uses the client's default.

    Returns:
        The synchronous client, with the key.

    Raises:
        ModelError: the model is not MiMo's, or no key was found.
    """
    return sync_client(mimo_model(model_id).get_key(key), timeout)


def _cached(
    kind: Callable[..., _Client], key: str | None, timeout: float | None, deadline: float | None
) -> _Client:
    where = without_user(os.environ.get("MIMO_BASE_URL"))
    key = sealed_key(_sendable_key(key))
    identity = (kind, key, where, timeout, deadline)
    with _lock:
        if identity not in _clients:
            _clients[identity] = kind(key, base_url=where, timeout=timeout, deadline=deadline)
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


def server_dialect() -> Dialect:
    """How the server that `MIMO_BASE_URL` names speaks."""
    return _endpoint().dialect


def server_is_xiaomi() -> bool:
    """Whether `MIMO_BASE_URL` names a host of Xiaomi's, or nothing, which is the same."""
    return _endpoint().is_xiaomi


def key_is_optional() -> bool:
    """Whether `MIMO_BASE_URL` names a server that may answer without a key."""
    return bool(os.environ.get("MIMO_BASE_URL")) and not _endpoint().needs_key


def _sendable_key(key: str | None) -> str | None:
    """The key, but for one that would go unencrypted to a server of one's own: it may be meant for
    another one."""
    endpoint = _endpoint()
    return key if endpoint.needs_key or endpoint.carries_credentials else None


def _endpoint() -> Endpoint:
    """The endpoint of `MIMO_BASE_URL`; Xiaomi's where that is malformed, which the request says."""
    try:
        return Endpoint.resolve()
    except MiMoError:
        return Endpoint.resolve(environ={})
