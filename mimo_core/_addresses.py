"""What can be said of a base URL without asking anybody."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from mimo_core._redact import Unusable, sealed_key, without_keys

_names: set[str] = set()
_SHORT_WORD = re.compile(r"[A-Za-z][A-Za-z.-]{0,10}")  # a misspelled name: shorter than any key
_WRONG = {"@": "with a user or a password", "?": "with a query", "#": "with a fragment"}
_UNPRINTABLE = "with blanks or what cannot be printed"
_NO_URL = "without http:// or https://"
_BAD_PORT = "whose port is no number up to 65535"
_BAD_HOST = "whose host cannot be read"
_MASKS = frozenset(
    f"*** ({wrong})" for wrong in (*_WRONG.values(), _UNPRINTABLE, _NO_URL, _BAD_PORT, _BAD_HOST)
)


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


def know_names(names: Iterable[str]) -> None:
    """Take the gateways' names for addresses too: alone, or before a `+` and a URL.

    Args:
        names: in lower case.
    """
    _names.update(names)


def without_user(where: Any) -> Any:
    """An address as it may be shown: a mask in the place of what is none, with what is wrong there.

    Whatever was pasted in the place of a base URL may be a key, or hold one. It is refused, and no
    error, no variable of ours shows it.

    Args:
        where: a URL of host and path, a gateway's name, both, or a short word, which are given back
            as they are; None, numbers and what is masked already (a `SecretStr`) too.

    Returns:
        The same, a text such as `*** (with a query)`, or `Unusable` for what is no text.
    """
    if where is None or isinstance(where, int | float | Unusable):
        return where
    if not isinstance(where, str):
        return where if hasattr(where, "get_secret_value") else Unusable(where)
    text = where.strip()
    name, plus, url = text.partition("+")
    is_kind = bool(plus) and name.lower() in _names
    if not text or text.lower() in _names or is_plain_url(url if is_kind else text):
        return where
    if text in _MASKS or _SHORT_WORD.fullmatch(text):
        return where
    return f"*** ({_what_is_wrong(url if is_kind else text)})"


def _what_is_wrong(where: str) -> str:
    for mark, wrong in _WRONG.items():
        if mark in where:
            return wrong
    if not where.isprintable() or " " in where:
        return _UNPRINTABLE
    if not where.lower().startswith(("http://", "https://")):
        return _NO_URL
    try:
        has_host = bool(urlsplit(where).hostname)
    except ValueError:  # half an IPv6 address
        has_host = False
    return _BAD_PORT if has_host else _BAD_HOST


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
