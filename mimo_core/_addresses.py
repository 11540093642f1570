"""What can be said of a base URL without asking anybody."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from mimo_core._redact import sealed_key, without_keys


def is_plain_url(where: str) -> bool:
    """Whether this is an http(s) URL of host and path: no user, no query, nothing unprintable."""
    try:
        parts = urlsplit(where)
        parts.port  # noqa: B018  # raises on a port that is not a number
    except ValueError:
        return False
    # An `@` in the path may be the end of a password that holds a slash.
    if any(mark in where for mark in "?#@"):
        return False
    printable = where.isprintable() and " " not in where
    return parts.scheme in ("http", "https") and bool(parts.hostname) and printable


@lru_cache(maxsize=64)  # each model that is made asks for the same few
def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def carries_credentials(url: str, environ: Mapping[str, str]) -> bool:
    """Whether a key may go there: https, this machine, or a host that `MIMO_ALLOW_HTTP` names."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or is_loopback(host):
        return True
    return host in environ.get("MIMO_ALLOW_HTTP", "").lower().replace(",", " ").split()


def without_user(where: Any) -> Any:
    """An address with `***` for what no base URL may have: it is refused, and shown nowhere.

    Args:
        where: a URL; anything but a text is given back.
    """
    if not isinstance(where, str) or any(map(is_plain_url, (where, where.partition("+")[2]))):
        return where
    address, mark, _ = where.partition("?")
    user, at, host = address.rpartition("@")
    if at:
        scheme = user.partition("://")[0] if "://" in user else ""
        address = f"{scheme}://***@{host}" if scheme else f"***@{host}"
    return f"{address}?***" if mark else address


def own_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """What of an environment says where requests go; the rest of it is nobody's business.

    Args:
        environ: the variables by name.
    """
    return {
        "MIMO_API_KEY": sealed_key(environ.get("MIMO_API_KEY")),
        "MIMO_BASE_URL": without_user(environ.get("MIMO_BASE_URL")),
        "MIMO_ALLOW_HTTP": environ.get("MIMO_ALLOW_HTTP", ""),
    }


def shown(where: str) -> str:
    """A URL as an error may show it: without user, password, query and fragment, and without a key.

    The scheme goes with the user, for what stands there need not be a URL.
    """
    return without_keys(re.split("[?#]", where, maxsplit=1)[0].rsplit("@", 1)[-1])
