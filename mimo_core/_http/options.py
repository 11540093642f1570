"""What a caller adds to requests: headers, parameters of the URL, and which of them are secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from mimo_core._redact import credentials_in, is_credential_header, printable
from mimo_core.errors import InvalidRequestError

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
        shown = {k: str(v).lower() if isinstance(v, bool) else v for k, v in self.query.items()}
        return f"?{urlencode(shown, doseq=True, errors='replace')}"

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
    sent: dict[str, str] = {}
    secrets: set[str] = set()
    param = f"{prefix}_headers"
    for name, value in _mapping(headers, param).items():
        is_secret = hasattr(value, "get_secret_value")
        text = value.get_secret_value() if is_secret else value
        if not all(isinstance(t, str) and t.isascii() and t.isprintable() for t in (name, text)):
            raise InvalidRequestError(  # without the value: it may be a key
                f"{param}: {printable(str(name))[:80]} must be a printable ASCII text.", param=param
            )
        if name.lower() in _FRAMING:
            raise InvalidRequestError(f"{param}: {name} is set for each request.", param=param)
        sent[name.lower()] = text
        if is_secret:
            secrets.add(text)
    secrets.update(credentials_in(sent))
    asked: dict[str, Any] = {}
    for name, value in _mapping(query, f"{prefix}_query").items():
        if value is None:
            continue
        is_secret = hasattr(value, "get_secret_value")
        asked[str(name)] = value.get_secret_value() if is_secret else value
        if is_secret or is_credential_header(str(name)):
            secrets.add(str(asked[str(name)]))
    return RequestOptions(sent, asked, frozenset(secret for secret in secrets if secret))


def _mapping(given: Any, param: str) -> Mapping[Any, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise InvalidRequestError(
            f"{param} is a {type(given).__name__}; it must be a dict of names and values.",
            param=param,
        )
    return given or {}
