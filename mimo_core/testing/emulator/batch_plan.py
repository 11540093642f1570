"""What a test scripts a batch to do: `BatchPlan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDS = frozenset({"completed", "failed", "expired", "cancelled"})
"""The states in which nothing of a batch changes any more."""


@dataclass(frozen=True)
class BatchPlan:
    """How a batch goes on, and what comes of it.

        BatchPlan("completed")                                   # at once
        BatchPlan(["in_progress", "in_progress", "expired"], answered=3)
        BatchPlan(["in_progress", "completed"], seconds=0.5)     # by the clock
        BatchPlan("failed", errors=["no balance"])

    Raises:
        ValueError: a state is none, or one follows after an end; or a number is below 0.
    """

    states: Sequence[Status] | Status = ("validating", "in_progress", "finalizing", "completed")
    """One after the other: the answer to the create shows the first, each look (`GET
    /batches/{id}`) the next, and the last one stays."""
    seconds: float | None = None
    """How long each state lasts; None for one look each."""
    answered: int | None = None
    """How many lines are answered by its end, in the order of the file. Default all; where it
    expires or is cancelled half of them, where it fails or never begins none."""
    errors: Sequence[str] = ()
    """Why it failed as a whole (`errors.data[].message`)."""
    unlisted: int = 0
    """How many times the list of batches is late: as often it is shown without this batch."""
    cancelling: int = 1
    """How many looks a cancelled batch stays `cancelling`; with 0 it is cancelled at once."""
    in_order: bool = False
    """Results come in the order of the file; they are mixed otherwise."""
    errors_in: Literal["error_file", "output_file"] = "error_file"
    """Where the lines stand that were answered with an error."""
    names_unanswered: bool = False
    """Lines that were not answered stand in the error file (`batch_expired`), as OpenAI has it."""

    def __post_init__(self) -> None:
        states = self.steps
        if unknown := [state for state in states if state not in STATUSES]:
            raise ValueError(f"no state {unknown[0]!r}; there are: {', '.join(STATUSES)}")
        if not states or any(state in ENDS for state in states[:-1]):
            raise ValueError("states are one or more, and nothing follows after an end")
        if min(self.seconds or 0, self.answered or 0, self.unlisted, self.cancelling) < 0:
            raise ValueError("seconds, answered, unlisted and cancelling are 0 or more")

    @property
    def steps(self) -> tuple[Status, ...]:
        """The states, always as several."""
        if isinstance(self.states, str):
            return (self.states,)
        return tuple(self.states)

    def most(self, total: int) -> int:
        """How many of `total` lines are answered by its end."""
        if self.answered is not None:
            return min(self.answered, total)
        half = (total + 1) // 2
        shares = {"validating": 0, "failed": 0, "expired": half, "cancelled": half}
        return shares.get(self.steps[-1], total)

    def due(self, step: int, total: int) -> int:
        """How many of `total` lines are answered when the state number `step` is shown."""
        seen = self.steps[: step + 1]
        if seen[-1] not in {"in_progress", "cancelling"}:
            return 0 if seen[-1] == "validating" else self.most(total)
        working = self.steps.count("in_progress") + 1
        return self.most(total) * seen.count("in_progress") // working
