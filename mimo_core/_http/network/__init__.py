"""Connections below httpx2: network backends for httpcore2 that read more cheaply than its own.

`asyncio_protocol.py` receives, `asyncio_streams.py` speaks TCP and TLS over it and
`asyncio_backend.py` connects; `socket_backend.py` is for blocking calls. Pool, HTTP and exceptions
stay httpcore2's.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2


def pool_options(context: ssl.SSLContext, limits: httpx2.Limits) -> dict[str, Any]:
    """What httpx2's transports give to httpcore2's connection pools."""
    return {
        "ssl_context": context,
        "max_connections": limits.max_connections,
        "max_keepalive_connections": limits.max_keepalive_connections,
        "keepalive_expiry": limits.keepalive_expiry,
    }


def shorter(timeout: float | None, limit: float) -> float:
    """The shorter of a read's timeout, where it has one, and a limit on all of them; seconds."""
    return limit if timeout is None else min(timeout, limit)
