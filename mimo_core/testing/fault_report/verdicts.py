"""What is known of a run under a fault, and what follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mimo_core.errors import MiMoError

Outcome = Literal["passed", "failed", "skipped"]
Kind = Literal["survived", "retried", "reported", "swallowed", "hung", "not reached"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SHOWN = 60  # characters of an error's text that tell it from others


@dataclass(frozen=True)
class Raised:
    """What ended a test.

    Attributes:
        says: its class and its first line.
        family: the class of the family's error in its chain, or None.
        is_assertion: whether the test found a result that it did not expect.
    """

    says: str
    family: str | None
    is_assertion: bool


@dataclass(frozen=True)
class Run:
    """One run of a test.

    Attributes:
        outcome: of the test, its fixtures included.
        requests: how many the emulator's script answered.
        raised: what ended it, or None.
        was_hit: whether the fault met a request.
        is_whole: whether the answer arrives whole in spite of the fault.
        asked_again: whether the question that the fault met was asked once more.
        is_hung: whether it had to be stopped, or outlasted the server's silence.
        errors: what the client made of failures: class and text.
        shown: all that the run told somebody: its output, warnings, log records from WARNING on.
        logged: whether there was a record or a warning that is not this library's own.
        result: what the test gave to `mimo_outcome`, as a text; None where it gave nothing.
        seconds: how long it took.
    """

    outcome: Outcome
    requests: int
    raised: Raised | None = None
    was_hit: bool = False
    is_whole: bool = False
    asked_again: bool = False
    is_hung: bool = False
    errors: Sequence[tuple[str, str]] = ()
    shown: str = ""
    logged: bool = False
    result: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What the application did about one fault.

    Attributes:
        kind: one word.
        says: the error that was told, or where the test failed; may be empty.
        family: the class of the family's error that was told, or None.
    """

    kind: Kind
    says: str = ""
    family: str | None = None


def judged(run: Run, clean: Run) -> Verdict:
    """What an application did about a fault.

    Args:
        run: under the fault.
        clean: without it; it passed.
    """
    if not run.was_hit:
        return Verdict("not reached")
    if run.is_hung:
        return Verdict("hung", f"{run.seconds:.1f} s" if run.raised is None else run.raised.says)
    if run.raised is not None and run.raised.family is not None:
        return Verdict("reported", run.raised.says, run.raised.family)
    told = _told(run)
    if run.raised is not None:
        if run.outcome == "skipped" or not run.raised.is_assertion:
            return Verdict("reported", run.raised.says)
        return told or Verdict("swallowed", run.raised.says)
    is_same = clean.result == run.result
    if not is_same:
        return told or Verdict("swallowed", "the test passed, with another outcome")
    # The same question may have been asked elsewhere at the same time: one more is one again.
    if run.asked_again and run.requests > clean.requests:
        return Verdict("retried", f"{run.requests} requests in place of {clean.requests}")
    if run.is_whole or run.result is not None:
        return Verdict("survived")
    return told or Verdict("swallowed", "the test passed, and nobody was told")


def _told(run: Run) -> Verdict | None:
    """That somebody was told, though no error reached the test."""
    for name, text in run.errors:
        if name in run.shown or (text and text[:_SHOWN] in run.shown):
            return Verdict("reported", f"shown: {name}", name)
    return Verdict("reported", "logged") if run.logged else None


def raised_by(error: BaseException, *, skips: bool = False) -> Raised:
    """What is kept of the exception that ended a test.

    Args:
        error: the exception.
        skips: whether it skips the test.
    """
    family = next((type(e).__name__ for e in _chain(error) if isinstance(e, MiMoError)), None)
    told = next((e for e in _chain(error) if isinstance(e, MiMoError)), error)
    text = " ".join(str(told).splitlines()[:1]).strip()
    name = "skipped" if skips else type(told).__name__
    return Raised(f"{name}: {text}" if text else name, family, isinstance(error, AssertionError))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, the members of a group, and what they came from."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*getattr(one, "exceptions", ()), one.__cause__, one.__context__]
