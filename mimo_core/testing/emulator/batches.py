"""Files and batches of the emulator: `FakeMiMo.batches`.

    with FakeMiMo() as mimo:
        mimo.batches.queue(BatchPlan(["in_progress", "expired"], answered=3))
        mimo.batches.fail("create", Fault(hang=True))        # a timeout, after it happened
        mimo.when(content="risky").answer(Fault("moderation"), repeat=True)    # of a line
        ...  # a client whose base URL for batches is mimo.base_url
        assert set(mimo.batches.bill.values()) == {1}        # every line was paid for once

A line of a batch gets what a request gets: the same rejections, rules, queue, `respond`, and else
the echo. Its answer or its error stands in the results. The service's own limits hold
(`rejections_batches`); what is an assumption says so in `sources`.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from urllib.parse import parse_qs, unquote, urlsplit

from mimo_core.testing.emulator.batch_bill import Bill
from mimo_core.testing.emulator.batch_files import Content, Form
from mimo_core.testing.emulator.batch_plan import BatchPlan
from mimo_core.testing.emulator.batch_run import AnswerLine, Run, StoredFile
from mimo_core.testing.emulator.faults import Fault, error_body
from mimo_core.testing.emulator.policy import Rejection, param_incorrect, published
from mimo_core.testing.emulator.received import ReceivedRequest
from mimo_core.testing.emulator.rejections_batches import (
    MAX_BYTES,
    MAX_LINES,
    create_rejection,
    unknown,
    upload_rejection,
)
from mimo_core.testing.emulator.service import HTTPAnswer, error_answer, json_answer

Operation = Literal[
    "upload",
    "list_files",
    "get_file",
    "download",
    "delete",
    "create",
    "list",
    "get",
    "cancel",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
_PATHS: tuple[tuple[str, str, Operation], ...] = (
    ("POST", r"/v1/files", "upload"),
    ("GET", r"/v1/files", "list_files"),
    ("GET", r"/v1/files/([^/]+)", "get_file"),
    ("DELETE", r"/v1/files/([^/]+)", "delete"),
    ("GET", r"/v1/files/([^/]+)/content", "download"),
    ("POST", r"/v1/batches", "create"),
    ("GET", r"/v1/batches", "list"),
    ("GET", r"/v1/batches/([^/]+)", "get"),
    ("POST", r"/v1/batches/([^/]+)/cancel", "cancel"),
)
_JSONL = {"content-type": "application/jsonl"}
_PAGES = {"list": (20, 100), "list_files": (10_000, 10_000)}
"""How many a page holds by default, and at most: OpenAI's numbers."""
_Stored = TypeVar("_Stored", StoredFile, Run)


class _Trouble(NamedTuple):
    fault: Fault
    happens: bool


