"""`ignore`: what may differ between a request and the recorded one, because nobody can fix it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from mimo_core.testing.errors import CassetteError

Place = tuple[str | int, ...]
"""Where a value stands in a body: the names and numbers that lead to it."""


class _Wild(Enum):
    ANY = "*"
    EACH = "[*]"
    DEEP = "**"


_Step = str | int | _Wild
_TOKEN = re.compile(
    r"""\[(?:(?P<each>\*)|(?P<index>-?\d+)|"(?P<double>[^"]+)"|'(?P<single>[^']+)')\]"""
    r"""|(?P<dot>\.?)(?:(?P<deep>\*\*)|(?P<any>\*)|(?P<name>[^.\[\]*"'$\s]+))"""
)


@dataclass(frozen=True)
class MatchRule:
    """What `ignore` returns: the places and texts that may differ.

    Attributes:
        paths: of the values that may differ or be missing.
        texts: what may differ within any text of the body.
    """

    paths: tuple[str, ...] = ()
    texts: tuple[re.Pattern[str], ...] = ()

    def __str__(self) -> str:
        shown = [repr(path) for path in self.paths]
        shown += [f"text={pattern.pattern!r}" for pattern in self.texts]
        return f"ignore({', '.join(shown)})"


def ignore(
    *paths: str, text: str | re.Pattern[str] | Iterable[str | re.Pattern[str]] = ()
) -> MatchRule:
    """A rule for `match=`: these parts of a request need not be what was recorded.

    >>> use_cassette(path, match=ignore("messages[*].tool_call_id", "messages[*].tool_calls[*].id"))

    An ignored id (a text whose name is `id` or ends in `_id`) may be a new one, but it has to stand
    in the same places as the recorded one: a tool's result that answers another call than the
    recorded one is still a difference. Any other value at an ignored path may differ or be missing.

    Args:
        paths: places in the JSON body: names with dots between them, `[0]`, `[-1]` (from the end),
            `[*]` (each element), `*` (anything one step down), `**` (any number of steps), and
            `["a.b"]` for a name with signs in it.
        text: a regular expression, or several: what it matches within any text of the body may be
            anything that it matches, e.g. a date. A named group `(?P<id>…)` makes it an id, as
            above. None by default.

    Returns:
        The rule. A path or text that is found in no request is an error when the cassette closes.

    Raises:
        CassetteError: there is nothing to ignore, or a path or an expression cannot be read.
    """
    for path in paths:
        if not isinstance(path, str):
            raise CassetteError(f"ignore takes paths as texts, not {path!r:.60}.")
        _steps(path)
    given = [text] if isinstance(text, str | re.Pattern) else text
    if not isinstance(given, Iterable):
        raise CassetteError(f"ignore(text=…) takes a regular expression, not {text!r:.60}.")
    rule = MatchRule(tuple(dict.fromkeys(paths)), tuple(dict.fromkeys(map(_pattern, given))))
    if not rule.paths and not rule.texts:
        raise CassetteError('ignore() ignores nothing; name a path, e.g. "messages[*].id".')
    return rule


def _pattern(given: Any) -> re.Pattern[str]:
    pattern = given
    if isinstance(given, str):
        try:
            pattern = re.compile(given)
        except (re.error, RecursionError, OverflowError) as error:
            raise CassetteError(f"ignore(text={given!r:.60}): {error}. Correct it.") from error
    if not isinstance(pattern, re.Pattern) or not isinstance(pattern.pattern, str):
        raise CassetteError(f"ignore(text=…) takes a regular expression, not {given!r:.60}.")
    if pattern.search("") is not None:
        raise CassetteError(
            f"ignore(text={pattern.pattern!r:.60}) matches the empty text; require a character."
        )
    return pattern


@lru_cache(maxsize=256)
def _steps(path: str) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    at = 0
    while at < len(path):
        found = _TOKEN.match(path, at)
        # A dot stands between two steps and nowhere else.
        if found is None or (found["dot"] is not None and bool(found["dot"]) != bool(steps)):
            raise CassetteError(
                f"ignore({path!r:.100}) cannot be read from {path[at:]!r:.40} on; "
                'write for example "messages[*].tool_call_id" or "**.id".'
            )
        step = _step(found)
        if not (step is _Wild.DEEP and steps[-1:] == [step]):
            steps.append(step)
        at = found.end()
    if all(step in (_Wild.DEEP, _Wild.ANY) for step in steps):
        raise CassetteError(f"ignore({path!r}) leaves nothing to compare; name what may differ.")
    return tuple(steps)


def _step(found: re.Match[str]) -> _Step:
    if found["index"]:
        return int(found["index"][:9])  # no list is that long
    if found["each"] or found["any"] or found["deep"]:
        wild = {"each": _Wild.EACH, "any": _Wild.ANY, "deep": _Wild.DEEP}
        return wild[str(found.lastgroup)]
    return found["name"] or found["double"] or found["single"]


def places_of(rule: MatchRule, body: Any) -> frozenset[Place]:
    """Where the rule's paths lead in a body.

    Args:
        rule: from `ignore`.
        body: a parsed body.
    """
    return frozenset(place for path in rule.paths for place in _walk(body, _steps(path), ()))


