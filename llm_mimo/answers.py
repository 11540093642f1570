"""From answers to llm's stream events: shared by the synchronous and the asynchronous models."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import llm
from llm.parts import StreamEvent
from llm.utils import simplify_usage_dict

from llm_mimo.notes import after_answer, in_terminal, note_after_answer
from llm_mimo.web_search import search_events, source_list
from mimo_core.response import Accumulator, response_from

if TYPE_CHECKING:
    from mimo_core.response import ChatChunk, Message

_USAGE_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")


class StreamReader:
    """Reads one answer: `feed` its chunks, then `finish`.

    With `hold_text` the text is not given out but kept in `text`, for an answer that has to be
    checked first.
    """

    def __init__(self, *, hold_text: bool = False) -> None:
        self._folded = Accumulator(keep_audio=False)
        self._hold_text = hold_text
        self._envelope: dict[str, Any] = {}
        self._message: Message = {}
        self._call_ids: dict[int, str] = {}
        self._named: set[int] = set()
        self._unsaid: list[dict[str, Any]] = []  # sources that no event has reported yet
        self._last_event: StreamEvent | None = None
        self.sources: list[dict[str, Any]] = []
        self.finish_reason: str | None = None
        self.usage: dict[str, Any] = {}

    def feed(self, chunk: ChatChunk) -> list[StreamEvent]:
        """The events of one chunk."""
        self._envelope = chunk  # type: ignore[assignment]
        choice = chunk["choices"][0]
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        self.usage = chunk.get("usage") or self.usage  # type: ignore[assignment]
        delta = choice["delta"]
        self._folded.add(delta)
        events: list[StreamEvent] = []
        if sources := delta.get("annotations"):
            self._unsaid.extend(sources)
            self.sources.extend(sources)
        if reasoning := delta.get("reasoning_content"):
            events.append(StreamEvent(type="reasoning", chunk=reasoning))
        if (text := delta.get("content")) and not self._hold_text:
            events.extend(self._search())
            events.append(self.text_event(text))
        for call in delta.get("tool_calls") or ():
            events.extend(self._call_events(call))  # type: ignore[arg-type]
        if events:
            self._last_event = events[-1]
        return events

    def finish(self) -> list[StreamEvent]:
        """The events that are left at the end of the answer."""
        self._message = self._folded.message()
        events = self._search()
        if signature := self._message.get("reasoning_signature"):
            metadata = {"mimo": {"signature": signature}}  # belongs into the history
            events.append(StreamEvent(type="reasoning", chunk="", provider_metadata=metadata))
        return events

    def text_event(self, text: str) -> StreamEvent:
        """A piece of the answer's text, with the sources it cites."""
        metadata = {"mimo": {"annotations": self.sources}} if self.sources else None
        return StreamEvent(type="text", chunk=text, provider_metadata=metadata)

    def line_end(self) -> list[StreamEvent]:
        """What ends the line where the answer breaks off."""
        last = self._last_event
        if last is None or last.type not in ("text", "reasoning") or last.chunk.endswith("\n"):
            return []
        return [StreamEvent(type=last.type, chunk="\n")]

    @property
    def ends_thinking(self) -> bool:
        """Whether it ended while it thought: llm then leaves the line on stderr open."""
        return self._last_event is not None and self._last_event.type == "reasoning"

    @property
    def text(self) -> str:
        """The whole text; known once finished."""
        return self._message.get("content") or ""

    @property
    def message(self) -> dict[str, Any]:
        """The whole message, as the next request repeats it; known once finished."""
        return dict(self._message)

    def tool_calls(self) -> list[llm.ToolCall]:
        """The calls, for llm to run; their ids are those of the events.

        Arguments that are not an object go to the tool as `_raw`: it refuses them, and the model
        reads why and can call again.

        Raises:
            llm.ModelError: a limit cut the answer in the middle of a call.
        """
        calls = []
        for id, call in zip(
            self._call_ids.values(), self._message.get("tool_calls") or (), strict=True
        ):
            name, text = call["function"]["name"] or "", call["function"]["arguments"] or "{}"
            try:
                arguments = json.loads(text)
            except ValueError:
                arguments = None
            if not isinstance(arguments, dict):
                if self.finish_reason == "length":
                    raise llm.ModelError(
                        f"The answer was cut at the limit of tokens in the middle of a call of "
                        f"{name!r}. Raise it with -o max_tokens."
                    )
                arguments = {"_raw": text}
            calls.append(llm.ToolCall(name=name, arguments=arguments, tool_call_id=id))
        return calls

    def record(self) -> dict[str, Any]:
        """The answer for the log, without its usage."""
        envelope = {key: value for key, value in self._envelope.items() if key != "choices"}
        return dict(response_from(self._message, self.finish_reason, None, envelope))

    def _search(self) -> list[StreamEvent]:
        error = self._message.get("error_message")  # known at the end only
        if not self._unsaid and not error:
            return []
        said, self._unsaid = self._unsaid, []
        return search_events(said, error, f"search_{uuid.uuid4().hex}")

    def _call_events(self, call: dict[str, Any]) -> Iterator[StreamEvent]:
        index = call.get("index")
        if index is None:  # as Accumulator tells the calls of such relays apart
            index = len(self._call_ids) if call.get("id") else max(len(self._call_ids) - 1, 0)
        function = call.get("function") or {}
        if index not in self._call_ids:
            self._call_ids[index] = call.get("id") or f"call_{uuid.uuid4().hex}"
        id = self._call_ids[index]
        if function.get("name") and index not in self._named:  # some repeat it on every piece
            self._named.add(index)
            yield StreamEvent(type="tool_call_name", chunk=function["name"], tool_call_id=id)
        if piece := function.get("arguments"):
            yield StreamEvent(type="tool_call_args", chunk=piece, tool_call_id=id)


