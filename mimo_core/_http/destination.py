"""Where requests may go. A test says it for the whole process: to its own server, or nowhere.

Without that, a request goes where its endpoint says. It is the process's and not a thread's or a
task's: a model that was made before, or is used elsewhere, keeps to it too.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from mimo_core._addresses import is_loopback

_NO = frozenset({"0", "false", "no", "off"})
_BY_ENVIRONMENT = "MIMO_LIVE says that nothing may be sent"
_IN_PROCESS = frozenset({"MockTransport", "ASGITransport", "WSGITransport"})  # httpx's own

Address = Callable[[str], str]

_moments = itertools.count()
_addresses: list[tuple[int, Address]] = []  # with the moment at which they began
_cassettes: list[int] = []
_reasons: list[str] = []


class LiveRequestRefused(Exception):
    """A request would have left the process while a test lets none out.

    It is none of `MiMoError`: a program that expects the service to fail must not survive it.
    """


@contextmanager
def leading_to(address: Address) -> Iterator[None]:
    """Send every request of this process somewhere else.

    Args:
        address: makes the URL that is asked of the one that would have been.
    """
    yield from _during(_addresses, (next(_moments), address))


@contextmanager
def playing() -> Iterator[int]:
    """A cassette is open below the HTTP client: it answers, or records what it may.

    Yields:
        The moment at which it was opened, for `is_led(since=…)`.
    """
    moment = next(_moments)
    _cassettes.append(moment)
    try:
        yield moment
    finally:
        _cassettes.remove(moment)


@contextmanager
def refusing(reason: str) -> Iterator[None]:
    """Refuse every request of this process to another machine, unless a cassette is open.

    Args:
        reason: the beginning of the error's line.
    """
    yield from _during(_reasons, reason)


def _during(held: list[Any], entry: Any) -> Iterator[None]:
    held.append(entry)
    try:
        yield
    finally:
        # Contexts of threads and fixtures may end in any order: the last of its equals goes.
        del held[len(held) - 1 - held[::-1].index(entry)]


def is_led(since: int = -1) -> bool:
    """Whether requests are sent to a server of this process's tests: never through a proxy.

    Args:
        since: only by what began after this moment.
    """
    return any(moment > since for moment, _ in _addresses)


def destination(url: str, client: Any = None) -> str:
    """The URL to ask.

    Args:
        url: what the endpoint says.
        client: the HTTP client that a user gave, if it is one.

    Raises:
        LiveRequestRefused: nothing may be sent there.
    """
    if _addresses:
        url = _addresses[-1][1](url)
        if client is not None:
            _check_not_proxied(client, url)
    elif not _cassettes:
        check_live(url, client)
    return url


def check_live(url: str, client: Any = None) -> None:
    """Refuse a request that nothing answers, where a test lets none out.

    Args:
        url: where it would go.
        client: the HTTP client that a user gave, if it is one.

    Raises:
        LiveRequestRefused: it may not go there.
    """
    if (reason := _reason()) and not _stays_here(url, client):
        host = urlsplit(url).hostname
        raise LiveRequestRefused(
            f"{reason}: the request to {host} was refused. Use the fixture fake_mimo, or a "
            "cassette (@pytest.mark.vcr, mimo_cassette), recorded once with --record-mode=rewrite."
        )


def _reason() -> str:
    if _reasons:
        return _reasons[-1]
    return _BY_ENVIRONMENT if os.environ.get("MIMO_LIVE", "").lower() in _NO else ""


def _stays_here(url: str, client: Any) -> bool:
    held = type(getattr(client, "_transport", None)).__name__
    return held in _IN_PROCESS or is_loopback(urlsplit(url).hostname or "")


def _check_not_proxied(client: Any, url: str) -> None:
    """Refuse a user's client that would ask a proxy for an address of this machine."""
    choose, own = getattr(client, "_transport_for_url", None), getattr(client, "_transport", None)
    if choose is not None and choose(type(client.base_url)(url)) is not own:
        raise LiveRequestRefused(
            "http_client sends its requests through a proxy, which a test's server on this "
            "machine must not be asked by. Make it with trust_env=False and without proxy."
        )
