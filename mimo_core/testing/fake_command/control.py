"""The emulator of the command, which is scripted and asked over HTTP.

- `POST /_script`: adds the answers of a script (`script_file`), JSON, or YAML where the
  `content-type` says so.
- `GET /_script`: how many answers of the queue are left, and what `assert_all_used` would say.
- `GET /_requests`: the requests that came, without their keys.
- `GET /_bill`: how often each line of a batch was answered, by its body and by its prompt.
- `POST /_reset`: forgets requests and answers, files and batches.

A page in a browser cannot use them, whatever `--extra cors` lets in: a request with an `Origin`
gets 403, and so does one for a host with a domain, which somebody may have made to lead here. An
address and a name without a dot (`localhost`, a container's) pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from mimo_core._addresses import is_loopback
from mimo_core.testing.cassettes.redaction import clean_text, clean_uri, request_headers, secrets_in
from mimo_core.testing.emulator import FakeMiMo, Fault, ReceivedRequest
from mimo_core.testing.emulator.connection import WireRequest
from mimo_core.testing.emulator.faults import error_body
from mimo_core.testing.emulator.listener import NO_FAULT
from mimo_core.testing.emulator.service import HTTPAnswer
from mimo_core.testing.fake_command import script_file

_MARK = "/_"


class ControlledFakeMiMo(FakeMiMo):
    """A `FakeMiMo` with the paths of this module. Its arguments are those of `FakeMiMo`."""

    def handle(self, received: WireRequest) -> tuple[HTTPAnswer, Fault]:
        """Answer one request, of a client or of whoever scripts the emulator."""
        if not received.path.startswith(_MARK):
            return super().handle(received)
        return self._control(received), NO_FAULT

    def _control(self, received: WireRequest) -> HTTPAnswer:
        if not _from_here(received):
            return _error(403, "the control paths are not for pages in a browser")
        serve: dict[tuple[str, str], Callable[[WireRequest], HTTPAnswer]] = {
            ("POST", "/_script"): self._add,
            ("GET", "/_script"): self._state,
            ("GET", "/_requests"): self._requests,
            ("GET", "/_bill"): self._bill,
            ("POST", "/_reset"): self._forget,
        }
        path = received.path.partition("?")[0]
        if serving := serve.get((received.method, path)):
            return serving(received)
        there = ", ".join(f"{method} {path}" for method, path in serve)
        return _error(404, f"no {received.method} {path}; there are: {there}")

    def _add(self, received: WireRequest) -> HTTPAnswer:
        kind = received.headers.get("content-type", "")
        try:
            script = script_file.parse(received.body, is_json="yaml" not in kind)
        except script_file.ScriptError as error:
            return _error(400, str(error))
        script.apply(self)
        return self._state(received)

    def _state(self, received: WireRequest) -> HTTPAnswer:
        return _said({"queued": self.queued, "problems": self.problems})

    def _requests(self, received: WireRequest) -> HTTPAnswer:
        return _said({"requests": [_shown(request) for request in list(self.requests)]})

    def _bill(self, received: WireRequest) -> HTTPAnswer:
        shown = {"bill": self.batches.bill, "by_prompt": self.batches.bill_by_prompt}
        return _said(json.loads(clean_text(json.dumps(shown))))

    def _forget(self, received: WireRequest) -> HTTPAnswer:
        self.reset()
        return self._state(received)


def _from_here(received: WireRequest) -> bool:
    if "origin" in received.headers or "sec-fetch-site" in received.headers:
        return False
    host = urlsplit(f"//{received.headers.get('host', '')}").hostname or ""
    return "." not in host or is_loopback(host) or host.replace(".", "").isdigit()


def _shown(request: ReceivedRequest) -> dict[str, Any]:
    """A request without its key, wherever it stands."""
    secrets = secrets_in(request.headers, request.path, request.raw)
    shown = {
        "method": request.method,
        "path": clean_uri(request.path, secrets),
        "protocol": request.protocol,
        "model": request.model,
        "stream": request.stream,
        "headers": request_headers(request.headers, secrets),
        "body": request.body,
    }
    cleaned: dict[str, Any] = json.loads(clean_text(json.dumps(shown), secrets))
    return cleaned


def _said(body: dict[str, Any]) -> HTTPAnswer:
    raw = json.dumps(body, indent=2).encode()
    return HTTPAnswer(200, {"content-type": "application/json"}, raw)


def _error(status: int, message: str) -> HTTPAnswer:
    raw = json.dumps(error_body(str(status), f"mimo-fake: {message}"), ensure_ascii=False).encode()
    return HTTPAnswer(status, {"content-type": "application/json"}, raw)
