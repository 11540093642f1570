"""What never reaches a cassette: keys, cookies, request ids, wherever they stand.

What looks like a key is decided where error texts decide it too (`mimo_core._redact`). Headers are
kept by name, not dropped by name: what is not known to be harmless is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mimo_core import _redact
from mimo_core.testing.cassettes.edits import Edit

REDACTED = "REDACTED"
_KEY_HEADERS = ("api-key", "x-api-key", "authorization")
_REQUEST_HEADERS = frozenset(
    {"accept", "content-type", "anthropic-version", "anthropic-beta", *_KEY_HEADERS}
)
_RESPONSE_HEADERS = re.compile(
    r"content-type|content-encoding|retry-after(-ms)?|server|(x-)?ratelimit-.*|location", re.I
)
_KEYS_IN_TEXT = _redact.KEY_PATTERN
_KEYS = re.compile(_KEYS_IN_TEXT.pattern.encode())
_QUERY = re.compile(r"([?&])([^=&#?]+)=([^&#]+)")
_QUERY_KEY = re.compile(r"(?i)(key|token|secret)$")
_REQUEST_ID = re.compile(rb'"(?:request|trace)_?[iI]d"\s*:\s*"([^"]+)"')
_SHORTEST_SECRET = 8
# Fields of a stream's events whose pieces, put together, are one text.
_PIECED = frozenset(
    {"content", "reasoning_content", "arguments", "text", "thinking", "partial_json"}
)

_STRINGS = re.compile(rb'"((?:[^"\\]|\\.)*)"')
# The characters of a JSON string, as they are spelt: a pair of surrogates is one.
_CHARACTERS = re.compile(
    rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[\x00-\x7f]|[\x80-\xff][\x80-\xbf]*"
)


def secrets_in(headers: Mapping[str, Any]) -> frozenset[str]:
    """What a request authenticates with: looked for in every body, address and header."""
    texts = {name: ", ".join(_values(given)) for name, given in headers.items()}
    found = _redact.credentials_in(texts)
    return frozenset(key for key in found if len(key) >= _SHORTEST_SECRET and REDACTED not in key)


def _values(given: Any) -> list[str]:
    """A header's values, however the HTTP library holds them."""
    values = given if isinstance(given, list | tuple) else [given]
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]


def request_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """The harmless headers of a request, and how it authenticated without the key."""
    kept = {}
    for name, given in headers.items():
        value = (_values(given) or [""])[0]
        if name.lower() in _KEY_HEADERS:
            scheme, space, _ = value.rpartition(" ")
            kept[name.lower()] = scheme + space + REDACTED
        elif name.lower() in _REQUEST_HEADERS:
            kept[name.lower()] = clean_text(value)
    return dict(sorted(kept.items()))


def response_headers(
    headers: Mapping[str, Any], secrets: Iterable[str] = ()
) -> dict[str, list[str]]:
    """The headers of a response that say something about the answer."""
    kept: dict[str, list[str]] = {}
    for name, given in headers.items():
        if _RESPONSE_HEADERS.fullmatch(name):
            kept[name.lower()] = [clean_uri(value, secrets) for value in _values(given)]
    return dict(sorted(kept.items()))


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without the given secrets, and without what looks like a key."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _KEYS_IN_TEXT.sub(REDACTED, text)


def clean_uri(uri: str, secrets: Iterable[str] = ()) -> str:
    """A URI without user, password and keys."""
    with suppress(ValueError):  # not an address, so it has no user to hide
        parts = urlsplit(uri)
        uri = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return _QUERY.sub(_without_value, clean_text(uri, secrets))


def _without_value(match: re.Match[str]) -> str:
    separator, name, _ = match.groups()
    if _redact.is_credential_header(name) or _QUERY_KEY.search(name):
        return f"{separator}{name}={REDACTED}"
    return match.group()


def key_edits(body: bytes, secrets: Iterable[str] = ()) -> list[Edit]:
    """The edits that take keys and request ids out of a body.

    A key that a stream's events hold in pieces is found too.
    """
    edits = [Edit(*match.span(), REDACTED.encode()) for match in _KEYS.finditer(body)]
    edits += [Edit(*match.span(1), REDACTED.encode()) for match in _REQUEST_ID.finditer(body)]
    for secret in secrets:
        for spelling in {secret, secret.replace("/", r"\/")}:
            found = re.finditer(re.escape(spelling.encode()), body)
            edits += [Edit(*match.span(), REDACTED.encode()) for match in found]
    return edits + list(_pieced_keys(body, frozenset(secrets)))


def _pieced_keys(body: bytes, secrets: frozenset[str]) -> Iterator[Edit]:
    """Edits for keys that are spread over several events of a stream."""
    texts: dict[str, list[tuple[str, int, int]]] = {}  # by field: piece, where its event stands
    for line in re.finditer(rb"(?m)^data:.*$", body):
        for field, piece in _leaves(_payload(line.group()[5:])):
            texts.setdefault(field, []).append((piece, *line.span()))
    for pieces in texts.values():
        whole = "".join(piece for piece, _, _ in pieces)
        spans = [match.span() for match in _KEYS_IN_TEXT.finditer(whole)]
        for secret in secrets:
            spans += [match.span() for match in re.finditer(re.escape(secret), whole)]
        for start, end in spans:
            yield from _masked(body, pieces, start, end)


def _masked(
    body: bytes, pieces: list[tuple[str, int, int]], start: int, end: int
) -> Iterator[Edit]:
    """Edits that replace characters `start` to `end` of the joined pieces by as many x."""
    at = 0
    for piece, line_start, line_end in pieces:
        first, last = max(0, start - at), min(len(piece), end - at)
        at += len(piece)
        if first >= last or last - first == end - start:
            continue  # none of it, or all: then it was found in the bytes already
        for literal in _STRINGS.finditer(body, line_start, line_end):
            if _payload(literal.group()) == piece:
                spans = [match.span() for match in _CHARACTERS.finditer(body, *literal.span(1))]
                yield Edit(spans[first][0], spans[last - 1][1], b"x" * (last - first))


def _payload(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _leaves(payload: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """The texts of an event that are pieces of a longer one, each with the path to it."""
    if isinstance(payload, dict):
        for name, value in payload.items():
            path = f"{field}.{name}"
            if isinstance(value, str) and name in _PIECED:
                yield path, value
            else:
                yield from _leaves(value, path)
    elif isinstance(payload, list):
        for number, value in enumerate(payload):
            place = value.get("index", number) if isinstance(value, dict) else number
            yield from _leaves(value, f"{field}[{place}]")
