"""A stream folded into the answer that it amounts to."""

from collections.abc import Iterable
from typing import Any, cast

from mimo_core._response.letters import whole
from mimo_core._response.reasoning import joined_details
from mimo_core.audio import joined
from mimo_core.types import ChatChunk, ChatResponse, Choice, FunctionCall, Message, ToolCall, Usage


class ContradictionError(Exception):
    """An event of a stream that contradicts the ones before it; the text says how."""


_TEXT_FIELDS = frozenset({"role", "content", "reasoning_content"})
_LISTS = frozenset({"annotations", "reasoning_details"})  # pieces of them follow each other
_COMMON_FIELDS = _TEXT_FIELDS | {"tool_calls"}
_OWN_PLACE = _COMMON_FIELDS | {"audio", "annotations"}


class Accumulator:
    """Folds deltas into one message. `add` is cheap: pieces are joined only in `message()`."""

    __slots__ = ("_audio", "_calls", "_content", "_fields", "_keep_audio", "_reasoning")

    def __init__(self, *, keep_audio: bool = True) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _CallPieces] = {}
        self._audio: dict[str, Any] | None = None
        self._fields: dict[str, Any] = {}
        self._keep_audio = keep_audio

    def add(self, delta: Message) -> None:
        """Take one more `delta`."""
        if content := delta.get("content"):
            self._content.append(content)
            if len(delta) == 1:
                return  # the usual delta
        if (reasoning := delta.get("reasoning_content")) is not None:
            self._reasoning.append(reasoning)
            if len(delta) == 1 + ("content" in delta):
                return  # the usual delta of a thinking model
        if calls := delta.get("tool_calls"):
            for call in calls:
                self._add_call(call)
            if len(delta) == 1:
                return  # the usual piece of a call
        if not delta.keys() <= _COMMON_FIELDS:
            self._add_others(delta)

    def _add_others(self, delta: Message) -> None:
        if audio := delta.get("audio"):
            self._add_audio(audio)
        for key, value in delta.items():
            if key in _LISTS and isinstance(value, list):
                self._fields.setdefault(key, []).extend(value)
            elif value is not None and key not in _OWN_PLACE:
                self._fields[key] = value

    def message(self) -> Message:
        """Everything so far as one assistant message, without the fields that never came."""
        message: dict[str, Any] = {"role": "assistant", "content": _joined(self._content)}
        if self._reasoning:
            message["reasoning_content"] = _joined(self._reasoning)
        if self._calls:
            message["tool_calls"] = self.calls()
        if self._audio is not None:
            pieces = self._audio.get("data")
            message["audio"] = {**self._audio, "data": joined(pieces)} if pieces else self._audio
        message.update(self._fields)
        if details := message.get("reasoning_details"):
            message["reasoning_details"] = joined_details(details)
        return cast("Message", message)

    def calls(self) -> list[ToolCall]:
        """The calls so far, in the order of their indices."""
        return [call.tool_call() for _, call in sorted(self._calls.items())]

    def _add_call(self, call: ToolCall) -> None:
        index = call.get("index")
        if index is not None and (pieces := self._calls.get(index)) is not None:
            pieces.add(call)
            return
        if index is None:  # some relays send none: a new id opens a call, anything else goes on
            last = max(len(self._calls) - 1, 0)
            known = {None, "", self._calls[last].id} if self._calls else {None, ""}
            index = last if call.get("id") in known else len(self._calls)
        if (pieces := self._calls.get(index)) is None:
            pieces = self._calls[index] = _CallPieces()
        pieces.add(call)

    def _add_audio(self, audio: dict[str, Any]) -> None:
        if self._audio is None:
            self._audio = {}
        for key, value in audio.items():
            if key == "data":
                if value and self._keep_audio:
                    self._audio.setdefault("data", []).append(value)
            elif value is not None or key not in self._audio:
                self._audio[key] = value


class _CallPieces:
    """The pieces of one tool call."""

    __slots__ = ("arguments", "id", "name", "type")

    def __init__(self) -> None:
        self.id: str | None = None
        self.type = "function"
        self.name = ""
        self.arguments: list[str] = []

    def add(self, call: ToolCall) -> None:
        self.id = self.id or call.get("id")
        self.type = call.get("type") or self.type
        function = call.get("function") or {}
        self.name = self.name or function.get("name") or ""
        if piece := function.get("arguments"):
            self.arguments.append(piece)

    def tool_call(self) -> ToolCall:
        function: FunctionCall = {"name": self.name, "arguments": _joined(self.arguments)}
        return {"id": self.id, "type": self.type, "function": function}


def _joined(pieces: list[str]) -> str:
    """The pieces as one text; an emoji that a backend cut into two surrogates is whole again."""
    return whole("".join(pieces))


def collect(chunks: Iterable[ChatChunk]) -> ChatResponse:
    """Fold the chunks of one stream into the response that the same call gives unstreamed.

    Linear in the number of chunks. `finish_reason` is None where `chunks` did not reach the end.
    """
    accumulator = Accumulator()
    add = accumulator.add
    last: ChatChunk = {"choices": []}
    usage: Usage | None = None
    finish_reason: str | None = None
    extra: dict[str, Any] = {}
    for chunk in chunks:
        last = chunk
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or ():
            add(choice.get("delta") or {})
            finish_reason = choice.get("finish_reason") or finish_reason
    extra = {key: value for key, value in last.items() if key not in ("choices", "usage", "object")}
    return response_from(accumulator.message(), finish_reason, usage, extra)


def response_from(
    message: Message, finish_reason: str | None, usage: Usage | None, envelope: dict[str, Any]
) -> ChatResponse:
    """A response around `message`; `envelope` gives `id`, `model`, `created` and what else came."""
    choice: Choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    response = {**envelope, "object": "chat.completion", "choices": [choice], "usage": usage}
    return cast("ChatResponse", response)


def empty_response() -> ChatResponse:
    """The response of which nothing has arrived."""
    return response_from(Accumulator().message(), None, None, {})


def chunk_from(response: ChatResponse) -> ChatChunk:
    """A whole response as one chunk, for a gateway that answers a streaming request unstreamed."""
    choice = response["choices"][0]
    delta: Any = {key: value for key, value in choice["message"].items() if value is not None}
    if calls := delta.get("tool_calls"):  # copies: the response stays as it is
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
    return {
        **response,
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": choice.get("finish_reason")}],
    }
