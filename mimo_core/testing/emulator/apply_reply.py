"""A `Reply` applied to a request: what the model says once the request's limits have had effect.

Tokens are counted the simple way: a word with the space before it is one, so is a CJK character.
Sound counts 6.25 tokens a second, as in the vendor's speech recognition sample.
"""

from __future__ import annotations

import json
import math
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mimo_core.models import ALIASES, ModelInfo, model_info
from mimo_core.testing.emulator.audio import audio_seconds, decode_data_url, synthesize
from mimo_core.testing.emulator.received import content_text
from mimo_core.testing.emulator.reply import Reply, ToolCall

_TOKEN = re.compile(r"\s*(?:[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+)")
_AUDIO_TOKENS_PER_SECOND = 6.25
_MEDIA_TOKENS = {"image_url": ("image_tokens", 256), "video_url": ("video_tokens", 1024)}


@dataclass(frozen=True)
class Answer:
    """What is sent, before it takes the shape of a protocol."""

    reply: Reply
    info: ModelInfo
    model: str
    id: str
    created: int
    text: str
    reasoning: str | None
    """None where the request does not think, or the reply has none."""
    thinks: bool
    tool_calls: list[ToolCall]
    audio: bytes | None
    finish_reason: str
    stop_sequence: str | None
    usage: dict[str, Any]
    final_text_preview: str | None

    @property
    def is_cloudsway(self) -> bool:
        """Whether the answer takes Cloudsway's shape, which is told from the model's name."""
        return self.model.lower() in ALIASES


@dataclass
class _Budget:
    """The tokens that are left for a completion."""

    left: int | None
    spent: int = 0
    exhausted: bool = False

    def take(self, text: str) -> str:
        """As much of the text as fits."""
        ends = [match.end() for match in _TOKEN.finditer(text)]
        if self.left is not None and len(ends) > self.left:
            self.exhausted = True
            text = text[: ends[self.left - 1]] if self.left else ""
            ends = ends[: self.left]
        self.spent += len(ends)
        if self.left is not None:
            self.left -= len(ends)
        return text


def count_tokens(text: str) -> int:
    """Tokens of a text, as the emulator counts them."""
    return sum(1 for _ in _TOKEN.finditer(text))


def count_prompt_tokens(request: Mapping[str, Any]) -> int:
    """Tokens of a request in chat-completions shape, media included, as the emulator counts."""
    return _prompt_tokens(request)[0]


def apply_reply(reply: Reply, request: Mapping[str, Any]) -> Answer:
    """Apply a request (chat-completions shape) to a reply.

    Reasoning counts against `max_completion_tokens` first, then text, then the arguments of the
    calls; where they do not suffice, `finish_reason` is `length`.
    """
    model = str(request.get("model") or "")
    info = model_info(model)
    thinks = info.thinks(request.get("thinking"), request.get("reasoning_effort"))
    budget = _Budget(request.get("max_completion_tokens") or request.get("max_tokens"))

    reasoning = budget.take(reply.reasoning) if thinks and reply.reasoning is not None else None
    reasoning_tokens = budget.spent
    text, stop_sequence = _until_stop(reply.full_text, request.get("stop"))
    calls, leaked = _leaked_calls(reply.calls(), request)
    if info.kind != "tts":
        text = budget.take(text + leaked)
    calls = _fitting_calls(calls, budget)

    finish_reason = reply.finish_reason or _finish_reason(reply, calls or leaked)
    if budget.exhausted:
        finish_reason, stop_sequence = "length", None
    audio, preview = _speech(reply, info, request)
    completion_tokens = budget.spent
    if audio is not None:
        completion_tokens += _audio_tokens(len(audio) / 48_000)
    usage = _usage(request, completion_tokens, reasoning_tokens, reply, info)
    return Answer(
        reply=reply,
        info=info,
        model=reply.model or model,
        id=f"chatcmpl-{uuid.uuid4().hex[:24]}" if model.lower() in ALIASES else uuid.uuid4().hex,
        created=int(time.time()),
        text=text,
        reasoning=reasoning,
        thinks=thinks,
        tool_calls=calls,
        audio=audio,
        finish_reason=finish_reason,
        stop_sequence=stop_sequence,
        usage=usage,
        final_text_preview=preview,
    )


def _finish_reason(reply: Reply, calls: object) -> str:
    if calls:
        return "tool_calls"
    return "content_filter" if reply.refusal is not None else "stop"


