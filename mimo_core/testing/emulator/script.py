"""What is to be answered: answers by order and by matcher, and what was left or not foreseen."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mimo_core.testing.emulator.defaults import default_reply
from mimo_core.testing.emulator.faults import Fault
from mimo_core.testing.emulator.matchers import Matcher, describe
from mimo_core.testing.emulator.received import ReceivedRequest
from mimo_core.testing.emulator.reply import Reply

Answerable = Reply | Fault | str | Mapping[str, Any]
"""What can be scripted: a reply, a fault, a text, or a mapping that is the raw JSON body."""


class UnscriptedRequest(Exception):
    """A strict emulator has no answer to a request."""


class Rule:
    """Answers for the requests that are like a `Matcher`; made by `FakeMiMo.when`.

    Attributes:
        matcher: what the requests are like.
        requests: those that it answered, in order.
    """

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        self.requests: list[ReceivedRequest] = []
        self._answers: deque[Answerable] = deque()
        self._repeats: Answerable | None = None

    def answer(self, *replies: Answerable, repeat: bool = False) -> Rule:
        """Add answers, first in, first out; each is given once.

        Args:
            replies: one for each request.
            repeat: the last of them is given to every further request too.

        Returns:
            The rule itself.

        Raises:
            TypeError: something else than a `Reply`, a `Fault`, a text or a mapping.
            ValueError: there is nothing to answer with.
        """
        checked(replies)
        if not replies:
            raise ValueError(f"{self.matcher}.answer() needs an answer, e.g. Reply('Hello.')")
        self._answers.extend(replies)
        self._repeats = replies[-1] if repeat else None
        return self

    @property
    def left(self) -> list[Answerable]:
        """Answers that nobody has asked for. One that repeats is left until its first use."""
        return list(self._answers)

    @property
    def has_answer(self) -> bool:
        """Whether the next request that it matches gets an answer."""
        return bool(self._answers) or self._repeats is not None

    def take(self, request: ReceivedRequest) -> Answerable | None:
        """The next answer; None where none is left."""
        if not self.has_answer:
            return None
        self.requests.append(request)
        return self._answers.popleft() if self._answers else self._repeats


class Script:
    """The answers of one emulator. It is used by the threads of all connections.

    Args:
        respond: called with each request for which there is nothing else.
        strict: refuse what is not scripted, instead of an echo.
    """

    def __init__(
        self, respond: Callable[[ReceivedRequest], Answerable] | None, *, strict: bool
    ) -> None:
        self.respond = respond
        self._strict = strict
        self._lock = threading.Lock()
        self.queue: deque[Answerable] = deque()
        self._rules: list[Rule] = []
        self._failures: list[str] = []

    def add(self, replies: Sequence[Answerable]) -> None:
        """Put answers at the end of the queue."""
        checked(replies)
        self.queue.extend(replies)

    def when(self, matcher: Matcher) -> Rule:
        """A new rule, which comes after the others."""
        rule = Rule(matcher)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget answers, rules and what went wrong; `respond` stays."""
        with self._lock:
            self.queue.clear()
            self._rules.clear()
            self._failures.clear()

    def answer_to(self, request: ReceivedRequest) -> Answerable:
        """The first rule's next answer, else the queue's, else `respond`'s, else an echo.

        Raises:
            UnscriptedRequest: strict, and there is none.
        """
        with self._lock:
            rules = list(self._rules)
        # A matcher may call the test's own code, which may take its time or script some more.
        fitting = [rule for rule in rules if rule.matcher.matches(request)]
        with self._lock:
            for rule in fitting:
                if (said := rule.take(request)) is not None:
                    return said
            if self.queue:
                return self.queue.popleft()
        if self.respond is not None:
            return self.respond(request)
        if self._strict:
            raise UnscriptedRequest(
                f"nothing is scripted for {describe(request)}{self._near_miss(request)}; "
                "queue() an answer, or leave strict=True out"
            )
        return default_reply(request)

    def _near_miss(self, request: ReceivedRequest) -> str:
        spent = [str(rule.matcher) for rule in self._rules if rule.matcher.matches(request)]
        if spent:
            return f" ({spent[0]} fits, and its answers were given)"
        return f" (no rule of {len(self._rules)} fits)" if self._rules else ""

    def fail(self, error: Exception, request: ReceivedRequest) -> str:
        """The sentence for an error of the script, which `problems` holds from now on."""
        said = str(error)
        if not isinstance(error, UnscriptedRequest):
            said = f"the script failed: {type(error).__name__}: {error}; at {describe(request)}"
        with self._lock:
            self._failures.append(said)
        return f"FakeMiMo: {said}"

    def problems(self) -> list[str]:
        """What went wrong, and the answers that nobody has asked for; one line each."""
        with self._lock:
            found = list(self._failures)
            found += [f"not asked for: {shown(said)}" for said in self.queue]
            for rule in self._rules:
                found += [f"not asked for: {rule.matcher}.answer({shown(a)})" for a in rule.left]
                if not (rule.left or rule.requests or rule.has_answer):
                    found.append(f"without an answer: {rule.matcher}; give it one with .answer(…)")
        return found


def checked(replies: Sequence[object]) -> None:
    """Raises `TypeError` where one of them cannot be an answer."""
    for reply in replies:
        if not isinstance(reply, (Reply, Fault, str, Mapping)):
            raise TypeError(f"cannot answer with a {type(reply).__name__}")


def shown(said: Answerable) -> str:
    """An answer as it was written, without what stands at its default."""
    if isinstance(said, (Reply, Fault)):
        given = (
            f"{name}={getattr(said, name)!r}"
            for name, one in type(said).__dataclass_fields__.items()
            if getattr(said, name) != _default(one)
        )
        text = f"{type(said).__name__}({', '.join(given)})"
    else:
        text = repr(said)
    return text if len(text) <= 120 else text[:119] + "…"


def _default(one: Any) -> Any:
    return one.default_factory() if callable(one.default_factory) else one.default
