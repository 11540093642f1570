"""One interaction of a cassette's file, checked, in types that can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mimo_core.testing.errors import CassetteError


class Interaction(NamedTuple):
    """What stands in the file. Bodies are bytes, whatever the YAML held."""

    method: str
    uri: str
    sent: bytes
    sent_headers: dict[str, list[str]]
    status: int
    reason: str
    headers: dict[str, list[str]]
    body: bytes
    pieces: list[int]
    times: list[int]
    broken: dict[str, str]
    note: str


def interaction_of(found: Any, where: str = "interaction") -> Interaction:
    """An interaction of a file, checked.

    Args:
        found: as the YAML has it.
        where: for errors.

    Raises:
        CassetteError: it is not one: it lacks a part, or a part is of a wrong type.
    """
    request, response = _part(found, "request", where), _part(found, "response", where)
    status, body = _part(response, "status", where), response.get("body")
    if not isinstance(body, Mapping):  # a foreign client's text
        body = {"string": body}
    code = status.get("code")
    if not isinstance(code, int) or isinstance(code, bool):
        raise CassetteError(f"{where} is malformed: status.code is not a number. Correct it.")
    for name in ("method", "uri"):
        if not isinstance(request.get(name), str):
            raise CassetteError(f"{where} is malformed: request.{name} is missing. Correct it.")
    broken = body.get("broken")
    return Interaction(
        request["method"],
        request["uri"],
        _bytes(request.get("body"), f"{where} is malformed: request.body"),
        _headers(request.get("headers"), f"{where} is malformed: request.headers"),
        code,
        str(status.get("message") or ""),
        _headers(response.get("headers"), f"{where} is malformed: response.headers"),
        _bytes(body.get("string"), f"{where} is malformed: response.body.string"),
        _numbers(body.get("pieces"), f"{where} is malformed: pieces"),
        _numbers(body.get("times"), f"{where} is malformed: times"),
        {str(k): str(v) for k, v in broken.items()} if isinstance(broken, Mapping) else {},
        str(body.get("note") or ""),
    )


def _part(found: Any, name: str, where: str) -> Mapping[str, Any]:
    part = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(part, Mapping):
        raise CassetteError(f"{where} is malformed: it has no {name}. Correct or delete it.")
    return part


def _bytes(body: Any, what: str) -> bytes:
    if body is None:
        return b""
    if hasattr(body, "getvalue"):  # a file that vcrpy recorded
        body = body.getvalue()
    if isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        raise CassetteError(f"{what} is neither text nor bytes. Correct it.")
    return body.encode("utf-8", "surrogatepass")


def _headers(headers: Any, what: str) -> dict[str, list[str]]:
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise CassetteError(f"{what} is not a mapping. Correct it.")
    return {
        str(name): [
            one.decode("latin-1") if isinstance(one, bytes) else str(one)
            for one in (value if isinstance(value, list | tuple) else [value])
        ]
        for name, value in headers.items()
    }


def _numbers(found: Any, what: str) -> list[int]:
    numbers = [] if found is None else found
    if not isinstance(numbers, list) or not all(type(one) is int and one >= 0 for one in numbers):
        raise CassetteError(f"{what} is not a list of numbers. Correct or delete it.")
    return numbers


def text_of(body: bytes) -> str:
    """A body as text; of one that is none, its length."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes that are no text)"