class Turn:
    """One prompt: the request to send next, and what becomes of its answer.

    A model's `execute` sends `request` until it is None, feeds every chunk, and calls `end` after
    each answer. There is a second request only where an answer misses the prompt's schema.
    """

    def __init__(
        self,
        request: dict[str, Any],
        schema: dict[str, Any] | None,
        response: Any,
        *,
        think_hint: bool,
    ) -> None:
        """
        Args:
            request: the first request.
            schema: what a final answer must be valid against, or None.
            response: llm's response, sync or async.
            think_hint: whether the model thinks, so that turning it off may be advised.
        """
        self.request: dict[str, Any] | None = request
        self._response = response
        self._think_hint = think_hint
        self._schema = schema
        self._attempts_left = 2 if self._schema else 1
        self._usage: dict[str, Any] = {}
        self._reader = self._new_reader()

    def feed(self, chunk: ChatChunk) -> list[StreamEvent]:
        """The events of one chunk."""
        return self._reader.feed(chunk)

    def end(self) -> list[StreamEvent]:
        """The events at the end of an answer; sets `request`.

        Raises:
            llm.ModelError: the answer is not what the prompt's schema asks for.
        """
        reader, request = self._reader, self.request
        assert request is not None
        self.request = None
        events = reader.finish()
        self._usage = _sum(self._usage, reader.usage)
        self._attempts_left -= 1
        calls = reader.tool_calls()
        log_answer(self._response, reader.record() | {"usage": self._usage or None})
        if self._schema is not None:
            if calls:
                events += [reader.text_event(reader.text)] if reader.text else []
            elif problem := self._problem():
                self._retry(request, problem)
                return events + reader.line_end()
            else:
                events.append(reader.text_event(_json_only(reader.text)))
        for call in calls:
            self._response.add_tool_call(call)
        self._notes()
        return events

    def interrupted(self) -> list[StreamEvent]:
        """What ends the line before an error is shown."""
        return self._reader.line_end()

    def _new_reader(self) -> StreamReader:
        return StreamReader(hold_text=self._schema is not None)

    def _problem(self) -> str | None:
        """What is wrong with the answer under the prompt's schema."""
        from mimo_core.structured import parse_object, violation

        reason = self._reader.finish_reason
        if reason in ("length", "repetition_truncation", "content_filter"):
            raise llm.ModelError(f"No JSON to the schema: {self._cut(reason)}")
        assert self._schema is not None
        try:
            value = parse_object(self._reader.text)
        except ValueError as error:
            return str(error)
        return violation(value, self._schema)

    def _retry(self, request: dict[str, Any], problem: str) -> None:
        from mimo_core.structured import correction

        if not self._attempts_left:
            raise llm.ModelError(
                f"The answer does not fit the schema, twice: {problem}. "
                "Simplify the schema, or say more in the prompt about what belongs into it."
            )
        self.request = request | {
            "messages": [
                *request["messages"],
                self._reader.message,
                {"role": "user", "content": correction(problem)},
            ]
        }
        self._reader = self._new_reader()

    def _notes(self) -> None:
        reader = self._reader
        if reason := self._cut(reader.finish_reason):
            note_after_answer(reason, newline=reader.ends_thinking)
        if error := reader.message.get("error_message"):
            note_after_answer(f"the web search failed: {error}")
        if reader.sources and in_terminal():
            after_answer(f"\n{source_list(reader.sources)}")

    def _cut(self, finish_reason: str | None) -> str:
        """Why an answer is not whole; empty where it is."""
        if finish_reason == "length":
            advice = "raise it with -o max_tokens"
            if self._reader.text or not self._think_hint:
                return f"the answer was cut at the limit of tokens; {advice}."
            return (
                "thinking used up the limit of tokens before the answer began; "
                f"{advice}, or set -o thinking false."
            )
        if finish_reason == "repetition_truncation":
            return "the service cut the answer because it repeated itself; ask again or rephrase."
        if finish_reason == "content_filter":
            return "the service's content filter cut the answer; rephrase the prompt."
        if finish_reason == "stop" and self._reader.ends_thinking:
            return "the model only thought, and answered nothing; ask again."
        return ""


def log_answer(response: Any, record: dict[str, Any]) -> None:
    """Log an answer: the record itself, what it used, and the model that served it.

    Args:
        response: llm's response, sync or async.
        record: a chat completion, without audio data.
    """
    response.response_json = record
    usage = record.get("usage") or {}
    details = {key: value for key, value in usage.items() if key not in _USAGE_TOTALS}
    response.set_usage(
        input=usage.get("prompt_tokens"),
        output=usage.get("completion_tokens"),
        details=simplify_usage_dict(details),
    )
    served = record.get("model")
    if served and served != response.model.model_id:
        response.set_resolved_model(served)


def _json_only(text: str) -> str:
    """A valid answer without the fence that the model may have put around it."""
    from mimo_core.structured import parse_object

    try:
        json.loads(text)
    except ValueError:
        return json.dumps(parse_object(text), ensure_ascii=False, indent=2)
    return text.strip()


def _sum(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The usage of two requests together."""
    total = dict(first)
    for key, value in second.items():
        if isinstance(value, dict):
            total[key] = _sum(total.get(key) or {}, value)
        elif isinstance(value, int | float):
            total[key] = (total.get(key) or 0) + value
    return total
