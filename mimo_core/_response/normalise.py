"""Chunks as servers send them, turned into the ones that `ChatChunk` promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mimo_core._response.accumulate import (
    Accumulator,
    ContradictionError,
    chunk_from,
    response_from,
)
from mimo_core._response.calls import CallNumbering, unreadable_arguments
from mimo_core._response.ending import ending_problem, reason_said, says_something
from mimo_core._response.gate import check_choice, check_no_choices, readable_usage
from mimo_core._response.letters import LetterJoiner
from mimo_core._response.reasoning import adopt_reasoning
from mimo_core._response.repair import ToolCallRepair, ToolCallStream
from mimo_core.errors import StreamInterruptedError
from mimo_core.types import COMPLETE_REASONS, ChatChunk, ChatResponse, ChunkChoice, Message, Usage


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
        "_goes_on",
        "_letters",
        "_numbering",
        "_opened_with",
        "_repair",
        "_usage",
        "started",
    )

    def __init__(self, repair: ToolCallRepair | None = None) -> None:
        self._repair = ToolCallStream(repair) if repair else None
        self._numbering = CallNumbering()
        self._letters: LetterJoiner | None = None  # where there were halves of letters
        self._choice: Any = None  # the index of the one choice, once it is known
        self.started = False
        self._arrived = Accumulator(keep_audio=False)
        self._envelope: Mapping[str, Any] = {}
        self._opened_with: dict[str, Any] = {}  # id and model: some leave them out at the end
        self._finish_reason: str | None = None
        self._goes_on = False  # after the finish reason
        self._ended_with: str | None = None
        self._usage: Usage | None = None

    def add(self, chunk: ChatChunk, out: list[ChatChunk]) -> None:
        """Take one chunk off the wire; append to `out` what the caller is to see of it."""
        if not self._envelope:
            self._opened_with = {k: v for k, v in chunk.items() if k not in ("choices", "usage")}
        self._envelope = chunk
        if "usage" in chunk and (usage := readable_usage(chunk.pop("usage"))):
            self._usage = usage
        choices = chunk.get("choices")
        if not choices:
            check_no_choices(choices)
            return
        choice = choices[0]
        if len(choices) > 1:
            raise ContradictionError("an event holds two choices, where one was asked for")
        delta, reason = choice.get("delta"), choice.get("finish_reason")
        # `is`: False and 0.0 equal the number 0, and are not what hosts may get
        if (
            reason is None
            and choice.get("index") is self._choice
            and self._finish_reason is None
            and "error" not in choice
            and self._is_usual(delta)
        ):
            self._pass_on(chunk, delta, out)
            return
        check_choice(choice, "delta")
        self._check_number(choice.get("index"))
        if self._finish_reason is not None and says_something(delta):
            self._goes_on = True
        if reason is not None:
            choice["finish_reason"] = None  # some servers send "" with each event
        if reason := reason_said(reason):
            self._end_with(reason)
            if not delta or not any(v for k, v in delta.items() if k != "role"):
                return
        if delta is None:
            return
        if "reasoning" in delta or "reasoning_details" in delta:
            choice["delta"] = delta = adopt_reasoning(delta)
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = self._numbering.number(calls)
        self._pass_on(chunk, delta, out)

    def _is_usual(self, delta: Any) -> bool:
        """Whether this is a piece of text, of reasoning or of a call's arguments, and nothing else:
        the gate need not look at it."""
        if type(delta) is not dict:
            return False
        if len(delta) == 1:
            return (
                type(delta.get("content")) is str
                or type(delta.get("reasoning_content")) is str
                or self._numbering.goes_on(delta)
            )
        # As the service documents it: the other field beside it, and null.
        return (
            len(delta) == 2
            and "content" in delta
            and delta["content"] is None
            and type(delta.get("reasoning_content")) is str
        )

    def expect_halves(self) -> None:
        """From now on, join letters that are cut in two."""
        self._letters = self._letters or LetterJoiner()

    def _pass_on(self, chunk: ChatChunk, delta: Message, out: list[ChatChunk]) -> None:
        if self._letters is not None:
            self._letters.delta(delta)
        if self._repair is not None:
            self._repair.delta(delta)
        self._arrived.add(delta)
        self.started = True
        out.append(chunk)

    def _check_number(self, number: Any) -> None:
        """There is one choice: pieces of a second one would be mixed into its text and calls."""
        if number is None or number == self._choice:
            return
        if self._choice is not None:
            raise ContradictionError("it holds a second choice, which was not asked for")
        self._choice = number

    def _end_with(self, reason: str) -> None:
        """Some say twice why an answer ended. That it is not complete is never taken back."""
        self._goes_on = False
        if self._finish_reason is None or self._finish_reason in COMPLETE_REASONS:
            self._finish_reason = reason

    def end(self, *, said: bool) -> list[ChatChunk]:
        """The chunks that end the answer.

        Args:
            said: whether the wire said that this is the end (`[DONE]`, `message_stop`), or the body
                just ended. Only then can a call without arguments be one that takes none.

        Raises:
            StreamInterruptedError: no finish reason has come, or what ended is not an answer.
        """
        chunks: list[ChatChunk] = []
        self._add_halves(chunks)
        rest: Message = {}
        if self._repair is not None:
            ended_with = self._finish_reason if said else None
            rest = self._repair.rest(ended_with, self._numbering.doubtful)
            self._repair = None  # nothing is held back any more
        if rest:
            self._arrived.add(rest)
            chunks.append(self._chunk(rest, None))
        if problem := self._problem():
            raise self.interrupted(problem)
        if rest.get("tool_calls") and self._finish_reason == "stop":
            self._finish_reason = "tool_calls"
        self._ended_with = self._finish_reason
        last = self._chunk({}, self._finish_reason)
        last["usage"] = self._usage
        return [*chunks, last]

    def _problem(self) -> str | None:
        """Why what has arrived is no complete answer; None where it is."""
        if problem := ending_problem(self._finish_reason, self._arrived.message):
            return problem
        if self._goes_on:
            return "it goes on after its finish reason, and does not say it again"
        for call in self._arrived.calls():
            arguments = (call.get("function") or {}).get("arguments") or ""
            if problem := unreadable_arguments(arguments):
                return f"the arguments of a call {problem}"
        return None

    def _chunk(self, delta: Message, finish_reason: str | None) -> ChatChunk:
        choice: ChunkChoice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return cast("ChatChunk", {**self._opened_with, **self._envelope, "choices": [choice]})

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
        self._add_halves([])
        if self._repair is not None:
            self._arrived.add(self._repair.rest(None, frozenset()))
        return self.response()

    def _add_halves(self, out: list[ChatChunk]) -> None:
        """What is left of letters that were cut in two and never came whole."""
        if self._letters is not None and (halves := self._letters.rest()):
            self._pass_on(self._chunk(halves, None), halves, out)

    def response(self) -> ChatResponse:
        """The answer so far; its `finish_reason` is None until `end` has given the last chunk."""
        last = {k: v for k, v in self._envelope.items() if k not in ("choices", "usage")}
        envelope = {**self._opened_with, **last}
        return response_from(self._arrived.message(), self._ended_with, self._usage, envelope)


def as_chunks(response: ChatResponse) -> list[ChatChunk]:
    """A whole response as the chunks of a stream, with the same promises."""
    normaliser = ChunkNormaliser()
    chunks: list[ChatChunk] = []
    normaliser.add(chunk_from(response), chunks)
    return chunks + normaliser.end(said=True)
