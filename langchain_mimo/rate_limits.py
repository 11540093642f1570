"""The account's limits of requests and tokens a minute, kept before requests are sent. No I/O.

LangChain's `InMemoryRateLimiter` counts requests and not tokens, and forgets with its process.
Libraries for it (`pyrate-limiter`, `limits`) take a weight when a request is sent and cannot change
it later: how many tokens a request costs is known from its answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from langchain_mimo.errors import MiMoInvalidRequestError
from mimo_core.values import quoted

REQUESTS_PER_MINUTE = 100
"""Of an account that pays as it goes, for one model (vendor, September 2026)."""
TOKENS_PER_MINUTE = 10_000_000
"""The same."""
_MINUTE = 60.0


@dataclass
class Sent:
    """One request.

    Attributes:
        at: when it was sent, in seconds.
        tokens: estimated, until its answer says how many they were.
    """

    at: float
    tokens: int


class Limits(NamedTuple):
    """Of an account; None for any."""

    requests_per_minute: float | None = REQUESTS_PER_MINUTE
    tokens_per_minute: float | None = TOKENS_PER_MINUTE

    def checked(self) -> Limits:
        """These limits. Raises `MiMoInvalidRequestError` where one is no number from 1."""
        for name, value in self._asdict().items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and value >= 1):
                raise MiMoInvalidRequestError(
                    f"{name} is {quoted(value)}; it must be a number from 1, or None for any.",
                    param=name,
                )
        return self


class RateLimits:
    """Says when the next request may be sent.

    In no 60 seconds there are more requests than allowed, as the times of sending go, nor more
    tokens, as far as estimates and answers say. A request that has more tokens than allowed goes
    when no other one is in its minute.
    """

    def __init__(self, limits: Limits, sent: Iterable[Sent] = ()) -> None:
        """
        Args:
            limits: of the account.
            sent: what was sent before, oldest first.
        """
        self._requests, self._tokens = limits
        self._sent = list(sent)

    def delay(self, tokens: int, now: float) -> float:
        """Seconds until a request may be sent; 0 for at once.

        Args:
            tokens: of the request, estimated.
            now: seconds on any clock, always the same one.
        """
        self._sent = [sent for sent in self._sent if sent.at + _MINUTE > now]
        total = sum(sent.tokens for sent in self._sent)
        count = len(self._sent)
        free_at = now
        for sent in self._sent:
            enough = self._requests is None or count + 1 <= self._requests
            if enough and (self._tokens is None or total + tokens <= self._tokens):
                break
            count, total, free_at = count - 1, total - sent.tokens, sent.at + _MINUTE
        return max(0.0, free_at - now)

    def send(self, tokens: int, now: float) -> Sent:
        """Count a request that is sent now.

        Args:
            tokens: as for `delay`.
            now: the same.

        Returns:
            It; set its `tokens` when they are known.
        """
        sent = Sent(now, tokens)
        self._sent.append(sent)
        return sent
