"""What never reaches a cassette: keys, cookies, request ids, wherever and however they stand.

What looks like a key, and how a key may be spelled, is decided where error texts decide it too
(`mimo_core._redact`). Headers are kept by name, not dropped by name: what is not known to be
harmless is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit, urlunsplit

from mimo_core import _redact
from mimo_core.testing.cassettes.edits import Edit, json_of

REDACTED = "REDACTED"
_KEY_HEADERS = ("api-key", "x-api-key", "authorization")
# Of the value of such a header, the first word may stand in the file where it is one of these.
_SCHEMES = frozenset({"bearer", "basic", "digest", "negotiate", "token", "apikey"})
_REQUEST_HEADERS = frozenset(
    {"accept", "content-type", "anthropic-version", "anthropic-beta", *_KEY_HEADERS}
)
# What HTTP libraries and SDKs send of themselves. Any other header may hold a secret of the
# caller's: where its value looks drawn at random, it is one.
_HARMLESS_HEADERS = re.compile(
    r"accept.*|connection|content-.*|host|http-referer|origin|referer|te|traceparent|"
    r"transfer-encoding|user-agent|x-stainless-.*|x-title|anthropic-.*",
    re.I,
)
_RANDOM = re.compile(r"(?=[^ ]*[0-9])(?=[^ ]*[A-Za-z])[^ ]{16,}")
_RESPONSE_HEADERS = re.compile(
    r"content-type|content-encoding|retry-after(-ms)?|server|(x-)?ratelimit-.*|location", re.I
)
_ID_HEADERS = re.compile(r"(.*-)?(request|trace|correlation|log|cf)-?id|cf-ray|traceparent", re.I)
_QUERY = re.compile(r"([?&])([^=&#?]+)=([^&#]+)")
_QUERY_KEY = re.compile(r"(?i)(key|token|secret)$")
_REQUEST_ID = re.compile(r'"(?:request|trace|log)_?[iI]d"\s*:\s*"([^"]+)"')
# The same in a sentence: "(request id: 0a1b2c)"; a word without digits is none.
_REQUEST_ID_SAID = re.compile(
    r"(?<![A-Za-z])(?:request|trace|correlation|log)[-_ ]?id[\\\"'`*]{0,3} {0,3}(?:[:=(#]|is|was)?"
    r" {0,3}[\\\"'`*]{0,3}(?=[A-Za-z_.:-]{0,64}[0-9])([A-Za-z0-9][A-Za-z0-9_.:-]{3,}[A-Za-z0-9])",
    re.I,
)
_SHORTEST_SECRET = 8


def secrets_in(headers: Mapping[str, Any], uri: str = "", body: Any = None) -> frozenset[str]:
    """What a request authenticates with: looked for in every body, address and header.

    Args:
        headers: of the request.
        uri: of the request: its password and the credentials among its parameters.
        body: of the request: a JSON object's own fields, where their names say credentials.
    """
    texts = {name: ", ".join(_values(given)) for name, given in headers.items()}
    found = _redact.credentials_in(texts)
    found += [
        text
        for name, text in texts.items()
        if not _HARMLESS_HEADERS.fullmatch(name) and _RANDOM.fullmatch(text)
    ]
    with suppress(ValueError):
        found.append(unquote(urlsplit(uri).password or ""))
    for _, name, value in _QUERY.findall(uri):
        if _is_credential(name):
            found += [value, unquote(value), unquote_plus(value)]
    payload = json_of(body)
    if isinstance(payload, dict):
        found += [v for k, v in payload.items() if isinstance(v, str) and _is_credential(k)]
    return frozenset(key for key in found if len(key) >= _SHORTEST_SECRET and REDACTED not in key)


def secrets_of_answer(headers: Mapping[str, Any]) -> frozenset[str]:
    """What an answer's headers say that its body may repeat: its cookies, and its request id.

    Args:
        headers: of the response.
    """
    found: list[str] = []
    for name, given in headers.items():
        for value in _values(given):
            if _ID_HEADERS.fullmatch(name):
                found.append(value)
            elif not _RESPONSE_HEADERS.fullmatch(name):  # these are kept: they count tokens
                found += _redact.credentials_in({name: value})
    return frozenset(text for text in found if len(text) >= _SHORTEST_SECRET)


def _is_credential(name: str) -> bool:
    name = unquote_plus(name)
    if name == "prompt_cache_key":  # OpenAI's: it opens nothing
        return False
    return _redact.is_credential_header(name) or bool(_QUERY_KEY.search(name))


def _values(given: Any) -> list[str]:
    """A header's values, however the HTTP library holds them."""
    values = given if isinstance(given, list | tuple) else [given]
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]


