"""The exchange as it may stand in a file: without keys, without large payloads.

A request is cleaned once. What comes out is a `MiMoRequest` that says so, and cleaning that again
gives it back as it is; vcrpy asks for it at each comparison, when it records and when it saves.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from mimo_core.testing.cassettes.edits import Edit, json_of, pretty, rewrite
from mimo_core.testing.cassettes.payloads import Shortened, name_large, shorten
from mimo_core.testing.cassettes.redaction import (
    clean_text,
    clean_uri,
    key_edits,
    request_headers,
    response_headers,
    secrets_in,
    secrets_of_answer,
)
from mimo_core.testing.cassettes.uploads import FORM, readable
from mimo_core.testing.cassettes.vcrpy import Request, decode_response
from mimo_core.testing.errors import CassetteError

Scrub = Callable[[str], str]
"""A user's own redaction: what may stand in the file in the place of a text."""

# What differs between two runs of the emulator without meaning anything.
_EMULATOR_IDS = re.compile(rb'(?<=")((?:chatcmpl-|audio_|msg_)?)([0-9a-f]{24,32})(?=")')
_EMULATOR_TIME = re.compile(rb'"(?:created|\w+_at)": (\d{10})\b')
_EMULATOR_SPAN = re.compile(rb'"created_at": (\d{10}), "expires_at": (\d{10})\b')
_FIXED_TIME = b"1767225600"  # 2026-01-01T00:00:00Z


class MiMoRequest(Request):
    """vcrpy's request, with what this library knows about it.

    Attributes:
        match: how it is compared: the `match` of its cassette's provenance. None where it does not
            come from a cassette.
        secrets: what cleaning took for keys. They are looked for in the answer too, and are never
            written. None where the request has not been cleaned.
    """

    match: str | None = None
    secrets: frozenset[str] | None = None


def is_clean(request: object) -> bool:
    """Whether `clean_request` made this request."""
    return isinstance(request, MiMoRequest) and request.secrets is not None


def clean_request(request: Request, scrub: Scrub | None = None) -> MiMoRequest:
    """vcrpy's `before_record_request`: the request without keys and large payloads.

    It is applied to the recorded requests and to the one that looks for its answer, so that both
    are compared as they would stand in the file.

    Args:
        request: a request as vcrpy represents it.
        scrub: a user's own redaction of the body and the address.

    Returns:
        A new request; the same one if it has been cleaned before.
    """
    if isinstance(request, MiMoRequest) and request.secrets is not None:
        return request
    body = _bytes_of(request.body)
    secrets = secrets_in(request.headers, request.uri, body)
    is_form = False
    if isinstance(body, bytes) and body:
        body, _ = rewrite(body, [], key_edits(body, secrets))
        body = name_large(body)
        payload = json_of(body)
        if payload is None and (form := readable(body, _content_type(request.headers))):
            payload, is_form = form, True
        body = body if payload is None else pretty(payload)
        if scrub is not None:
            body, _ = rewrite(body, [], _scrubbed(body, scrub, by_line=False))
            body, _ = rewrite(body, [], key_edits(body, secrets))  # what it may have brought back
    uri = clean_uri(request.uri, secrets)
    cleaned = MiMoRequest(
        request.method,
        uri if scrub is None else clean_uri(scrub(uri), secrets),
        body,
        request_headers(request.headers, secrets) | ({"content-type": FORM} if is_form else {}),
    )
    cleaned.secrets = secrets
    cleaned.match = request.match if isinstance(request, MiMoRequest) else None
    return cleaned