class Refused(Exception):
    """The request is refused."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.rule)
        self.rejection = rejection


class FakeBatches:
    """The store of files, the batches, and what is scripted for both.

    Args:
        answer: gives what a realtime request would get; it is called with each line.

    Attributes:
        default: the plan of a batch for which none is queued.
        max_bytes: of a file; the vendor's 128 MB.
        max_lines: of a file; OpenAI's 50,000.
    """

    def __init__(self, answer: AnswerLine) -> None:
        self.default = BatchPlan()
        self.max_bytes = MAX_BYTES
        self.max_lines = MAX_LINES
        self._answer = answer
        self._lock = threading.RLock()
        self._numbers: Counter[str] = Counter()
        self._empty()

    def _empty(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._runs: dict[str, Run] = {}
        self._plans: deque[BatchPlan] = deque()
        self._troubles: dict[str, deque[_Trouble]] = {name: deque() for name in OPERATIONS}
        self._bill = Bill()

    # The script

    def queue(self, *plans: BatchPlan) -> None:
        """Add plans for the batches to come, first in, first out.

        Args:
            plans: one for each batch. A create that is refused does not use one up.

        Raises:
            TypeError: something else than a `BatchPlan`.
        """
        for plan in plans:
            if not isinstance(plan, BatchPlan):
                raise TypeError(f"a batch goes on by a BatchPlan, not by a {type(plan).__name__}")
        with self._lock:
            self._plans.extend(plans)

    def fail(
        self, on: Operation, fault: Fault, *, happens: bool | None = None, times: int = 1
    ) -> None:
        """Let the next request of a kind go wrong; several are used first in, first out.

            mimo.batches.fail("upload", Fault("server"))                  # nothing is stored
            mimo.batches.fail("create", Fault(cut="before_headers"))      # made, and not answered
            mimo.batches.fail("create", Fault("gateway_timeout"), happens=True)
            mimo.batches.fail("download", Fault(cut="mid_stream"))        # half of the lines

        Args:
            on: `upload`, `download`, `delete`, `list_files` and `get_file` for files, `create`,
                `get`, `list` and `cancel` for batches.
            fault: how; the parts of it that are for chats alone have no effect.
            happens: whether what was asked for is done all the same. Default: where the answer is
                an error it is not, and where the answer is damaged or late it is.
            times: for so many requests.

        Raises:
            ValueError: there is no such kind of request.
        """
        if on not in OPERATIONS:
            raise ValueError(f"no request named {on!r}; there are: {', '.join(OPERATIONS)}")
        trouble = _Trouble(fault, not fault.is_error if happens is None else happens)
        with self._lock:
            self._troubles[on].extend([trouble] * times)

    def forget(self, *ids: str) -> None:
        """Let the store forget files and batches, as it does after 30 days.

        Args:
            ids: of either; default all that there are.
        """
        with self._lock:
            for id in ids or (*self._files, *self._runs):
                self._files.pop(id, None)
                if run := self._runs.pop(id, None):
                    self._work(run, run.due_in_the_end)  # it is on the bill all the same

    # What happened

    @property
    def bill(self) -> Counter[str]:
        """How often each line was answered without an error, which is what is paid for.

        By the line's body, as JSON with its names in order. The service works whether or not
        somebody looks: the work that is left of every batch is done before the bill is written.
        """
        with self._lock:
            self._work_off()
            return self._bill.by_body()

    @property
    def bill_by_prompt(self) -> Counter[str]:
        """The same by the text of the last user message, whatever else was asked."""
        with self._lock:
            self._work_off()
            return self._bill.by_prompt()

    def _work_off(self) -> None:
        for run in self._runs.values():
            self._work(run, run.due_in_the_end)

    @property
    def files(self) -> list[dict[str, Any]]:
        """What is stored, as the service describes it, in the order in which it came."""
        with self._lock:
            return [file.record() for file in self._files.values()]

    @property
    def all(self) -> list[dict[str, Any]]:
        """The batches, as a look would show them without moving them on; oldest first."""
        with self._lock:
            return [self._refreshed(run).record() for run in self._runs.values()]

    def content(self, file_id: str) -> bytes:
        """What stands in a file.

        Raises:
            KeyError: there is none.
        """
        return b"".join(self._files[file_id].content.pieces())

    def problems(self) -> list[str]:
        """What was scripted and not asked for, one line each."""
        with self._lock:
            found = [f"not asked for: {plan}" for plan in self._plans]
            for on, troubles in self._troubles.items():
                found += [f"not asked for: batches.fail({on!r}, …)" for _ in troubles]
            return found

    def clear(self) -> None:
        """Forget files, batches, the bill and what is scripted; `default` and limits stay."""
        with self._lock:
            self._empty()

    # Serving

    def upload_limit(self, method: str, path: str) -> int | None:
        """Up to how many bytes of a body are kept on the disk; None where it is no upload."""
        is_upload = method == "POST" and urlsplit(path).path == "/v1/files"
        return self.max_bytes + 65_536 if is_upload else None

    def serve(
        self, request: ReceivedRequest, form: Form | None = None, *, cut: bool = False
    ) -> tuple[HTTPAnswer, Fault]:
        """Answer a request that passed the rejections of every request.

        Args:
            request: to one of the paths of files and batches.
            form: what was uploaded.
            cut: whether the upload was too large to be kept as a whole.
        """
        on, id = _operation(request)
        with self._lock:
            self._expire(time.time())
            waiting = self._troubles[on]
            fault, happens = waiting.popleft() if waiting else _Trouble(Fault(), True)
            answer = self._done(on, id, request, form, cut) if happens else _nothing()
        if fault.is_error:
            status, headers, body = fault.http_error(stream=False)
            return HTTPAnswer(status, headers, body), fault
        if answer.events is not None and fault.cut is not None:
            events = list(answer.events)
            half = len(events) // 2 if fault.after is None else fault.after
            kept = {"before_done": -1, "mid_stream": half}.get(fault.cut, 0)
            answer = HTTPAnswer(answer.status, answer.headers, events=events[:kept])
        return answer, fault

    def _done(
        self, on: Operation, id: str, request: ReceivedRequest, form: Form | None, cut: bool
    ) -> HTTPAnswer:
        try:
            if on == "upload":
                return self._upload(form, cut)
            if on == "create":
                return self._create(request)
            if on in ("list", "list_files"):
                return self._list(on, parse_qs(urlsplit(request.path).query))
            return self._of_one(on, id)
        except Refused as refused:
            return error_answer(*refused.rejection)

    def _of_one(self, on: Operation, id: str) -> HTTPAnswer:
        if on in ("get", "cancel"):
            run = _found(self._runs, "batch", id)
            if on == "get":
                run.look(time.time())
            else:
                self._cancel(run)
            return json_answer(self._refreshed(run).record())
        file = _found(self._files, "file", id)
        if on == "download":
            return HTTPAnswer(200, dict(_JSONL), events=_lines(file.content))
        if on == "delete":
            del self._files[id]
            return json_answer({"id": id, "object": "file", "deleted": True})
        return json_answer(file.record())

    def _upload(self, form: Form | None, cut: bool) -> HTTPAnswer:
        if refused := upload_rejection(form, self.max_bytes, cut=cut):
            raise Refused(refused)
        assert form is not None
        assert form.content is not None
        return json_answer(self._store(form.name, "batch", form.content).record())

    def _expire(self, now: float) -> None:
        for file in [one for one in self._files.values() if one.expires_at <= now]:
            del self._files[file.id]

    def _store(self, name: str, purpose: str, content: Content) -> StoredFile:
        file = StoredFile(self._id("file-"), name, purpose, content, int(time.time()))
        self._files[file.id] = file
        return file

    def _id(self, prefix: str) -> str:
        self._numbers[prefix] += 1
        return f"{prefix}fake{self._numbers[prefix]:06}"

    def _create(self, request: ReceivedRequest) -> HTTPAnswer:
        body = request.body
        if not isinstance(body, dict):
            raise Refused(published("body", "bad_request"))
        if refused := create_rejection(body):
            raise Refused(refused)
        source = self._files.get(str(body.get("input_file_id")))
        if source is None or source.purpose != "batch":
            said = f"input_file_id {body.get('input_file_id')} is no uploaded file"
            raise Refused(param_incorrect("batch input file", said))
        plan = self._plans.popleft() if self._plans else self.default
        id, endpoint, now = self._id("batch_"), body["endpoint"], time.time()
        run = Run(id, plan, source, endpoint, request.headers, self.max_lines, now)
        self._runs[id] = run
        return json_answer(self._refreshed(run).record())

    def _cancel(self, run: Run) -> None:
        if self._refreshed(run).has_ended:
            said = f"batch {run.id} is {run.status}"
            raise Refused(Rejection("batch ended", 409, error_body("409", "Conflict", said)))
        run.cancel(time.time())

    def _refreshed(self, run: Run) -> Run:
        """The batch after the work that it has done by now."""
        run.tick(time.time())
        self._work(run, run.due)
        if run.has_ended and not run.is_closed:
            run.close()
            if run.output is not None:
                name = f"{run.id}_output.jsonl"
                run.output_file_id = self._store(name, "batch_output", run.output).id
            if run.errors is not None:
                name = f"{run.id}_error.jsonl"
                run.error_file_id = self._store(name, "batch_output", run.errors).id
        return run

    def _work(self, run: Run, due: int) -> None:
        run.work(due, self._answer, self._bill.add)

    def _list(self, on: Operation, query: Mapping[str, Sequence[str]]) -> HTTPAnswer:
        if on == "list":
            runs = [run for run in self._runs.values() if not _is_late(run)]
            records = [self._refreshed(run).record() for run in runs]
        else:
            purpose = query.get("purpose", [""])[0]
            files = [one for one in self._files.values() if purpose in ("", one.purpose)]
            records = [one.record() for one in files]
        return json_answer(_page(records[::-1], query, *_PAGES[on]))


def _operation(request: ReceivedRequest) -> tuple[Operation, str]:
    path = request.path.partition("?")[0]
    asked = "GET" if request.method == "HEAD" else request.method
    for method, pattern, on in _PATHS:
        if method == asked and (match := re.fullmatch(pattern, path)):
            return on, unquote(match[1]) if match.groups() else ""
    raise LookupError(path)  # the routes of `service` let no other pass


def _nothing() -> HTTPAnswer:
    """What did not happen; a fault cuts the answer off, or makes another one of it."""
    return error_answer(500, error_body("500", "Internal Server Error"))


def _found(held: Mapping[str, _Stored], what: str, id: str) -> _Stored:
    if id not in held:
        raise Refused(unknown(what, id))
    return held[id]


def _is_late(run: Run) -> bool:
    late = run.unlisted > 0
    run.unlisted -= late
    return late


def _page(
    records: list[dict[str, Any]], query: Mapping[str, Sequence[str]], usual: int, most: int
) -> dict[str, Any]:
    """A page of a list, in OpenAI's shape. Raises `Refused`."""
    given = query.get("limit", [str(usual)])[0]
    if not given.isdecimal() or not 1 <= int(given) <= most:
        raise Refused(param_incorrect("list limit", f"limit must be between 1 and {most}"))
    ids = [record["id"] for record in records]
    after = query.get("after", [None])[0]
    if after is not None and after not in ids:
        raise Refused(param_incorrect("list after", f"after {after} is not in the list"))
    start = 0 if after is None else ids.index(after) + 1
    data = records[start : start + int(given)]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + len(data) < len(records),
    }


def _lines(content: Content) -> Iterator[bytes]:
    """A file in pieces: line by line where there are few, so that a fault can cut between two."""
    few = 1000
    return content.each() if 1 < len(content.spans) <= few else content.pieces()
