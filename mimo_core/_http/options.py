"""What a caller adds to requests: headers, parameters of the URL, and which of them are secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from mimo_core._redact import (
    Secret,
    Unusable,
    credentials_in,
    printable,
    sealed_values,
)
from mimo_core.errors import InvalidRequestError
from mimo_core.values import quoted

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name (RFC 9110)
_SENDABLE = (str, int, float, Secret)
_AUTHENTICATE = frozenset({"api-key", "authorization"})
# What HTTP itself is made of: the client sets these for each request.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "host", "upgrade", "te"})


@dataclass(frozen=True)
class RequestOptions:
    """Headers and query of a request. `repr` does not show the secrets."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """By lower-cased name."""
    query: dict[str, Any] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    """The values among them that authenticate somebody: they go over https, and in no error."""

    @property
    def authenticates(self) -> bool:
        """Whether a key of the caller's own stands among the headers."""
        return not _AUTHENTICATE.isdisjoint(self.headers)

    @property
    def query_string(self) -> str:
        """What follows a URL's path; empty without parameters."""
        if not self.query:
            return ""
        sent = {name: _as_sent(value) for name, value in self.query.items()}
        return f"?{urlencode(sent, doseq=True, errors='replace')}"

    def over(self, others: RequestOptions) -> RequestOptions:
        """Merge these over others: these win, and a key among them is the only one that is sent."""
        kept = others.headers
        if self.authenticates:
            kept = {name: value for name, value in kept.items() if name not in _AUTHENTICATE}
        headers = {**kept, **self.headers}
        return RequestOptions(headers, others.query | self.query, others.secrets | self.secrets)


def request_options(
    headers: Mapping[str, Any] | None, query: Mapping[str, Any] | None, prefix: str
) -> RequestOptions:
    """What a caller gave, checked.

    Args:
        headers: texts by name; a `SecretStr` is a secret under any name.
        query: texts, numbers and lists of them by name; None is left out.
        prefix: of the two arguments' names in errors: `default` or `extra`.

    Raises:
        InvalidRequestError: a header is not a printable ASCII text, or is HTTP's own; an argument
            is not a dict.
    """
    headers, query = sealed_values(headers), sealed_values(query)
    sent: dict[str, str] = {}
    secrets: set[Secret] = set()
    param = f"{prefix}_headers"
    for name, value in _mapping(headers, param).items():
        if not all(isinstance(t, str) and t.isascii() and t.isprintable() for t in (name, value)):
            raise InvalidRequestError(  # without the value: it may be a key
                f"{param}: {_shown(name)} must be a printable ASCII text.", param=param
            )
        if not _TOKEN.fullmatch(name) or value != value.strip():
            raise InvalidRequestError(
                f"{param}: {_shown(name)} must be the name of a header, and its value a text "
                "without blanks around it.",
                param=param,
            )
        if name.lower() in _FRAMING:
            raise InvalidRequestError(f"{param}: {name} is set for each request.", param=param)
        sent[name.lower()] = value
        if isinstance(value, Secret):
            secrets.add(value)
    secrets.update(map(Secret, credentials_in(sent)))
    asked: dict[str, Any] = {}
    for name, value in _mapping(query, f"{prefix}_query").items():
        if value is None:
            continue
        if isinstance(value, Unusable):
            raise InvalidRequestError(
                f"{prefix}_query: {_shown(name)} is a {value.kind}; it must be a text.",
                param=f"{prefix}_query",
            )
        several = value if isinstance(value, list | tuple) else [value]
        if not isinstance(name, str | int) or not all(isinstance(v, _SENDABLE) for v in several):
            raise InvalidRequestError(
                f"{prefix}_query: {_shown(name)} must be a text, a number or a list of them.",
                param=f"{prefix}_query",
            )
        asked[str(name)] = value
        secrets.update(one for one in several if isinstance(one, Secret))
    return RequestOptions(sent, asked, frozenset(secret for secret in secrets if secret))


def _shown(name: object) -> str:
    return printable(name if isinstance(name, str) else quoted(name))[:80]


def _as_sent(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_sent(one) for one in value]
    if isinstance(value, Secret):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else value


def _mapping(given: Any, param: str) -> Mapping[Any, Any]:
    if isinstance(given, Unusable):
        raise InvalidRequestError(
            f"{param} is a {given.kind}; it must be a dict of names and values.", param=param
        )
    return given or {}
