"""Translates answers to llm's stream events, for the synchronous and the asynchronous models."""

from __future__ import annotations

import inspect
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import llm
from llm.parts import StreamEvent
from llm.utils import simplify_usage_dict

from llm_mimo.errors import ModelError
from llm_mimo.messages import kept_beside_reasoning
from llm_mimo.notes import after_answer, cut_reason, in_terminal, note_after_answer
from llm_mimo.web_search import search_events, source_list
from mimo_core.checks import Attempts, call_problem
from mimo_core.models import ModelInfo
from mimo_core.notices import empty_reason, thought_anyway
from mimo_core.types import CUT_REASONS, ChatChunk, ChatResponse, Message, ToolCall

_USAGE_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")


class StreamReader:
    """Reads one answer: `feed` its chunks, then `finish`.

    Attributes:
        sources: what the web search found so far.
    """

    def __init__(self, *, hold_text: bool = False) -> None:
        """
        Args:
            hold_text: make no events of the text: the whole answer is to be checked first.
        """
        self._hold_text = hold_text
        self._answer: ChatResponse | None = None
        self._call_ids: dict[int, str] = {}
        self._named_calls: set[int] = set()
        self._unreported: list[dict[str, Any]] = []  # sources that are in no event yet
        self.sources: list[dict[str, Any]] = []

    def feed(self, chunk: ChatChunk) -> list[StreamEvent]:
        """Read one chunk.

        Args:
            chunk: of the answer.

        Returns:
            Its events.
        """
        delta = chunk["choices"][0]["delta"]
        events: list[StreamEvent] = []
        if sources := delta.get("annotations"):
            self._unreported.extend(sources)
            self.sources.extend(sources)
        if reasoning := delta.get("reasoning_content"):
            events.append(StreamEvent(type="reasoning", chunk=reasoning))
        if (text := delta.get("content")) and not self._hold_text:
            events.extend(self._search_events())
            events.append(self.text_event(text))
        for call in delta.get("tool_calls") or ():
            events.extend(self._call_events(call))
        return events

    def finish(self, answer: ChatResponse) -> list[StreamEvent]:
        """Read the end of the answer.

        Args:
            answer: the whole answer.

        Returns:
            The events that the chunks could not know yet.
        """
        self._answer = answer
        events = self._search_events()
        if beside := kept_beside_reasoning(self.message):  # to be sent back
            metadata = {"mimo": beside}
            events.append(StreamEvent(type="reasoning", chunk="", provider_metadata=metadata))
        return events

    def text_event(self, text: str) -> StreamEvent:
        """The event of a piece of text, with the sources it cites.

        Args:
            text: the piece.
        """
        metadata = {"mimo": {"annotations": self.sources}} if self.sources else None
        return StreamEvent(type="text", chunk=text, provider_metadata=metadata)

    @property
    def text(self) -> str:
        """The whole text; empty before `finish`."""
        return self.message.get("content") or ""

    @property
    def message(self) -> Message:
        """The whole message; empty before `finish`."""
        return self._answer["choices"][0]["message"] if self._answer else {}

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended; None before `finish`."""
        return self._answer["choices"][0].get("finish_reason") if self._answer else None

    def tool_calls(self, tools: Mapping[str, llm.Tool]) -> list[llm.ToolCall]:
        """The tool calls of the finished answer, for llm to run.

        An incomplete call is never run. If the model wrote the arguments wrongly and the tool is
        sure to refuse one named `_raw`, the tool gets them as `_raw`: the model then reads the
        tool's error and can call again.

        Args:
            tools: the tools that the request offered, by name.

        Returns:
            The calls in the order of the answer, with the ids of their events.

        Raises:
            llm.ModelError: a call is incomplete or wrong, and cannot be handed to its tool.
        """
        calls = []
        for id, call in zip(
            self._call_ids.values(), self.message.get("tool_calls") or (), strict=True
        ):
            name, text = call["function"].get("name") or "", call["function"].get("arguments") or ""
            problem = call_problem(call)
            if problem is None:
                arguments = json.loads(text, strict=False)
            elif self.finish_reason in CUT_REASONS or _accepts_raw(tools.get(name)):
                raise ModelError(self._why_not_run(name, problem))
            else:
                arguments = {"_raw": text}
            calls.append(llm.ToolCall(name=name, arguments=arguments, tool_call_id=id))
        return calls

    def _why_not_run(self, name: str, problem: str) -> str:
        if self.finish_reason == "length":
            return (
                f"The answer was cut at the limit of tokens in the middle of a call of {name!r}, "
                "which was not run. Raise it with -o max_tokens."
            )
        cut = cut_reason(self.finish_reason)
        return f"The call of {name!r} was not run: {problem}. {cut or 'Ask again.'}"

    def _search_events(self) -> list[StreamEvent]:
        error = self.message.get("error_message")  # known at the end only
        if not self._unreported and not error:
            return []
        sources, self._unreported = self._unreported, []
        return search_events(sources, error, f"search_{uuid.uuid4().hex}")

    def _call_events(self, call: ToolCall) -> Iterator[StreamEvent]:
        index = call["index"]  # the core sets it
        function = call.get("function") or {}
        if index not in self._call_ids:
            self._call_ids[index] = call.get("id") or f"call_{uuid.uuid4().hex}"
        id = self._call_ids[index]
        name = function.get("name")
        if name and index not in self._named_calls:  # some servers repeat the name in every piece
            self._named_calls.add(index)
            yield StreamEvent(type="tool_call_name", chunk=name, tool_call_id=id)
        if piece := function.get("arguments"):
            yield StreamEvent(type="tool_call_args", chunk=piece, tool_call_id=id)


class Turn:
    """One prompt: its requests, and what llm gets of their answers.

    A model's `execute` sends `request` until it is None, passes every chunk to `feed`, and each
    whole answer to `end`. A second request follows only if an answer does not fit the schema.

    Attributes:
        request: what to send next; None after the last answer.
    """

    def __init__(
        self, attempts: Attempts, response: Any, tools: Iterable[llm.Tool], info: ModelInfo
    ) -> None:
        """
        Args:
            attempts: the first request, and the output check that the prompt's schema asks for.
            response: llm's response, sync or async; gets the tool calls and the log's record.
            tools: the tools that llm runs.
            info: the model.
        """
        self.request: dict[str, Any] | None = attempts.request
        self._attempts = attempts
        self._response = response
        self._tools = {tool.name: tool for tool in tools}
        first = attempts.request
        self._thinks = info.thinks(first.get("thinking"), first.get("reasoning_effort"))
        self._last_event: StreamEvent | None = None
        self._reader = self._new_reader()

    def feed(self, chunk: ChatChunk) -> list[StreamEvent]:
        """Read one chunk of the answer to `request`.

        Args:
            chunk: of the answer.

        Returns:
            Its events.
        """
        return self._remember(self._reader.feed(chunk))

    def end(self, answer: ChatResponse) -> list[StreamEvent]:
        """Accept an answer, or set `request` to ask again.

        Args:
            answer: the whole answer to `request`.

        Returns:
            The events at its end.

        Raises:
            llm.ModelError: the last answer does not fit the prompt's schema, or one of its tool
                calls cannot be run.
        """
        reader = self._reader
        self.request = None
        events = reader.finish(answer)
        calls = reader.tool_calls(self._tools)
        accepted = self._accepts(answer)
        if not accepted:
            self.request = self._attempts.request
            self._reader = self._new_reader()
            self._remember(events)
            return events + self.end_line()
        if self._attempts.check is not None and reader.text:
            text = reader.text if calls else _json_only(reader.text)
            events.append(reader.text_event(text))
        for call in calls:
            self._response.add_tool_call(call)
        self._remember(events)
        self._add_notes()
        return events

    def end_line(self) -> list[StreamEvent]:
        """End the line that the user sees, where the answer breaks off.

        Returns:
            A line break, or nothing if the line has ended.
        """
        last = self._last_event
        if last is None or last.type not in ("text", "reasoning") or last.chunk.endswith("\n"):
            return []
        return self._remember([StreamEvent(type=last.type, chunk="\n")])

    def _accepts(self, answer: ChatResponse) -> bool:
        from mimo_core.errors import ContentFilterError, OutputCheckError

        try:
            return self._attempts.accepts(answer)
        except (OutputCheckError, ContentFilterError) as error:
            if self._reader.finish_reason in CUT_REASONS:
                raise ModelError(
                    f"The answer has no JSON for the schema: {self._why_incomplete()}"
                ) from error
            problem = getattr(error, "problem", "")
            raise ModelError(
                f"The answer does not fit the schema, twice: {problem}. "
                "Simplify the schema, or describe in the prompt what each field should hold."
            ) from error
        finally:
            usage = self._attempts.usage or None
            log_answer(self._response, dict(answer) | {"usage": usage})

    def _remember(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Remember what the user sees last: llm does not end the line after reasoning."""
        if events:
            self._last_event = events[-1]
        return events

    def _new_reader(self) -> StreamReader:
        return StreamReader(hold_text=self._attempts.check is not None)

    def _add_notes(self) -> None:
        reader = self._reader
        if reason := self._why_incomplete():
            last = self._last_event
            note_after_answer(reason, newline=last is not None and last.type == "reasoning")
        if thought_anyway(self._attempts.request, reader.message):
            note_after_answer(
                "the model thought although thinking was turned off: the server does not read "
                "the field that was sent. Say of which kind it is: "
                "MIMO_BASE_URL=openrouter+https://…, ollama+…, xiaomi+…."
            )
        if error := reader.message.get("error_message"):
            note_after_answer(f"the web search failed: {error}")
        if reader.sources and in_terminal():
            after_answer("\n" + source_list(reader.sources))

    def _why_incomplete(self) -> str:
        """Why the answer is cut or empty, and what to do; an empty text if it is complete."""
        empty = empty_reason(self._reader.message, self._reader.finish_reason)
        if empty == "budget" and self._thinks:
            return (
                "thinking used up the limit of tokens before the answer began; "
                "raise it with -o max_tokens, or set -o thinking false."
            )
        if empty == "only_reasoning":
            return (
                "the model only thought and did not answer; ask again, or set -o thinking false. "
                "(A server of your own may take answers for thinking: check its reasoning parser.)"
            )
        return cut_reason(self._reader.finish_reason)


def _accepts_raw(tool: llm.Tool | None) -> bool:
    """Whether a tool can be called with the one argument `_raw`."""
    if tool is None or tool.implementation is None:
        return False
    try:
        inspect.signature(tool.implementation).bind(_raw="")
    except TypeError:
        return False
    except ValueError:  # a function without a signature, as some built-in ones are
        return True
    return True


def log_answer(response: Any, record: dict[str, Any]) -> None:
    """Store an answer in llm's log: the record, the usage, and the model that served it.

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
    """The JSON of a valid answer, without the code fence that the model may have put around it."""
    from mimo_core.schemas import parse_object

    try:
        json.loads(text)
    except ValueError:
        return json.dumps(parse_object(text), ensure_ascii=False, indent=2)
    return text.strip()
