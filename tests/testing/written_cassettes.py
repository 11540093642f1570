"""Cassettes for the tests of `mimo-cassette`, written by hand as anybody may write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

EMULATOR = {
    "kind": "emulator",
    "source": "FakeMiMo, this project's emulator; no model has run",
    "date": "2026-11-27",
}
HOST = "http://emulator.localhost"


def asked(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request's body: of one user message, unless others are given."""
    said = list(messages) or [{"role": "user", "content": "Say hello."}]
    return {"model": "mimo-v2.6-pro", "messages": said, **fields}


def answered(content: str = "Hello.", **message: Any) -> str:
    """An unstreamed answer's body."""
    spoken = {"role": "assistant", "content": content, **message}
    choice = {"index": 0, "finish_reason": "stop", "message": spoken}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps({"id": "1", "model": "mimo-v2.6-pro", "choices": [choice], "usage": usage})


def event(delta: dict[str, Any], finish_reason: str | None = None) -> str:
    """An event of a streamed answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return f"data: {json.dumps({'id': '1', 'model': 'mimo-v2.6-pro', 'choices': [choice]})}\n\n"


def streamed(*texts: str) -> list[str]:
    """The events of a streamed answer."""
    return [*(event({"content": text}) for text in texts), event({}, "stop"), "data: [DONE]\n\n"]


def interaction(
    body: Any = None,
    answer: str | list[str] = "",
    *,
    uri: str = f"{HOST}/v1/chat/completions",
    status: int = 200,
    headers: dict[str, list[str]] | None = None,
    sent_headers: dict[str, list[str]] | None = None,
    **beside: Any,
) -> dict[str, Any]:
    """One interaction. A list of texts is a stream, each of them a piece."""
    is_stream = isinstance(answer, list)
    content_type = "text/event-stream" if is_stream else "application/json"
    held: dict[str, Any] = {"string": "".join(answer)}
    if is_stream:
        held["pieces"] = [len(piece.encode()) for piece in answer]
    sent = body if isinstance(body, str) or body is None else json.dumps(body)
    return {
        "request": {
            "method": "GET" if body is None else "POST",
            "uri": uri,
            "body": sent,
            "headers": sent_headers or {"api-key": ["REDACTED"]},
        },
        "response": {
            "status": {"code": status, "message": "OK" if status == 200 else "Refused"},
            "headers": {"content-type": [content_type], **(headers or {})},
            "body": {**held, **beside},
        },
    }


def write(path: Path, *interactions: Any, provenance: dict[str, str] | None = EMULATOR) -> Path:
    """A cassette's file."""
    document: dict[str, Any] = {"version": 1, "interactions": list(interactions)}
    if provenance is not None:
        document["provenance"] = provenance
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
    return path
