"""A cassette that attacks whoever looks at it: markup, scripts and addresses in every place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.testing.written_cassettes import answered, asked, event, interaction, write

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style><style>body{background:url(http://evil.example/a)}</style>",
    '"><img src=x onerror=alert(3)>',
    "'><svg onload=alert(4)>",
    "<iframe src='http://evil.example/b'></iframe>",
    "<a href='javascript:alert(5)'>press</a>",
    "</pre></details><base href='http://evil.example/'>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "<!-- --><meta http-equiv=refresh content='0;url=http://evil.example/c'>",
    "\ud800 half of a letter",
    "\u202e turned \x1b[31m red \x00 nothing",
)


def hostile(path: Path) -> Path:
    """The cassette; each payload stands in every place that can hold a text."""
    interactions: list[Any] = []
    for payload in PAYLOADS:
        text = payload.encode("utf-8", "replace").decode()
        call = {"id": text, "type": "function", "function": {"name": text, "arguments": text}}
        messages: list[dict[str, Any]] = [
            {"role": text, "content": text},
            {"role": "assistant", "content": payload, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": text, "content": text},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": text}}]},
        ]
        tools = [{"type": "function", "function": {"name": text}}]
        body = asked(*messages, **{"model": text, text: text, "tools": tools})
        interactions.append(
            interaction(
                body,
                answered(payload, reasoning_content=payload, tool_calls=[call]),
                headers={"server": [text], "x-ratelimit-" + text: [text]},
                note=text,
            )
        )
        events = [event({"content": payload}), f": {text}\n\n", f"data: {text}\n\n"]
        interactions.append(
            interaction(asked(), events, broken={"error": text, "message": text}, times=[1, 2, 3])
        )
        interactions.append(interaction(None, text, uri=f"https://x.example/{text}", status=500))
    source = {"kind": "live", "source": PAYLOADS[0], "date": PAYLOADS[3], "note": PAYLOADS[1]}
    return write(path, *interactions, provenance=source)
