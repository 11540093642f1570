"""What a test scripts the emulator to answer: `Reply`, and the tool calls in it."""

from __future__ import annotations

import json as json_module
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

UsageOn = Literal["last", "finish", "every", "never"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a function tool; `arguments` is the raw string that goes on the wire."""

    name: str
    arguments: str
    id: str

    @classmethod
    def of(cls, call: ToolCall | Sequence[Any] | Mapping[str, Any]) -> ToolCall:
        """Read one call of a script.

        Args:
            call: `(name, args)`, `(name, args, id)` or a mapping with `name`, `arguments`, `id`.
                Arguments that are a string go out as they are, so that broken JSON can be
                scripted.

        Returns:
            The call; an id is made up where it lacks one.
        """
        if isinstance(call, ToolCall):
            return call
        if isinstance(call, Mapping):
            name, arguments, id = call["name"], call.get("arguments", {}), call.get("id")
        else:
            name, arguments, id = (*call, None)[:3]
        if not isinstance(arguments, str):
            arguments = json_module.dumps(arguments, ensure_ascii=False)
        return cls(name, arguments, id or f"call_{uuid.uuid4().hex[:24]}")


@dataclass(frozen=True)
class Reply:
    """A complete answer of the model, and how it is cut into pieces when it is streamed.

    The same `Reply` serves both protocols, plain and streamed. `reasoning` is sent only where the
    request runs in thinking mode; `stop` sequences and token limits of the request are applied to
    it, tokens being words (or single CJK characters).
    """

    text: str = ""
    _: KW_ONLY
    reasoning: str | None = None
    tool_calls: Sequence[Any] = ()
    """Each `("name", {args})`, `("name", {args}, "id")` or a mapping; see `ToolCall.of`."""
    json: Any = None
    """Serialised as the text."""
    audio: bytes | None = None
    """Raw bytes sent as the audio; None lets a speech model's reply be a synthesized tone."""
    annotations: Sequence[Mapping[str, Any]] = ()
    error_message: str | None = None
    """The failure of a web search."""
    refusal: str | None = None
    """What the content filter left: becomes the text, with `finish_reason="content_filter"`."""
    finish_reason: str | None = None
    """None derives it: `tool_calls`, `content_filter`, `length` or `stop`."""
    usage: Mapping[str, Any] | None = None
    """Chat-completions shape; merged over the counted usage, also one level down."""
    model: str | None = None
    final_text_preview: str | None = None
    """Speech: sent where the request asks for `optimize_text_preview`; derived where None."""
    native_extra: Mapping[str, Any] = field(default_factory=dict)
    """Merged into the choice (`native_finish_reason` of a relay) or the Anthropic-shaped body."""
    chunk_size: int = 8
    """Characters of text and of reasoning per stream event."""
    arguments_size: int = 7
    """Characters of a call's arguments per stream event."""
    audio_size: int = 4801
    """Bytes of audio per stream event: neither whole samples nor a multiple of 3 by default."""
    interval: float = 0.0
    """Seconds between two stream events."""
    usage_on: UsageOn = "last"
    """`last`: its own chunk; `finish`: with `finish_reason`; `every`: cumulative; or `never`."""
    repeat_finish_reason: bool = False
    """Say `finish_reason`, go on with the last piece, and say it again."""
    signature: str = ""
    """Messages protocol: what the thinking is signed with; by MiMo, with nothing."""
    thinking_after_text: bool = False
    """Messages protocol: the thinking block comes after the text block, as Cloudsway does."""
    thinking_in_start: bool = False
    """Messages protocol: `content_block_start` already holds the first piece of thinking."""

    def __post_init__(self) -> None:
        for name in ("chunk_size", "arguments_size", "audio_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        self.calls()

    @property
    def full_text(self) -> str:
        """The text, whichever field it was given in."""
        if self.json is not None:
            return json_module.dumps(self.json, ensure_ascii=False)
        return self.text or self.refusal or ""

    def calls(self) -> list[ToolCall]:
        """The tool calls, normalised."""
        return [ToolCall.of(call) for call in self.tool_calls]

    @classmethod
    def from_completion(cls, body: Mapping[str, Any], **changes: Any) -> Reply:
        """The reply that a recorded chat completion holds, e.g. one of the vendor's samples.

        Args:
            body: the body of a response of `/chat/completions`, not streamed.
            changes: fields of `Reply` that differ from the recorded ones.

        Returns:
            A reply that makes the emulator answer the same.

        Raises:
            KeyError: `body` is not a chat completion.
        """
        choice = body["choices"][0]
        message = choice["message"]
        calls = [
            {"id": call.get("id"), **call["function"]} for call in message.get("tool_calls") or ()
        ]
        known: dict[str, Any] = {
            "text": message.get("content") or "",
            "reasoning": message.get("reasoning_content"),
            "tool_calls": calls,
            "annotations": message.get("annotations") or (),
            "error_message": message.get("error_message"),
            "finish_reason": choice.get("finish_reason"),
            "usage": body.get("usage"),
            "model": body.get("model"),
        }
        return cls(**(known | changes))