def _until_stop(text: str, stop: Any) -> tuple[str, str | None]:
    """The text before the first stop sequence, and that sequence."""
    sequences = [stop] if isinstance(stop, str) else list(stop or ())
    hits = [(text.find(sequence), sequence) for sequence in sequences if sequence]
    found = min((hit for hit in hits if hit[0] >= 0), default=None)
    return (text, None) if found is None else (text[: found[0]], found[1])


def _leaked_calls(calls: list[ToolCall], request: Mapping[str, Any]) -> tuple[list[ToolCall], str]:
    """Calls of tools without `parameters` are written as text, as the model has been seen to."""
    functions = [tool.get("function") or {} for tool in request.get("tools") or ()]
    bare = {function.get("name") for function in functions if not function.get("parameters")}
    leaked = [call for call in calls if call.name in bare]
    return [call for call in calls if call not in leaked], "".join(map(_call_as_text, leaked))


def _call_as_text(call: ToolCall) -> str:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = {}
    parameters = "".join(
        f"<parameter={name}>{value if isinstance(value, str) else json.dumps(value)}</parameter>"
        for name, value in (arguments.items() if isinstance(arguments, dict) else ())
    )
    return f"<tool_call><function={call.name}>{parameters}</function></tool_call>"


def _fitting_calls(calls: list[ToolCall], budget: _Budget) -> list[ToolCall]:
    """The calls within the budget; the last one's arguments may be cut off mid-way."""
    fitting = []
    for call in calls:
        if budget.exhausted or budget.left == 0:
            budget.exhausted = True
            break
        fitting.append(ToolCall(call.name, budget.take(call.arguments), call.id))
    return fitting


def _speech(
    reply: Reply, info: ModelInfo, request: Mapping[str, Any]
) -> tuple[bytes | None, str | None]:
    """The sound of a speech model, and the polished text where the request asks for it."""
    if info.kind != "tts":
        return reply.audio, reply.final_text_preview
    options = request.get("audio") or {}
    spoken = _last_text(request, "assistant")
    preview = None
    if options.get("optimize_text_preview"):
        preview = reply.final_text_preview or spoken or _last_text(request, "user")
    format = "pcm16" if request.get("stream") else options.get("format") or "wav"
    audio = reply.audio if reply.audio is not None else synthesize(preview or spoken, format)
    return audio, preview


def _last_text(request: Mapping[str, Any], role: str) -> str:
    for message in reversed(request.get("messages") or ()):
        if message.get("role") == role:
            return content_text(message.get("content"))
    return ""


def _audio_tokens(seconds: float) -> int:
    return math.ceil(seconds * _AUDIO_TOKENS_PER_SECOND)


def _usage(
    request: Mapping[str, Any],
    completion_tokens: int,
    reasoning_tokens: int,
    reply: Reply,
    info: ModelInfo,
) -> dict[str, Any]:
    """Counted usage, with the reply's own `usage` merged over it."""
    prompt_tokens, details, seconds = _prompt_tokens(request)
    usage: dict[str, Any] = {
        "completion_tokens": completion_tokens,
        "prompt_tokens": prompt_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "prompt_tokens_details": {**details, "cached_tokens": 0},
    }
    if info.kind == "asr":
        usage["seconds"] = math.ceil(seconds)
    if any(tool.get("type") == "web_search" for tool in request.get("tools") or ()):
        pages = len(reply.annotations)
        usage["web_search_usage"] = {"tool_usage": 1 if pages else 0, "page_usage": pages}
    given = reply.usage or {}
    for key, given_value in given.items():
        value, old = given_value, usage.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = {**old, **value}
        usage[key] = value
    if "total_tokens" not in given:
        usage["total_tokens"] = (usage["prompt_tokens"] or 0) + (usage["completion_tokens"] or 0)
    return usage


def _prompt_tokens(request: Mapping[str, Any]) -> tuple[int, dict[str, int], float]:
    """Prompt tokens, their breakdown by kind of media, and the seconds of sound."""
    total, details, seconds = 0, dict[str, int](), 0.0
    for message in request.get("messages") or ():
        content = message.get("content")
        total += 4 + count_tokens(content_text(content))
        total += count_tokens(message.get("reasoning_content") or "")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type")
            if kind == "input_audio":
                length = _seconds_of(part)
                seconds += length
                name, tokens = "audio_tokens", _audio_tokens(length)
            elif kind in _MEDIA_TOKENS:
                name, tokens = _MEDIA_TOKENS[kind]
            else:
                continue
            details[name] = details.get(name, 0) + tokens
            total += tokens
    return total, details, seconds


def _seconds_of(part: Mapping[str, Any]) -> float:
    data = decode_data_url((part.get("input_audio") or {}).get("data"))
    return 1.0 if data is None else audio_seconds(data)