def clean_response(
    response: Mapping[str, Any],
    secrets: frozenset[str],
    *,
    emulated: bool,
    scrub: Scrub | None = None,
    keep_audio: bool = False,
) -> dict[str, Any]:
    """The answer without keys, decompressed, with large payloads shortened.

    Args:
        response: as vcrpy represents it. It is not changed.
        secrets: the keys of its request, and of the others in the file.
        emulated: whether the emulator made it: then ids and times of the moment are made steady.
        scrub: a user's own redaction: of a body, or of each line of a stream.
        keep_audio: leave large payloads as they came.

    Returns:
        A new response, whose body is text if it can be.

    Raises:
        CassetteError: the body is compressed in a way that cannot be undone here.
    """
    answer = _decoded(copy.deepcopy(dict(response)))
    secrets |= secrets_of_answer(answer["headers"])
    answer["headers"] = response_headers(answer["headers"], secrets)
    if isinstance(status := answer.get("status"), dict) and status.get("message"):
        status["message"] = clean_text(str(status["message"]), secrets)
    held = answer["body"]
    body = held.get("string") or b""
    body = body.encode() if isinstance(body, str) else body
    pieces = held.get("pieces") or []
    body, pieces = rewrite(body, pieces, key_edits(body, secrets))
    streamed = _is_stream(answer["headers"])
    if scrub is not None:
        body, pieces = rewrite(body, pieces, _scrubbed(body, scrub, by_line=streamed))
        body, pieces = rewrite(body, pieces, key_edits(body, secrets))  # what it may bring back
    shortened = Shortened([], "") if keep_audio else shorten(body)
    body, pieces = rewrite(body, pieces, shortened.edits)
    if emulated:
        body, pieces = rewrite(body, pieces, _steady(body))
    answer["body"] = {"string": as_text(body)}
    if len(pieces) > 1 and streamed:
        answer["body"]["pieces"] = pieces  # the breaks in any other body mean nothing
        times = held.get("times") or []
        if len(times) == len(pieces) and not emulated:  # the emulator's would never be the same
            answer["body"]["times"] = times
    if broken := held.get("broken"):  # the words of an exception, which may quote the answer
        answer["body"]["broken"] = {k: clean_text(str(v), secrets) for k, v in broken.items()}
    if held.get("note"):
        answer["body"]["note"] = held["note"]
    if shortened.note:
        answer["body"]["note"] = shortened.note
    return answer


def _content_type(headers: Mapping[str, Any]) -> str:
    found = (str(value) for name, value in headers.items() if name.lower() == "content-type")
    return next(found, "")


def _bytes_of(body: Any) -> Any:
    """A request's body as bytes, however its HTTP library gives it: a file, pieces, JSON."""
    if body is None or isinstance(body, bytes | str):
        return body
    if isinstance(body, dict | list):
        return pretty(body)
    if hasattr(body, "read"):
        return _bytes_of(body.read())
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    pieces = [piece.encode() if isinstance(piece, str) else bytes(piece) for piece in body]
    return b"".join(pieces)


def _scrubbed(body: bytes, scrub: Scrub | None, *, by_line: bool) -> list[Edit]:
    """The edits of a user's own redaction; a stream's lines one by one, so that its breaks stay.

    Raises:
        CassetteError: the redaction gives something else than a text.
    """
    edits: list[Edit] = []
    if scrub is None:
        return edits
    start = 0
    for line in body.splitlines(keepends=True) if by_line else [body]:
        end = start + len(line)
        text = line.decode("utf-8", "surrogateescape")
        if not isinstance(kept := scrub(text), str):
            raise CassetteError(
                f"scrub gave {type(kept).__name__} for a text; it must give the text to keep."
            )
        if kept != text:
            edits.append(Edit(start, end, kept.encode("utf-8", "surrogateescape")))
        start = end
    return edits


def _decoded(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without its compression, in which nobody could look for keys."""
    answer["headers"] = {name.lower(): values for name, values in answer["headers"].items()}
    if answer["headers"].get("content-encoding", ["identity"]) == ["identity"]:
        return answer
    answer |= decode_response(answer)
    answer["body"].pop("pieces", None)  # they were the breaks of the compressed bytes
    if encoding := answer["headers"].get("content-encoding"):
        raise CassetteError(
            f"An answer is compressed with {encoding[0]}, which cannot be searched for keys; "
            "ask for `accept-encoding: identity`."
        )
    return answer


def _is_stream(headers: Mapping[str, list[str]]) -> bool:
    return any("event-stream" in value for value in headers.get("content-type", ()))


def _steady(body: bytes) -> list[Edit]:
    """Edits that give an emulator's answer the same ids and time at each recording.

    Ids of tool calls (`call_…`, `toolu_…`) stay: later requests repeat them.
    """
    edits = []
    for match in _EMULATOR_SPAN.finditer(body):
        expires = int(_FIXED_TIME) + int(match[2]) - int(match[1])
        edits.append(Edit(*match.span(2), b"%d" % expires))
    kept = {edit.start for edit in edits}
    times = _EMULATOR_TIME.finditer(body)
    edits += [Edit(*match.span(1), _FIXED_TIME) for match in times if match.start(1) not in kept]
    for match in _EMULATOR_IDS.finditer(body):
        edits.append(Edit(*match.span(2), b"0" * (len(match.group(2)))))
    return edits


def as_text(body: bytes) -> str | bytes:
    """The body as text, or as it is where it is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
