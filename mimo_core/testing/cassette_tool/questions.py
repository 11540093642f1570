"""What a recorded request asks, from the body of either protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from mimo_core.testing.cassette_tool.exchange import Part, Question, Turn
from mimo_core.testing.cassette_tool.interaction import Interaction, text_of
from mimo_core.testing.cassette_tool.words import short_json, size
from mimo_core.testing.cassettes.edits import json_of

CHAT, MESSAGES = "chat completions", "messages"
_NOT_OPTIONS = frozenset({"model", "messages", "system", "tools"})
_NAMED = re.compile(r"\[(\d+) bytes, sha256 ([0-9a-f]{64})\]")
_DATA_URL = re.compile(r"data:([^;,]*)[^,]*,(.*)", re.S)
_MEDIA = {"image_url": "image", "input_audio": "audio", "video_url": "video"}


def question_of(one: Interaction) -> Question:
    """Read a request.

    Args:
        one: an interaction without its credentials.

    Returns:
        What it asks. Of anything but a model's request only address and body.
    """
    parts = urlsplit(one.uri)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    raw = text_of(one.sent)
    headers = tuple((name, ", ".join(values)) for name, values in one.sent_headers.items())
    body, protocol = json_of(one.sent), protocol_of(parts.path)
    host = parts.netloc
    if not isinstance(body, dict) or not protocol:
        return Question(one.method, host, path, raw=raw, headers=headers)
    return Question(
        one.method,
        host,
        path,
        protocol,
        str(body.get("model") or ""),
        tuple(_options(body)),
        tuple(_tool_name(tool) for tool in _list(body.get("tools"))),
        tuple(_turns(body)),
        raw,
        headers,
    )


def protocol_of(path: str) -> str:
    """The protocol that is spoken at a path, or an empty text."""
    path = path.rstrip("/")
    if path.endswith("/chat/completions"):
        return CHAT
    return MESSAGES if path.endswith("/messages") else ""


def _options(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if name not in _NOT_OPTIONS and value is not None:
            yield str(name), short_json(value)


def _tool_name(tool: Any) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    holder = function if isinstance(function, dict) else tool if isinstance(tool, dict) else {}
    return str(holder.get("name") or holder.get("type") or "?")


def _turns(body: dict[str, Any]) -> Iterator[Turn]:
    names: dict[str, str] = {}  # of tools, by the ids of their calls
    if system := body.get("system"):
        yield Turn("system", tuple(_parts(system, names)))
    for message in _list(body.get("messages")):
        if isinstance(message, dict):
            yield turn_of(message, names)
        else:
            yield Turn("?", (Part("data", short_json(message)),))


def turn_of(message: dict[str, Any], names: dict[str, str]) -> Turn:
    """Read one message of either protocol.

    Args:
        message: with `role`, `content` and what else it has.
        names: the names of tools, by the ids of their calls. Calls of this message are added.
    """
    role = str(message.get("role") or "?")
    parts: list[Part] = []
    if isinstance(reasoning := message.get("reasoning_content"), str) and reasoning:
        parts.append(Part("reasoning", reasoning))
    content = list(_parts(message.get("content"), names))
    if role == "tool":
        id = str(message.get("tool_call_id") or "")
        text = "\n".join(part.text for part in content)
        return Turn(role, (Part("result", text, names.get(id, ""), id),))
    calls = [_call(call, names) for call in _list(message.get("tool_calls"))]
    if calls:  # some servers want a blank where nothing is said beside them
        content = [part for part in content if part.kind != "text" or part.text.strip()]
    parts += [*content, *calls]
    if isinstance(audio := message.get("audio"), dict):
        parts.append(_sound(audio))
    return Turn(role, tuple(parts))


def _call(call: Any, names: dict[str, str]) -> Part:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return Part("data", short_json(call))
    id, name = str(call.get("id") or ""), str(function.get("name") or "")
    names[id] = name
    return Part("call", short_json(function.get("arguments") or ""), name, id)


def _sound(audio: dict[str, Any]) -> Part:
    text = str(audio.get("transcript") or "")
    if isinstance(data := audio.get("data"), str):
        text = f"{text} {_data_size(data)}".strip()
    return Part("media", text or str(audio.get("id") or ""), "audio")


def _parts(content: Any, names: dict[str, str]) -> Iterator[Part]:
    """The parts of a content: a text, or a list of texts and blocks."""
    if isinstance(content, str):
        if content:
            yield Part("text", content)
        return
    for block in _list(content):
        if isinstance(block, dict):
            if (part := _block(block, names)).text or part.kind != "text":
                yield part
        else:
            yield Part("text", block) if isinstance(block, str) else Part("data", short_json(block))


def _block(block: dict[str, Any], names: dict[str, str]) -> Part:
    kind = block.get("type")
    if kind == "text" and isinstance(text := block.get("text"), str):
        return Part("text", text)
    if kind == "thinking":
        return Part("reasoning", str(block.get("thinking") or ""))
    if kind == "tool_use":
        id, name = str(block.get("id") or ""), str(block.get("name") or "")
        names[id] = name
        return Part("call", short_json(block.get("input") or {}), name, id)
    if kind == "tool_result":
        id = str(block.get("tool_use_id") or "")
        said = "\n".join(part.text for part in _parts(block.get("content"), {}))
        return Part("result", said, names.get(id, ""), id)
    if isinstance(kind, str) and kind in _MEDIA and isinstance(held := block.get(kind), dict):
        return _medium(_MEDIA[kind], held)
    if kind in ("image", "document") and isinstance(held := block.get("source"), dict):
        return _medium(str(kind), held)
    return Part("data", short_json(block))


def _medium(family: str, held: dict[str, Any]) -> Part:
    """An image, sound or video: its type, and its size or its address."""
    data = held.get("url") or held.get("data") or ""
    known = held.get("media_type") or (f"{family}/{held['format']}" if "format" in held else family)
    if not isinstance(data, str):
        return Part("data", short_json(held))
    if found := _DATA_URL.fullmatch(data):
        return Part("media", _data_size(found[2]), found[1] or str(known))
    if "://" in data:
        return Part("media", data, str(known))
    return Part("media", _data_size(data), str(known))


def _data_size(data: str) -> str:
    """How large base64, or what stands for it in a cassette, was."""
    if named := _NAMED.search(data):
        return f"{size(int(named[1]))}, sha256 {named[2][:12]}…"
    return size(len(data.rstrip("=")) * 3 // 4)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
