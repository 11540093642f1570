"""Which recorded answer belongs to a request: method, endpoint and body, whatever the gateway."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakKeyDictionary

from mimo_core.testing.cassettes.cleaning import MiMoRequest
from mimo_core.testing.cassettes.differences import first_difference
from mimo_core.testing.cassettes.edits import json_of
from mimo_core.testing.cassettes.ignoring import MatchRule, unfound
from mimo_core.testing.cassettes.meaning import essence_of, meaning_of, meaning_of_upload
from mimo_core.testing.cassettes.provenance import EMULATOR_HOST, host_of
from mimo_core.testing.cassettes.vcrpy import Request
from mimo_core.testing.errors import CassetteError

MATCHER = "mimo"
"""The name under which `mimo_request` is registered with vcrpy."""
_ENDPOINTS = ("/chat/completions", "/messages", "/models")
_BATCHES = re.compile(r"/((?:files|batches)(?:/[^/]+(?:/(?:content|cancel))?)?)$")
_PORTS = {"https": 443, "http": 80}
FOREIGN = "vcr"
"""For cassettes without provenance, which others recorded: vcrpy's own default, without body."""
# Each request of a cassette is compared with each that is sent; it is parsed once.
_held: WeakKeyDictionary[Request, tuple[Any, Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Candidate:
    """A recorded request that may be the one.

    Attributes:
        index: in its cassette.
        request: as vcrpy represents it.
        played: whether its answer was given already.
    """

    index: int
    request: Request
    played: bool = False


def mimo_request(sent: Request, recorded: Request) -> None:
    """A vcrpy matcher. Raises `AssertionError` with the first difference."""
    if (found := difference(sent, recorded, match_of(recorded, sent))) is not None:
        raise AssertionError(found)


def match_of(*requests: Request) -> str:
    """How requests are compared: as the first of them that comes from a cassette says."""
    known = (request.match for request in requests if isinstance(request, MiMoRequest))
    return next(filter(None, known), "exact")


def best_match(
    sent: Request,
    candidates: Sequence[Candidate],
    rule: MatchRule | None = None,
    *,
    allow_repeats: bool = False,
) -> int | None:
    """Which recorded answer a request gets.

    The same question may have been asked at two gateways: the answers of the same scheme, host and
    port come first, there those of the same path, and else the order of the recording counts. Those
    of another host are given only where every recorded request that matches went to one host, so
    that it is plain which. A loopback address is the emulator's, whose port changes.

    Args:
        sent: the cleaned request.
        candidates: the recorded requests, in their order.
        rule: what may differ, from `ignore`; None for nothing.
        allow_repeats: vcrpy's `allow_playback_repeats`: the first answer is given again and again.

    Returns:
        The index of the recorded request, or None where its answer is not to be had.
    """
    if rule is not None:  # what is equal without it comes first
        exact = best_match(sent, candidates, None, allow_repeats=allow_repeats)
        if exact is not None:
            return exact
    pool = _nearest(sent, _equal(sent, candidates, rule))
    return next((one.index for one in pool if allow_repeats or not one.played), None)


def why_no_match(sent: Request, candidates: Sequence[Candidate], rule: MatchRule | None) -> str:
    """Why `best_match` gave None, in words for the end of a sentence on the cassette.

    Args:
        sent: as for `best_match`.
        candidates: as for `best_match`.
        rule: as for `best_match`.

    Returns:
        E.g. `holds no answer to this POST chat/completions: messages[0].content (user): …`.
    """
    asked = f"{sent.method} {endpoint_of(sent)}"
    if not candidates:
        return f"holds no recorded answers (asked: {asked})"
    if equal := _equal(sent, candidates, rule):
        if pool := _nearest(sent, equal):
            return f"holds {len(pool)} answer(s) to this {asked}, and all were given"
        hosts = ", ".join(sorted({host_of(one.request.uri) for one in equal}))
        here = host_of(sent.uri)
        return f"holds answers to this {asked} of several hosts ({hosts}), none of {here}"
    likely = [one for one in candidates if endpoint_of(one.request) == endpoint_of(sent)]
    likely = likely or list(candidates)
    nearest = next((one for one in likely if not one.played), likely[0]).request
    told = difference(sent, nearest, match_of(nearest, sent), rule)
    return f"holds no answer to this {asked}: {told}"


def _equal(
    sent: Request, candidates: Sequence[Candidate], rule: MatchRule | None
) -> list[Candidate]:
    return [
        one
        for one in candidates
        if difference(sent, one.request, match_of(one.request, sent), rule) is None
    ]


def _nearest(sent: Request, equal: list[Candidate]) -> list[Candidate]:
    """Those of the nearest gateway; none where they are of several others."""
    if not equal:
        return []
    distances = [_distance(sent, one.request) for one in equal]
    nearest = min(distances)
    elsewhere, _ = nearest
    if elsewhere and len({_origin(one.request) for one in equal}) > 1:
        return []
    return [one for one, far in zip(equal, distances, strict=True) if far == nearest]


def _distance(sent: Request, recorded: Request) -> tuple[bool, bool]:
    same_origin = _origin(sent) == _origin(recorded) or (
        host_of(recorded.uri) == EMULATOR_HOST and _is_loopback(host_of(sent.uri))
    )
    return not same_origin, sent.path.rstrip("/") != recorded.path.rstrip("/")


def _origin(request: Request) -> tuple[str, str | None, int | None]:
    parts = urlsplit(request.uri)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_found(rule: MatchRule, requests: Iterable[Request]) -> None:
    """Refuse a rule of which a part was found in no request: it is misspelled, or left over.

    Args:
        rule: from `ignore`.
        requests: all that a cassette holds, and all that were sent while it was open.

    Raises:
        CassetteError: says which part.
    """
    bodies = [body for body in map(body_of, requests) if isinstance(body, dict | list)]
    if bodies and (missing := unfound(rule, bodies)):
        raise CassetteError(
            f"match=ignore({', '.join(missing)}) is found in no request, recorded or sent. "
            "Correct it, or leave it out."
        )


def difference(
    sent: Request, recorded: Request, mode: str, rule: MatchRule | None = None
) -> str | None:
    """How two requests differ, or None where one's answer is the other's.

    Args:
        sent: a request as vcrpy represents it.
        recorded: another one.
        mode: a `match` of `Provenance`.
        rule: what may differ, from `ignore`; None for nothing.
    """
    if sent.method != recorded.method:
        return f"method: recorded {recorded.method}, sent {sent.method}"
    ours, theirs = endpoint_of(sent), endpoint_of(recorded)
    if ours != theirs:
        return f"address: recorded {theirs}, sent {ours}"
    if mode == FOREIGN:
        return _uris(sent, recorded)
    if sent.body == recorded.body:
        return None
    # Other services' bodies are compared whole: of what is a null there, nothing is known here.
    known = f"/{ours}" in _ENDPOINTS or ours == "files"
    mode = mode if f"/{ours}" in _ENDPOINTS else "exact"
    try:
        return _bodies(_compared(sent, known), _compared(recorded, known), mode, rule)
    except RecursionError:
        return "body: nested too deeply to be compared"


def _bodies(mine: Any, other: Any, mode: str, rule: MatchRule | None) -> str | None:
    if isinstance(mine, list) and isinstance(other, list):
        return first_difference(mine, other, rule)
    if not isinstance(mine, dict) or not isinstance(other, dict):
        return None if mine == other else "body: not the recorded one"
    if mode != "exact":
        mine, other = essence_of(mine, mode), essence_of(other, mode)
        if not other["model"]:  # published without the model: an answer to any
            other["model"] = mine["model"]
    return first_difference(mine, other, rule)


def _compared(request: Request, known: bool) -> Any:
    """What is compared of a request's body. It is not to be changed: it is kept."""
    body = request.body
    held = _held.get(request)
    if held is not None and held[0] is body:
        return held[1]
    compared = body_of(request)
    if known and isinstance(compared, dict):
        is_upload = endpoint_of(request) == "files"
        compared = meaning_of_upload(compared) if is_upload else meaning_of(compared)
    _held[request] = body, compared
    return compared


def endpoint_of(request: Request) -> str:
    """`chat/completions`, `messages`, `models`; of files and batches the path, with its ids, and
    the query; or the whole address of anything else."""
    path = request.path.rstrip("/")
    for ending in _ENDPOINTS:
        if path.endswith(ending):
            return ending[1:]
    if match := _BATCHES.search(path):
        query = urlencode(sorted(parse_qsl(urlsplit(request.uri).query)))
        return f"{match[1]}?{query}" if query else match[1]
    return str(request.uri)


def body_of(request: Request) -> Any:
    """The parsed body, or its bytes where it is not JSON."""
    body = request.body
    parsed = json_of(body)
    return (body or b"") if parsed is None else parsed


def _uris(sent: Request, recorded: Request) -> str | None:
    for part in ("scheme", "host", "port", "path", "query"):
        mine, other = getattr(sent, part), getattr(recorded, part)
        if mine != other:
            return f"{part}: recorded {other}, sent {mine}"
    return None