def unfound(rule: MatchRule, bodies: Iterable[Any]) -> list[str]:
    """What of the rule is found in none of these bodies, as it stands in `ignore(…)`.

    Args:
        rule: from `ignore`.
        bodies: parsed bodies of requests.
    """
    paths, texts = list(rule.paths), list(rule.texts)
    for body in bodies:
        paths = [p for p in paths if next(_walk(body, _steps(p), ()), None) is None]
        texts = [t for t in texts if not any(t.search(text) for _, text in texts_in(body))]
    return [repr(path) for path in paths] + [f"text={text.pattern!r}" for text in texts]


def _walk(value: Any, steps: tuple[_Step, ...], at: Place) -> Iterator[Place]:
    if not steps:
        yield at
        return
    first, rest = steps[0], steps[1:]
    if first is _Wild.DEEP:
        yield from _walk(value, rest, at)
    for name, child in children(value):
        if first is _Wild.DEEP:
            yield from _walk(child, steps, (*at, name))
        elif _leads(first, name, value):
            yield from _walk(child, rest, (*at, name))


def _leads(step: _Step, name: str | int, parent: Any) -> bool:
    if isinstance(step, _Wild):
        return step is _Wild.ANY or isinstance(name, int)
    if isinstance(step, int) and step < 0:
        return isinstance(parent, list) and name == len(parent) + step
    return type(name) is type(step) and name == step


def children(value: Any) -> Iterable[tuple[str | int, Any]]:
    """The names or numbers of what stands in a value, and what stands there."""
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def texts_in(
    value: Any, at: Place = (), without: frozenset[Place] = frozenset()
) -> Iterator[tuple[Place, str]]:
    """Every text of a body with its place.

    Args:
        value: the body, or a part of it.
        at: the place of this part.
        without: places whose insides are left out; a text that stands there itself is not.
    """
    if isinstance(value, str):
        yield at, value
    elif at not in without:
        for name, child in children(value):
            yield from texts_in(child, (*at, name), without)


def same_text(mine: str, other: str, rule: MatchRule) -> bool:
    """Whether two texts are equal but for what the rule's expressions match."""
    return mine == other or (bool(rule.texts) and _fixed(mine, rule) == _fixed(other, rule))


def masked(text: str, rule: MatchRule) -> str:
    """The text with `…` for what the rule ignores, to be shown."""
    return "…".join(_fixed(text, rule)) if rule.texts else text


def _fixed(text: str, rule: MatchRule) -> list[str]:
    """What stands before, between and after the matches."""
    fixed, last = [], 0
    for match in _matches(text, rule):
        fixed.append(text[last : match.start()])
        last = match.end()
    return [*fixed, text[last:]]


def _matches(text: str, rule: MatchRule) -> Iterator[re.Match[str]]:
    """The matches from left to right; where two overlap, the first and longest counts."""
    found = (match for pattern in rule.texts for match in pattern.finditer(text))
    last = 0
    for match in sorted(found, key=lambda match: (match.start(), -match.end())):
        if match.start() >= last:
            yield match
            last = match.end()


Spot = tuple[Place, int]
"""A place, and which of the ids within its text, from 1 on; 0 where the text is the id."""


def ids_moved(
    mine: Any, other: Any, rule: MatchRule, ignored: frozenset[Place]
) -> tuple[Spot, list[Spot], list[Spot]] | None:
    """The first ignored id that does not stand in the places of the recorded one.

    Args:
        mine: the body that was sent.
        other: the recorded one.
        rule: from `ignore`.
        ignored: `places_of` both.

    Returns:
        Its spot, the other spots of the recorded id, and those of the sent one; None where every
        ignored id stands where it stood.
    """
    sent, recorded = _alike(mine, rule, ignored), _alike(other, rule, ignored)
    for spot in [*recorded, *(spot for spot in sent if spot not in recorded)]:
        then, now = recorded.get(spot, []), sent.get(spot, [])
        if set(then) != set(now):
            return spot, then, now
    return None


def _alike(body: Any, rule: MatchRule, ignored: frozenset[Place]) -> dict[Spot, list[Spot]]:
    """For each ignored id the other spots of the same id."""
    free: list[tuple[Spot, str]] = []
    spots: dict[str, list[Spot]] = {}
    for place, text in texts_in(body, without=ignored):
        marked = [m["id"] for m in _matches(text, rule) if m.re.groupindex.get("id") and m["id"]]
        whole = _is_id(place)
        ids = [text] if whole else [] if place in ignored else marked
        for number, value in enumerate(ids, 0 if whole else 1):
            spots.setdefault(value, []).append((place, number))
            if not whole or place in ignored or next(_matches(text, rule), None):
                free.append(((place, number), value))
    return {spot: [one for one in spots[value] if one != spot] for spot, value in free}


def _is_id(place: Place) -> bool:
    name = place[-1] if place else ""
    return isinstance(name, str) and (name == "id" or name.endswith("_id"))
