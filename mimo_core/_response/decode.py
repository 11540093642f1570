"""From the bytes of one streamed answer to its chunks, with the promises `ChatChunk` makes.

Pure: the clients feed what they read and pass on what they get.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import from_json

from mimo_core._response.accumulate import ContradictionError
from mimo_core._response.calls import MAX_DEPTH
from mimo_core._response.gate import says_failure
from mimo_core._response.normalise import ChunkNormaliser, as_chunks
from mimo_core._response.repair import ToolCallRepair
from mimo_core._response.sse import EventTooLargeError, SSEParser
from mimo_core._response.stage import COMPLETE, FAILED, STARTED, WAITING
from mimo_core.errors import MiMoError, StreamInterruptedError
from mimo_core.limits import Limits, size_text
from mimo_core.types import ChatChunk, ChatResponse

if TYPE_CHECKING:
    from mimo_core._protocols import Translate

_DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"
_LIMITS = Limits()
ErrorEvent = Callable[[dict[str, Any]], MiMoError]
"""Makes the error for an `{"error": …}` event."""


class TooDeepError(ValueError):
    """More brackets within each other than any honest answer has."""

    def __init__(self) -> None:
        super().__init__(f"nested deeper than {MAX_DEPTH}")


def parse_json(payload: bytes) -> Any:
    """JSON, fast; and what the fast parser refuses (lone surrogates), slowly.

    Raises:
        TooDeepError: there are more than 200 brackets within each other.
        ValueError: it is not JSON.
    """
    try:
        return from_json(payload)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise TooDeepError from error
    try:
        parsed = json.loads(payload)
    except RecursionError as error:
        raise TooDeepError from error
    if _is_deeper_than(parsed, MAX_DEPTH):
        raise TooDeepError
    return parsed


def _is_deeper_than(value: Any, depth: int) -> bool:
    """Whether a value holds lists and objects within each other that deep. Nothing is copied."""
    open_: list[Iterator[Any]] = [iter((value,))]
    while open_:
        for inner in open_[-1]:
            if isinstance(inner, dict | list) and inner:
                if len(open_) > depth:
                    return True
                open_.append(iter(inner.values() if isinstance(inner, dict) else inner))
                break
        else:
            open_.pop()
    return False


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
        "_limits",
        "_normaliser",
        "_opening",
        "_size",
        "_sse",
        "_translate",
        "_whole",
        "stage",
        "trailing",
    )

    def __init__(
        self,
        translate: Translate | None,
        error_event: ErrorEvent,
        repair: ToolCallRepair | None = None,
        whole: Callable[[bytes], ChatResponse] | None = None,
        limits: Limits = _LIMITS,
    ) -> None:
        """
        Args:
            translate: the protocol's translator for the events of one stream; None where an
                event is a chunk as it stands.
            error_event: makes the error for an `{"error": …}` event.
            repair: what knows the request's tools, or None where it has none.
            whole: reads a bare JSON body; None where there can be none.
            limits: the most that is read.
        """
        self._limits = limits
        self._size = 0  # bytes that have come
        self._sse = SSEParser(limits.event)
        self._translate = translate
        self._error_event = error_event
        self._whole = whole
        self._normaliser = ChunkNormaliser(repair)
        self._failure: MiMoError | None = None
        self._is_events = whole is None  # known from the first byte that is not blank
        self._bare: list[bytes] | None = None
        self._opening = b""  # what came before it was known what it is
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
        self._size += len(data)
        if self._size > self._limits.answer:
            self._stop_at("the answer", "answer")
            return []
        if not self._is_events and self._take_bare(data):
            return []
        try:
            return self._decode(self._sse.feed(data))
        except EventTooLargeError:
            self._stop_at("an event", "event")
            return []

    def _stop_at(self, what: str, limit: str) -> None:
        """Fail because more than a limit has come."""
        size = size_text(getattr(self._limits, limit))
        self._bare = None
        self._fail(self.interrupted(f"{what} is larger than {size} (limits: {limit})"))

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
        if self._bare is not None:
            self._bare.append(data)
            return True
        self._opening += data
        begins = self._opening.removeprefix(_BOM).lstrip(b" \t\r\n")
        if _BOM.startswith(self._opening):
            return False  # not known yet
        if not begins:
            self._opening = b" "  # blanks: one stands for all of them
            return False
        if begins[:1] == b"{":
            self._bare = [begins]
            return True
        self._is_events = True
        return False

    def _decode(self, payloads: list[bytes]) -> list[ChatChunk]:
        chunks: list[ChatChunk] = []
        if self.stage is COMPLETE or self.stage is FAILED:
            return chunks
        add, translate = self._normaliser.add, self._translate
        try:
            for payload in payloads:
                if payload == _DONE:
                    return self._complete(chunks)
                event = self._event(payload)
                if translate is None:
                    if not event.get("choices") and says_failure(event):
                        raise self._error_event(event)
                    add(cast("ChatChunk", event), chunks)
                    continue
                pieces = translate(event)
                if pieces is None:
                    return self._complete(chunks)
                if not pieces and says_failure(event):
                    raise self._error_event(event)
                for chunk in pieces:
                    add(chunk, chunks)
            if chunks:
                self.stage = STARTED
        except MiMoError as error:
            self._fail(error)
        except ContradictionError as error:
            self._fail(self.interrupted(str(error)))
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            self._fail(self.interrupted(f"an event is not a chunk ({error})"))
        return chunks

    def _complete(self, chunks: list[ChatChunk]) -> list[ChatChunk]:
        chunks += self._normaliser.end(said=True)
        self.stage = COMPLETE
        return chunks

    def _fail(self, error: MiMoError) -> None:
        if error.partial is None and self._normaliser.started:
            error.partial = self._normaliser.partial()
        self._failure = error
        self.stage = FAILED

    def _event(self, payload: bytes) -> dict[str, Any]:
        try:
            event = from_json(payload)  # and slowly what this one refuses
        except ValueError:
            event = self._slowly(payload)
        if type(event) is not dict:
            shown = payload[:80].decode("utf-8", "replace")
            raise self.interrupted(f"an event is not JSON ({shown!r})")
        if event.get("error"):
            raise self._error_event(event)
        return event

    def _slowly(self, payload: bytes) -> Any:
        """What the fast parser refused; None where it is not JSON."""
        self._normaliser.expect_halves()
        try:
            return parse_json(payload)
        except TooDeepError as error:
            raise self.interrupted(f"an event is {error}") from error
        except ValueError:
            return None