def request_headers(headers: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, str]:
    """The harmless headers of a request, and how it authenticated without the key."""
    kept = {}
    for name, given in headers.items():
        value = (_values(given) or [""])[0]
        if name.lower() in _KEY_HEADERS:
            scheme, space, _ = value.partition(" ")
            known = scheme.lower() in _SCHEMES
            kept[name.lower()] = scheme + space + REDACTED if known else REDACTED
        elif name.lower() in _REQUEST_HEADERS:
            kept[name.lower()] = clean_text(value, secrets)
    return dict(sorted(kept.items()))


def response_headers(
    headers: Mapping[str, Any], secrets: Iterable[str] = ()
) -> dict[str, list[str]]:
    """The headers of a response that say something about the answer."""
    kept: dict[str, list[str]] = {}
    for name, given in headers.items():
        if _RESPONSE_HEADERS.fullmatch(name):
            clean = _clean_location if name.lower() == "location" else clean_text
            kept[name.lower()] = [clean(value, secrets) for value in _values(given)]
    return dict(sorted(kept.items()))


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without the given secrets, request ids, and what looks like a key."""
    plain = _redact.bytewise(text)
    clean, last = "", 0
    for edit in sorted(_edits(plain, secrets)):
        if edit.start >= last:
            clean += plain[last : edit.start] + edit.text.decode("latin-1")
            last = edit.end
    return _redact.from_bytewise(clean + plain[last:]) if clean else text


def clean_uri(uri: str, secrets: Iterable[str] = ()) -> str:
    """A URI without user, password and keys."""
    with suppress(ValueError):  # not an address, so it has no user to hide
        parts = urlsplit(uri)
        uri = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return _QUERY.sub(_without_value, clean_text(uri, secrets))


def _clean_location(address: str, secrets: Iterable[str] = ()) -> str:
    """Where a redirect leads: host, path and the names of its parameters.

    Their values, and what stands before an `@`, sign somebody in as often as not.
    """
    address, mark, query = address.partition("#")[0].partition("?")
    if "@" in address:
        scheme, slashes, rest = address.rpartition("//")
        address = scheme + slashes + rest.rpartition("@")[2]
    names = [name + equals + REDACTED * bool(equals) for name, equals in _parameters(query)]
    return clean_text(address, secrets) + mark + clean_text("&".join(names), secrets)


def _parameters(query: str) -> list[tuple[str, str]]:
    parts = [part.partition("=") for part in query.split("&")] if query else []
    return [(name, equals) if equals else (REDACTED, "") for name, equals, _ in parts]


def _without_value(match: re.Match[str]) -> str:
    separator, name, _ = match.groups()
    return f"{separator}{name}={REDACTED}" if _is_credential(name) else match.group()


def key_edits(body: bytes, secrets: Iterable[str] = ()) -> list[Edit]:
    """The edits that take keys and request ids out of a body, however they are spelled there.

    Where a stream's events hold a key in pieces, and in base64, as many x take its place: what is
    put together of the pieces, or decoded, stays as long as it was.
    """
    return _edits(body.decode("latin-1"), secrets)


def _edits(text: str, secrets: Iterable[str]) -> list[Edit]:
    """Edits of a text of one character a byte. They do not overlap."""
    found = _redact.Scrubber(secrets).find(text)
    as_long = {one.start for one in found if one.kind in ("piece", "base64")}
    ids = (_REQUEST_ID, _REQUEST_ID_SAID)
    spans = [match.span(1) for pattern in ids for match in pattern.finditer(text)]
    edits = []
    for start, end in _redact.merged([*found, *(_redact.Found(*span, "known") for span in spans)]):
        mask = "x" * (end - start) if start in as_long else REDACTED
        edits.append(Edit(start, end, mask.encode()))
    return edits
