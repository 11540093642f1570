"""What a server without an engine says, and what it was asked. Imported beside the two servers."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI, Request

MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<|im_end|>", "<|im_start|>")
_PIECE = re.compile("|".join(map(re.escape, MARKS)) + r"|\s*[^\s<]+|\s+|<")


def pieces(text: str) -> list[str]:
    """A model's text as it arrives: marks alone, otherwise word by word."""
    return _PIECE.findall(text)


class Script:
    """Texts to say, in order, and requests as the server's own classes read them.

    `POST /script` queues `{"text", "finish_reason"}`; `GET /received` gives what was asked since
    the last time: the body off the wire, the names in it that the class does not know, the fields
    that it read, and the arguments of the chat template.
    """

    def __init__(self, classes: dict[str, Any]) -> None:
        """
        Args:
            classes: the server's own class of the requests to each path.
        """
        self._classes = classes
        self._texts: list[tuple[str, str]] = []
        self._received: list[dict[str, Any]] = []

    def next(self) -> tuple[str, str]:
        return self._texts.pop(0) if self._texts else ("Nothing was queued.", "stop")

    def keep(self, read: dict[str, Any], template: dict[str, Any] | None) -> None:
        if self._received:
            self._received[-1] |= {"read": read, "template": template}

    def keep_sampling(self, sampling: dict[str, Any]) -> None:
        if self._received:
            self._received[-1]["sampling"] = sampling

    def attach(self, app: FastAPI) -> None:
        """Add the two addresses for tests, and keep every body that comes."""

        @app.middleware("http")
        async def keep_body(request: Request, handle: Any) -> Any:
            if request.url.path.startswith("/v1/") and request.method == "POST":
                body, path = await request.json(), request.url.path
                unread = sorted(body.keys() - self._classes[path].model_fields.keys())
                self._received.append({"path": path, "body": body, "unread": unread})
            return await handle(request)

        @app.post("/script")
        async def queue(request: Request) -> dict[str, int]:
            said = await request.json()
            self._texts.append((said["text"], said.get("finish_reason", "stop")))
            return {"queued": len(self._texts)}

        @app.get("/received")
        async def received() -> list[dict[str, Any]]:
            found, self._received = self._received, []
            self._texts = []
            return found
