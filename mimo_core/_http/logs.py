"""What HTTP libraries log of requests and answers, without the credentials of this process.

httpx logs each request's URL, and the reason that the server gives; httpcore logs the answer's
headers. Both may hold a credential: one that is sent in the URL, or any that a server repeats.
A filter sees only what is logged, so a program that logs nothing pays nothing.
"""

from __future__ import annotations

import logging
import weakref
from functools import cache, lru_cache

from mimo_core._redact import Scrubber, secrets_of_proxies

_LIBRARIES = ("httpx2", "httpcore2", "httpx", "httpcore")
_PARTS = ("connection", "http11", "http2", "proxy", "socks")  # of httpcore: a logger each


class _Known:
    """The credentials of the clients that are alive."""

    def __init__(self) -> None:
        self._held: weakref.WeakValueDictionary[int, frozenset[str]] = weakref.WeakValueDictionary()

    def add(self, secrets: frozenset[str]) -> None:
        if secrets:
            self._held[id(secrets)] = secrets

    def all(self) -> frozenset[str]:
        return frozenset[str]().union(*self._held.values())


_known = _Known()


@lru_cache(maxsize=1)  # to make one takes longer than to look through a record
def _scrubber(secrets: frozenset[str]) -> Scrubber:
    return Scrubber(secrets)


class _Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except Exception:  # a record that cannot be formatted is logging's to report
            return True
        clean = _scrubber(_known.all() | secrets_of_proxies())(said)
        if clean != said:
            record.msg, record.args = clean, ()
        return True


_filter = _Filter()


def keep_out_of_logs(secrets: frozenset[str]) -> None:
    """See to it that the HTTP libraries' loggers do not show these credentials.

    Args:
        secrets: as they are sent, for as long as somebody else holds this set.
    """
    _known.add(secrets)
    _install()


@cache
def _install() -> None:
    for library in _LIBRARIES:
        for name in (library, *(f"{library}.{part}" for part in _PARTS)):
            logging.getLogger(name).addFilter(_filter)
