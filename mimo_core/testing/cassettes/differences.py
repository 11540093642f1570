"""The first place where two bodies differ, in one line."""

from __future__ import annotations

import re
from typing import Any

from mimo_core.testing.cassettes.ignoring import (
    MatchRule,
    Place,
    Spot,
    ids_moved,
    masked,
    places_of,
    same_text,
)

_LONGEST = 60
"""Characters of a value that are shown; a longer text is shown where it differs."""
_AROUND, _WITHIN = 30, 40
_NAME = re.compile(r"[\w-]{1,60}")
_NOTHING = MatchRule()


def first_difference(mine: Any, other: Any, rule: MatchRule | None = None) -> str | None:
    """The first place where what was sent is not what was recorded.

    Args:
        mine: the body that was sent, parsed.
        other: the recorded one.
        rule: what may differ; None for nothing.

    Returns:
        One line of about 200 characters at most, or None where nothing differs.
    """
    rule = rule or _NOTHING
    ignored = places_of(rule, mine) | places_of(rule, other)
    if (found := _Comparison(other, rule, ignored).difference(mine, other, ())) is not None:
        return found
    if rule is _NOTHING or (moved := ids_moved(mine, other, rule, ignored)) is None:
        return None
    (place, number), then, now = moved
    which = f", id {number} in it" if number else ""
    return (
        f"{shown_place(place, other)}{which}: the recorded id stands also {_at(then, now)}, "
        f"the sent one {_at(now, then)}"
    )


class _Comparison:
    def __init__(self, root: Any, rule: MatchRule, ignored: frozenset[Place]) -> None:
        self._root = root
        self._rule = rule
        self._ignored = ignored

    def difference(self, mine: Any, other: Any, at: Place) -> str | None:
        if at in self._ignored:
            return None
        if isinstance(mine, dict) and isinstance(other, dict):
            return self._of_objects(mine, other, at)
        if isinstance(mine, list) and isinstance(other, list):
            return self._of_lists(mine, other, at)
        if isinstance(mine, str) and isinstance(other, str):
            if same_text(mine, other, self._rule):
                return None
            return (
                f"{self._place(at)}: {_texts(masked(other, self._rule), masked(mine, self._rule))}"
            )
        if _same_value(mine, other):
            return None
        return f"{self._place(at)}: recorded {_shown(other)}, sent {_shown(mine)}"

    def _of_objects(self, mine: dict[str, Any], other: dict[str, Any], at: Place) -> str | None:
        for name in [*other, *(name for name in mine if name not in other)]:
            place = (*at, name)
            if name in mine and name in other:
                if (found := self.difference(mine[name], other[name], place)) is not None:
                    return found
            elif place in self._ignored:
                continue
            elif name in other:
                return f"{self._place(place)}: recorded {_shown(other[name])}, not sent"
            else:
                return f"{self._place(place)}: not recorded, sent {_shown(mine[name])}"
        return None

    def _of_lists(self, mine: list[Any], other: list[Any], at: Place) -> str | None:
        for number, (left, right) in enumerate(zip(mine, other, strict=False)):
            if (found := self.difference(left, right, (*at, number))) is not None:
                return found
        if len(mine) == len(other):
            return None
        longer, which = (mine, "not recorded") if len(mine) > len(other) else (other, "not sent")
        number = min(len(mine), len(other))
        return (
            f"{self._place(at)}: recorded {len(other)} items, sent {len(mine)}; {which}: "
            f"[{number}]{_role(longer[number])} {_shown(longer[number])}"
        )

    def _place(self, at: Place) -> str:
        return shown_place(at, self._root)


def shown_place(at: Place, root: Any) -> str:
    """`messages[2].content (user)`: a place as `ignore` takes it, and whose message it is in."""
    shown = ""
    for name in at:
        if isinstance(name, int):
            shown += f"[{name}]"
        elif not _NAME.fullmatch(name):
            shown += f'["{_printable(name[:_LONGEST])}"]'
        else:
            shown += f".{name}" if shown else name
    if len(at) > 2 and at[0] == "messages" and isinstance(at[1], int):
        messages = root.get("messages") if isinstance(root, dict) else None
        if isinstance(messages, list) and at[1] < len(messages):
            shown += _role(messages[at[1]])
    return shown or "body"


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return f" ({_printable(role[:20])})" if isinstance(role, str) else ""


def _at(spots: list[Spot], others: list[Spot]) -> str:
    """The first of these spots, of those that are not among the others where there is one."""
    if not spots:
        return "nowhere else"
    place, number = next((spot for spot in spots if spot not in others), spots[0])
    which = f", id {number} in it" if number else ""
    return f"at {shown_place(place, None)}{which}"


def _same_value(mine: Any, other: Any) -> bool:
    if isinstance(mine, bool) != isinstance(other, bool):
        return False  # in Python 1 == True
    return bool(mine == other) or (mine != mine and other != other)  # NaN is JSON to Python


def _texts(recorded: str, sent: str) -> str:
    """How two texts differ: as they are where they are short, else the first place."""
    if max(len(recorded), len(sent)) <= _LONGEST:
        return f"recorded {_shown(recorded)}, sent {_shown(sent)}"
    length = min(len(recorded), len(sent))
    start = next((at for at in range(length) if recorded[at] != sent[at]), length)
    end = 0
    while end < length - start and recorded[-1 - end] == sent[-1 - end]:
        end += 1
    then, now = recorded[start : len(recorded) - end], sent[start : len(sent) - end]
    before = ("…" if start > _AROUND else "") + _printable(
        recorded[max(0, start - _AROUND) : start]
    )
    after = ""
    if len(then) <= _WITHIN and len(now) <= _WITHIN:  # else it is not the same words that follow
        rest = recorded[len(recorded) - end :]
        after = _printable(rest[:_AROUND]) + ("…" if end > _AROUND else "")
    return f'{before}⟨recorded: "{_cut(then)}", sent: "{_cut(now)}"⟩{after}'


def _cut(text: str) -> str:
    return _printable(text[:_WITHIN]) + ("…" if len(text) > _WITHIN else "")


def _printable(text: str) -> str:
    """The text in one line."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
