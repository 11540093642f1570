"""A service of files and batches in memory, for tests of jobs."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2

from mimo_core.batches import BatchJob
from tests.conftest import KEY as KEY


def requests(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": f"{number}?"}]}
        | changes
        for number in range(count)
    ]


def line(custom_id: str, content: str, status: int = 200) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": content}}
    body = {"choices": [choice]} if status == 200 else {"error": {"message": content}}
    response = {"status_code": status, "body": body}
    return json.dumps({"custom_id": custom_id, "response": response, "error": None}).encode()


class Service:
    """Files and batches in memory; it answers a question with itself, last line first.

    Attributes:
        bill: how often each question was answered.
        before: called with the method and path before a request is done, `after` after it.
        status: of a batch when it is next looked at.
        answers: makes the line for a custom_id and a question, or None for no line.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.inputs: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.bill: Counter[str] = Counter()
        self.asked: list[str] = []
        self.before: Callable[[str], None] = lambda asked: None
        self.after: Callable[[str], None] = lambda asked: None
        self.status = "completed"
        self.answers: Callable[[str, str], bytes | None] = line
        self.listed = True

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/v1")
        parts = path.split("/")
        asked = f"{request.method} {parts[-1] if parts[-1] == 'cancel' else parts[1]}"
        self.asked.append(asked)
        self.before(asked)
        answer = self._answer(request, path)
        self.after(asked)
        return answer

    async def later(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return self(request)

    def _answer(self, request: httpx2.Request, path: str) -> httpx2.Response:
        room, _, rest = path[1:].partition("/")
        if room == "files":
            return self._file(request, rest)
        if request.method == "POST" and not rest:
            file_id = json.loads(request.read())["input_file_id"]
            if file_id not in self.files:
                return httpx2.Response(400, json={"error": {"message": "no such file"}})
            id = f"batch-{len(self.batches)}"
            self.inputs[id] = self.files[file_id]
            self.batches[id] = {"id": id, "status": "validating", "input_file_id": file_id}
            return httpx2.Response(200, json=self.batches[id])
        if not rest:
            shown = [*self.batches.values()] if self.listed else []
            return httpx2.Response(200, json={"data": shown, "has_more": False})
        id, _, verb = rest.partition("/")
        if id not in self.batches:
            return httpx2.Response(404, json={"error": {"message": "no such batch"}})
        if verb == "cancel":
            self.batches[id]["status"] = "cancelling"
            self.status = "cancelled"
        elif self.batches[id]["status"] in {"validating", "in_progress", "cancelling"}:
            self._work(self.batches[id])
        return httpx2.Response(200, content=json.dumps(self.batches[id]))

    def _work(self, batch: dict[str, Any]) -> None:
        batch["status"] = self.status
        if self.status not in {"completed", "expired", "cancelled"}:
            return
        lines = []
        for given in self.inputs[batch["id"]].splitlines():
            asked = json.loads(given)
            question = asked["body"]["messages"][0]["content"]
            if (made := self.answers(asked["custom_id"], question)) is not None:
                self.bill[question] += 1
                lines.append(made)
        batch["output_file_id"] = f"out-{batch['id']}"
        self.files[batch["output_file_id"]] = b"\n".join(reversed(lines))

    def _file(self, request: httpx2.Request, rest: str) -> httpx2.Response:
        if request.method == "POST":
            id = f"file-{len(self.files)}"
            body = request.read().split(b"\r\n\r\n", 2)[2]
            self.files[id] = body[: body.rindex(b"\r\n--")]
            return httpx2.Response(200, json={"id": id})
        id = rest.partition("/")[0]
        if id not in self.files:
            return httpx2.Response(404, json={"error": {"message": "no such file"}})
        if request.method == "DELETE":
            del self.files[id]
            return httpx2.Response(200, json={"deleted": True})
        return httpx2.Response(200, content=self.files[id])


def texts(job: BatchJob) -> list[str | None]:
    return [
        result.response["choices"][0]["message"]["content"] if result.response else None
        for result in job.results()
    ]
