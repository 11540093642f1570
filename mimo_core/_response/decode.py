"""From the bytes of one streamed answer to its chunks, with the promises `ChatChunk` makes.

Pure: the clients feed what they read and pass on what they get.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import from_json

from mimo_core._response.accumulate import (
    Accumulator,
    ContradictionError,
    chunk_from,
    empty_response,
    response_from,
)
from mimo_core._response.calls import CallNumbering
from mimo_core._response.gate import check_choice, readable_usage
from mimo_core._response.reasoning import adopt_reasoning
from mimo_core._response.repair import ToolCallRepair, ToolCallStream
from mimo_core._response.sse import SSEParser
from mimo_core.errors import InvalidResponseError, MiMoError, StreamInterruptedError
from mimo_core.types import CUT_REASONS, ChatChunk, ChatResponse, ChunkChoice, Message, Usage

if TYPE_CHECKING:
    from mimo_core._protocols import Translate

_DONE = b"[DONE]"
ErrorEvent = Callable[[dict[str, Any]], MiMoError]
"""Makes the error for an `{"error": …}` event."""


def parse_json(payload: bytes) -> Any:
    """JSON, fast; and what the fast parser refuses (lone surrogates), slowly.

    Raises `ValueError` on anything else, and on more than 200 brackets within each other, which no
    honest answer has.
    """
    try:
        return from_json(payload)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise
    try:
        parsed = json.loads(payload)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _is_deeper_than(parsed, _MAX_DEPTH):
        raise ValueError("nested too deeply")
    return parsed


def _is_deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


_MAX_DEPTH = 200  # the fast parser's own limit


class Stage(Enum):
    """How far the reading of one answer has come."""

    WAITING = auto()
    """Nothing has been given out: the request can be sent again."""
    STARTED = auto()
    COMPLETE = auto()
    """The last chunk has been given out."""
    FAILED = auto()
    """`close` will raise why."""


# Every event asks for them, and an attribute of an Enum class takes ten times as long to read.
WAITING, STARTED, COMPLETE, FAILED = Stage


class ChunkNormaliser:
    """Turns chunks as backends send them into the ones that `ChatChunk` promises.

    Usage may come on several chunks (cumulative: the last counts) and `finish_reason` may come
    twice; both are held back for one last chunk. It keeps what has arrived, without audio data.
    """

    __slots__ = (
        "_arrived",
        "_choice",
        "_ended_with",
        "_envelope",
        "_finish_reason",
        "_numbering",
        "_repair",
        "_usage",
        "started",
    )

    def __init__(self, repair: ToolCallRepair | None = None) -> None:
        self._repair = ToolCallStream(repair) if repair else None
        self._numbering = CallNumbering()
        self._choice: Any = None  # the index of the one choice, once it is known
        self.started = False
        self._arrived = Accumulator(keep_audio=False)
        self._envelope: Mapping[str, Any] = {}
        self._finish_reason: str | None = None
        self._ended_with: str | None = None
        self._usage: Usage | None = None

    def add(self, chunk: ChatChunk, out: list[ChatChunk]) -> None:
        """Take one chunk off the wire; append to `out` what the caller is to see of it."""
        self._envelope = chunk
        if "usage" in chunk and (usage := readable_usage(chunk.pop("usage"))):
            self._usage = usage
        choices = chunk.get("choices")
        if not choices:
            return
        choice = choices[0]
        if len(choices) > 1:
            chunk["choices"] = [choice]
        delta, reason = choice.get("delta"), choice.get("finish_reason")
        # The usual piece of text needs no look.
        if reason or not delta or len(delta) != 1 or type(delta.get("content")) is not str:
            check_choice(choice, "delta")
        if (number := choice.get("index")) != self._choice:
            self._check_number(number)
        if reason:
            self._end_with(reason)
            choice["finish_reason"] = None
            if not delta or not any(v for k, v in delta.items() if k != "role"):
                return
        if delta is None:
            return
        if "reasoning" in delta or "reasoning_details" in delta:  # 50 ns; most have neither
            choice["delta"] = delta = adopt_reasoning(delta)
        if "tool_calls" in delta and (calls := delta["tool_calls"]):
            delta["tool_calls"] = self._numbering.number(calls)
        if self._repair is not None:
            self._repair.delta(delta)
        self._arrived.add(delta)
        self.started = True
        out.append(chunk)

    def _check_number(self, number: Any) -> None:
        """There is one choice: pieces of a second one would be mixed into its text and calls."""
        if number is None:
            return
        if self._choice is not None:
            raise ContradictionError("it holds a second choice, which was not asked for")
        self._choice = number

    def _end_with(self, reason: str) -> None:
        """Some say twice why an answer ended. That it was cut is never taken back."""
        if reason != "null" and self._finish_reason not in CUT_REASONS:
            self._finish_reason = reason

    def end(self, *, said: bool) -> list[ChatChunk]:
        """The chunks that end the answer.

        Args:
            said: whether the wire said that this is the end (`[DONE]`, `message_stop`), or the body
                just ended. Only then can a call without arguments be one that takes none.

        Raises:
            StreamInterruptedError: no finish reason has come.
        """
        if self._finish_reason is None:
            raise self.interrupted("it ended without a finish reason")
        chunks = []
        rest: Message = {}
        if self._repair is not None:
            ended_with = self._finish_reason if said else None
            rest = self._repair.rest(ended_with, self._numbering.doubtful)
        if rest:
            self._arrived.add(rest)
            chunks.append(self._chunk(rest, None))
        if rest.get("tool_calls") and self._finish_reason == "stop":
            self._finish_reason = "tool_calls"
        self._ended_with = self._finish_reason
        last = self._chunk({}, self._finish_reason)
        last["usage"] = self._usage
        return [*chunks, last]

    def _chunk(self, delta: Message, finish_reason: str | None) -> ChatChunk:
        choice: ChunkChoice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return cast("ChatChunk", {**self._envelope, "choices": [choice]})

    def interrupted(self, reason: str) -> StreamInterruptedError:
        """The error for a stream that broke, with what had arrived."""
        if not self.started:
            return StreamInterruptedError(
                f"The stream held no answer: {reason}. Send the request again."
            )
        return StreamInterruptedError(
            f"The stream broke before the answer was complete: {reason}. Send the request again.",
            partial=self.partial(),
        )

    def partial(self) -> ChatResponse:
        """What has arrived, when nothing more will."""
        if self._repair is not None:
            self._arrived.add(self._repair.rest(None, frozenset()))
        return self.response()

    def response(self) -> ChatResponse:
        """The answer so far; its `finish_reason` is None until `end` has given the last chunk."""
        envelope = {k: v for k, v in self._envelope.items() if k not in ("choices", "usage")}
        return response_from(self._arrived.message(), self._ended_with, self._usage, envelope)


def as_chunks(response: ChatResponse) -> list[ChatChunk]:
    """A whole response as the chunks of a stream, with the same promises."""
    normaliser = ChunkNormaliser()
    chunks: list[ChatChunk] = []
    normaliser.add(chunk_from(response), chunks)
    return chunks + normaliser.end(said=True)


class StreamDecoder:
    """Decodes one stream of events: `feed` what was read, `close` at its end.

    A failure inside the stream is raised by `close`, so that what came before it in the same read
    is not lost; the `stage` says then that waiting for more is useless.

    Some gateways answer a streamed request with one bare JSON body under `text/event-stream`
    (seen once: Token Plan, October 2026). It is read as the answer that it is.

    Attributes:
        stage: how far the answer has come.
        trailing: bytes that came after the answer's end; blank ones belong to a stream's format.
    """

    __slots__ = (
        "_bare",
        "_bare_answer",
        "_error_event",
        "_failure",
        "_is_events",
        "_normaliser",
        "_sse",
        "_translate",
        "_whole",
        "stage",
        "trailing",
    )

    def __init__(
        self,
        translate: Translate,
        error_event: ErrorEvent,
        repair: ToolCallRepair | None = None,
        whole: Callable[[bytes], ChatResponse] | None = None,
    ) -> None:
        """
        Args:
            translate: the protocol's translator for the events of one stream.
            error_event: makes the error for an `{"error": …}` event.
            repair: what knows the request's tools, or None where it has none.
            whole: reads a bare JSON body; None where there can be none.
        """
        self._sse = SSEParser()
        self._translate = translate
        self._error_event = error_event
        self._whole = whole
        self._normaliser = ChunkNormaliser(repair)
        self._failure: MiMoError | None = None
        self._is_events = whole is None  # known from the first byte that is not blank
        self._bare: list[bytes] | None = None
        self._bare_answer: ChatResponse | None = None
        self.stage = WAITING
        self.trailing = 0

    def response(self) -> ChatResponse:
        """The answer so far, without audio data."""
        return self._bare_answer or self._normaliser.response()

    def feed(self, data: bytes) -> list[ChatChunk]:
        """The chunks that `data` completes."""
        if self.stage is COMPLETE:
            self.trailing += len(data)
            return []
        if not self._is_events and self._take_bare(data):
            return []
        return self._decode(self._sse.feed(data))

    def close(self) -> list[ChatChunk]:
        """The chunks that were left at the end of the body. Raises what went wrong."""
        if self._bare is not None and self._whole is not None:
            self._bare_answer = self._whole(b"".join(self._bare))
            chunks = as_chunks(self._bare_answer)
        else:
            chunks = self._decode(self._sse.close())
            if self._failure is not None:
                raise self._failure
            if self.stage is not COMPLETE:
                chunks += self._normaliser.end(said=False)
        self.stage = COMPLETE
        return chunks

    def interrupted(self, reason: str) -> StreamInterruptedError:
        """The error for a connection that broke."""
        return self._normaliser.interrupted(reason)

    def _take_bare(self, data: bytes) -> bool:
        """Whether `data` belongs to a bare body, and is kept."""
        if self._bare is None:
            begins = data.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
            if begins != b"{":
                self._is_events = bool(begins)
                return False
            self._bare = []
        self._bare.append(data)
        return True

    def _decode(self, payloads: list[bytes]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        if self.stage is COMPLETE or self.stage is FAILED:
            return chunks
        try:
            for payload in payloads:
                pieces = None if payload == _DONE else self._translate(self._event(payload))
                if pieces is None:
                    chunks += self._normaliser.end(said=True)
                    self.stage = COMPLETE
                    return chunks
                for chunk in pieces:
                    self._normaliser.add(chunk, chunks)
            if chunks:
                self.stage = STARTED
        except MiMoError as error:
            self._fail(error)
        except ContradictionError as error:
            self._fail(self.interrupted(str(error)))
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            self._fail(self.interrupted(f"an event is not a chunk ({error})"))
        return chunks

    def _fail(self, error: MiMoError) -> None:
        if error.partial is None and self._normaliser.started:
            error.partial = self._normaliser.partial()
        self._failure = error
        self.stage = FAILED

    def _event(self, payload: bytes) -> dict[str, Any]:
        try:
            event = parse_json(payload)
        except ValueError:
            event = None
        if type(event) is not dict:
            shown = payload[:80].decode("utf-8", "replace")
            raise self.interrupted(f"an event is not JSON ({shown!r})")
        if event.get("error"):
            raise self._error_event(event)
        return event


class BodyDecoder:
    """The decoder for an answer that is not an event stream: a refusal, a page, a whole answer.

    It has `StreamDecoder`'s interface, so that the clients need not know which one they feed.
    """

    __slots__ = ("_answer", "_body", "_response", "stage", "trailing")

    def __init__(self, answer: Callable[[bytes], ChatResponse]) -> None:
        self._answer = answer
        self._body: list[bytes] = []
        self._response: ChatResponse | None = None
        self.stage = WAITING
        self.trailing = 0

    def response(self) -> ChatResponse:
        """The answer; an empty one until the body has been read."""
        return self._response or empty_response()

    def feed(self, data: bytes) -> list[ChatChunk]:
        self._body.append(data)
        return []

    def close(self) -> list[ChatChunk]:
        """The answer as chunks. Raises the error that the body means."""
        self._response = self._answer(b"".join(self._body))
        self.stage = COMPLETE
        return as_chunks(self._response)

    def interrupted(self, reason: str) -> MiMoError:
        return InvalidResponseError(f"The answer broke off: {reason}. Send the request again.")
