"""When to try again, and how long to wait first. Pure: no clock, no sleep."""

from __future__ import annotations

import random

from mimo_core.errors import APIConnectionError, APITimeoutError, InvalidRequestError, MiMoError

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
FIRST_DELAY = 0.5  # seconds; doubles with each attempt
LONGEST_DELAY = 8.0
LONGEST_RETRY_AFTER = 60.0  # a service that asks for more is believed: the error goes to the caller


def delay_before_retry(error: MiMoError, attempt: int, max_retries: int) -> float | None:
    """Seconds to wait before the next attempt, or None where there is to be none.

    Only for failures before the first event of an answer: the caller sees to that.

    Args:
        error: why attempt number `attempt` failed.
        attempt: 0 for the first attempt.
        max_retries: further attempts allowed in all; 0 means one attempt.
    """
    if attempt >= max_retries or not is_worth_it(error):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else None
    # Jitter keeps many clients from coming back in the same moment.
    return min(FIRST_DELAY * 2.0**attempt, LONGEST_DELAY) * random.uniform(0.75, 1.0)  # noqa: S311  # not a secret


def is_worth_it(error: MiMoError) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, APITimeoutError):
        return error.code == "connect"  # after a silence the answer may have been made, and paid
    if isinstance(error, InvalidRequestError):  # llama.cpp says 500 to some of them
        return False
    return isinstance(error, APIConnectionError) or error.status in RETRIED_STATUSES
