"""A server of Files and Batches that knows nothing of ours: the standard library's, on loopback.

Each line of a batch is asked of another server, one request after the other, last line first.
"""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class BatchServer:
    """Starts when it is entered.

    Attributes:
        base_url: where it listens.
        asked: method and path of each request.
        bill: how often each line was answered, by its last message.
        status: of a batch when it is looked at for the first time.
        skips: whether a line is left without a result.
        before: called with method and path before a request is answered.
    """

    def __init__(self, answers_at: str) -> None:
        """
        Args:
            answers_at: the base URL of the server that answers the lines.
        """
        self.answers_at = answers_at
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.bill: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.status = "completed"
        self.skips: Callable[[str], bool] = lambda text: False
        self.before: Callable[[str], None] = lambda asked: None

    def __enter__(self) -> Self:
        this = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

            def do_GET(self) -> None:
                self._answer(b"")

            do_DELETE = do_GET

            def _answer(self, body: bytes) -> None:
                this.headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer = this.answer(self.command, self.path.partition("?")[0], body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and body for a request."""
        room, _, rest = path.removeprefix("/v1/").partition("/")
        self.asked.append(f"{method} {room}")
        self.before(f"{method} {room}")
        id, _, verb = rest.partition("/")
        if room == "files" and method == "POST":
            id = f"file-{len(self.files)}"
            found = re.search(rb'filename="[^"]*"[^\0]*?\r\n\r\n(.*)\r\n--', body, re.DOTALL)
            assert found is not None
            self.files[id] = found[1]
            return 200, {"id": id, "filename": "in.jsonl"}
        if room == "files" and method == "DELETE":
            del self.files[id]
            return 200, {"id": id, "deleted": True}
        if room == "files":
            return (200, self.files[id]) if id in self.files else (404, {"error": {"message": "-"}})
        if method == "POST" and not id:
            id = f"batch-{len(self.batches)}"
            file_id = json.loads(body)["input_file_id"]
            self.batches[id] = {"id": id, "status": "validating", "input_file_id": file_id}
        elif not id:
            return 200, {"data": [*self.batches.values()], "has_more": False}
        elif verb == "cancel":
            self.batches[id]["status"] = "cancelling"
            self.status = "cancelled"
        elif self.batches[id]["status"] != self.status:
            self._work(self.batches[id])
        return 200, self.batches[id]

    def _work(self, batch: dict[str, Any]) -> None:
        batch["status"] = self.status
        if self.status in ("validating", "in_progress"):
            return
        made: dict[bool, list[str]] = {True: [], False: []}
        for line in reversed(self.files[batch["input_file_id"]].splitlines()):
            given = json.loads(line)
            text = str(given["body"]["messages"][-1]["content"])
            if self.skips(text):
                continue
            status, answer = self._ask(given["body"])
            self.bill[text] += 1
            response = {"status_code": status, "body": answer}
            result = {"custom_id": given["custom_id"], "response": response, "error": None}
            made[status == 200].append(json.dumps(result))
        for fine, kind in ((True, "output"), (False, "error")):
            if made[fine]:
                batch[f"{kind}_file_id"] = f"{kind}-{batch['id']}"
                self.files[batch[f"{kind}_file_id"]] = "\n".join(made[fine]).encode()

    def _ask(self, body: dict[str, Any]) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"{self.answers_at}/chat/completions",
            json.dumps(body).encode(),
            {"content-type": "application/json", "api-key": "sk-of-the-server"},
        )
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


def done(job: Any) -> list[Any]:
    """The results of a job that is waited for."""
    with job:
        assert job.wait(poll=0, progress=False).has_ended
        return list(job.results())
