"""One batch of the emulator: the state that a look shows, the lines that it answers, its record."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mimo_core.testing.emulator.batch_files import KEPT, Content, Spool
from mimo_core.testing.emulator.batch_plan import ENDS, STATUSES, BatchPlan, Status
from mimo_core.testing.emulator.chat_completions_shape import dump
from mimo_core.testing.emulator.rejections_batches import (
    WINDOW,
    LineProblem,
    line_problems,
    read_line,
)
from mimo_core.testing.emulator.service import HTTPAnswer

AnswerLine = Callable[[str, Mapping[str, str], dict[str, Any]], HTTPAnswer | None]
"""Of an endpoint, headers and a body: what a realtime request would get; None for no answer."""
_DAY = 86_400
_AUTHORISATION = ("api-key", "authorization", "x-api-key")


@dataclass(frozen=True)
class StoredFile:
    """A file in the store."""

    id: str
    name: str
    purpose: str
    content: Content
    created_at: int
    """Seconds since 1970."""

    @property
    def expires_at(self) -> int:
        """When the store forgets it."""
        return self.created_at + KEPT

    def record(self) -> dict[str, Any]:
        """What the service says of it, in OpenAI's shape."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.content.size,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


class Run:
    """A batch under way.

    Args:
        id: its own.
        plan: how it goes on.
        source: the input file. It stays readable, whatever becomes of the store's.
        endpoint: of its lines.
        headers: of the create; its lines are asked for with the same key.
        max_lines: of one batch.
        now: seconds since 1970.

    Attributes:
        status: the state that was shown last.
        unlisted: how many more times the list leaves it out.
        is_closed: whether its results are made, which they are once it has ended.
        output: the results; None where there is none.
        errors: the error file's lines, in the same way.
    """

    def __init__(
        self,
        id: str,
        plan: BatchPlan,
        source: StoredFile,
        endpoint: str,
        headers: Mapping[str, str],
        max_lines: int,
        now: float,
    ) -> None:
        self.id, self.plan, self.source = id, plan, source
        self.unlisted = plan.unlisted
        self.is_closed = False
        self.output: Content | None = None
        self.errors: Content | None = None
        self.output_file_id: str | None = None
        self.error_file_id: str | None = None
        self._endpoint = endpoint
        self._headers = {name: headers[name] for name in _AUTHORISATION if name in headers}
        lines = (line for line, _ in source.content.lines())
        self.total, self._problems = line_problems(lines, endpoint, max_lines)
        self._steps = plan.steps
        if self._problems and "failed" not in self._steps:
            self._steps = (*(step for step in self._steps[:1] if step == "validating"), "failed")
        self._created, self._step = now, 0
        self._looks_left: int | None = None  # while it is being cancelled
        self._times: dict[str, int] = {}
        self._done, self._read, self._failed = 0, 0, 0
        self._spool = Spool()
        self._good: list[tuple[int, int]] = []
        self._bad: list[tuple[int, int]] = []
        self.status: Status = self._steps[0]
        self._shown(now)

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.status in ENDS

    def look(self, now: float) -> None:
        """Somebody asks for it: it goes on as its plan says."""
        if self.has_ended:
            return
        if self._looks_left is not None:
            self._looks_left -= 1
            self.status = "cancelled" if self._looks_left < 0 else "cancelling"
        else:
            self._advance(now, 1)
        self._shown(now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._looks_left is None and not self.has_ended:
            self._advance(now, 0)
            self._shown(now)

    def _advance(self, now: float, looks: int) -> None:
        step = self._step + looks
        if self.plan.seconds is not None:
            step = int((now - self._created) / self.plan.seconds) if self.plan.seconds else step + 9
        self._step = min(step, len(self._steps) - 1)
        self.status = self._steps[self._step]

    def cancel(self, now: float) -> None:
        """Stop: what is answered by now stays."""
        if self._looks_left is None:
            self._looks_left = self.plan.cancelling
            self.status = "cancelling" if self._looks_left else "cancelled"
            self._shown(now)

    def _shown(self, now: float) -> None:
        self._times.setdefault(f"{self.status}_at", int(now))

    # The work

    @property
    def due(self) -> int:
        """How many lines have to be answered in this state."""
        if self._problems or self._looks_left is not None:
            return self._done
        return self.plan.due(self._step, self.total)

    @property
    def due_in_the_end(self) -> int:
        """How many it answers if nobody stops it."""
        stopped = self._problems or self._looks_left is not None or self.has_ended
        return self.due if stopped else self.plan.most(self.total)

    def work(self, due: int, answer: AnswerLine, pay: Callable[[dict[str, Any]], None]) -> None:
        """Answer lines, in the order of the file.

        Args:
            due: until so many are answered.
            answer: gives what a realtime request would get.
            pay: called with the body of each line that was answered without an error.
        """
        if self._done >= due:
            return
        for line, after in self.source.content.lines(self._read):
            self._read = after
            given = read_line(line) or {}
            said = answer(self._endpoint, self._headers, given["body"])
            good = said is not None and said.status < 400
            self._keep(_result(given["custom_id"], said), good)
            if good:
                pay(given["body"])
            else:
                self._failed += 1
            self._done += 1
            if self._done >= due:
                return

    def _keep(self, line: bytes, good: bool) -> None:
        spans = self._good if good or self.plan.errors_in == "output_file" else self._bad
        spans.append((self._spool.add(line), len(line)))

    def close(self) -> None:
        """It has ended: make its results."""
        self.is_closed = True
        if self.plan.names_unanswered and self.status in {"expired", "cancelled"}:
            code = f"batch_{self.status}"
            for line, _ in self.source.content.lines(self._read):
                self._keep(_unanswered((read_line(line) or {})["custom_id"], code), good=False)
        if self.plan.in_order:
            mixed = [self._good, self._bad]
        else:
            mixed = [_mixed(self._good), _mixed(self._bad)]
        self.output, self.errors = (
            Content(self._spool, spans) if spans else None for spans in mixed
        )

    # What is said of it

    def record(self) -> dict[str, Any]:
        """What the service says of it, in OpenAI's shape."""
        validating = self.status == "validating"
        created = int(self._created)
        times = [f"{name}_at" for name in STATUSES if name != "validating"]
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self._endpoint,
            "errors": self._errors(),
            "input_file_id": self.source.id,
            "completion_window": WINDOW,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": created,
            "expires_at": created + _DAY,
            **{name: self._times.get(name) for name in times},
            "request_counts": {
                "total": 0 if validating or self._problems else self.total,
                "completed": self._done - self._failed,
                "failed": self._failed,
            },
            "metadata": None,
        }

    def _errors(self) -> dict[str, Any] | None:
        if self.status != "failed":
            return None
        said = [LineProblem("batch failed", error) for error in self.plan.errors]
        return {"object": "list", "data": [one.record for one in [*self._problems, *said]]}


def _mixed(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """In another order, the same each time."""
    mixed = list(spans)
    random.Random(len(spans)).shuffle(mixed)  # noqa: S311 (nothing is secret)
    return mixed if mixed != spans else mixed[::-1]


def _result(custom_id: str, said: HTTPAnswer | None) -> bytes:
    if said is None:
        return _unanswered(custom_id, "no_answer")
    try:
        body = json.loads(said.body)
    except ValueError:  # a gateway's HTML
        body = said.body.decode("utf-8", "replace")
    response = {"status_code": said.status, "body": body}
    return dump({"custom_id": custom_id, "response": response, "error": None}) + b"\n"


def _unanswered(custom_id: str, code: str) -> bytes:
    error = {"code": code, "message": "This request was not answered."}
    return dump({"custom_id": custom_id, "response": None, "error": error}) + b"\n"
