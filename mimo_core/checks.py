"""Output checks: what an answer must be where the service does not see to it, and how to get it.

MiMo ignores a forced `tool_choice` and `parallel_tool_calls`, and does not enforce a schema
(mimo-api.md, particulars 4 and 7). So a request asks for it in words, the answer is checked here,
and what is missing is asked for again. No I/O: a host sends `Attempts.request` until
`Attempts.accepts` says so.

Checks are frozen and can be pickled, so that they can be part of a model's configuration.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mimo_core.errors import ContentFilterError, OutputCheckError
from mimo_core.schemas import (
    correction,
    parse_object,
    schema_instruction,
    violation,
    with_instruction,
)
from mimo_core.types import CUT_REASONS, ChatResponse, Message, ToolCall

Validate = Callable[[Any], str | None]
"""Says in one line what is wrong with a value; None where nothing is."""

_CUT = {
    "length": "max_tokens was reached, raise it (reasoning counts too) or turn thinking off",
    "repetition_truncation": "the model repeated itself",
}


@dataclass(frozen=True)
class SchemaCheck:
    """A `Validate` for values that have to keep to a JSON Schema.

    A class, not a closure: it can be pickled, and its `repr` is the same in every process.
    """

    json_schema: Mapping[str, Any]

    def __call__(self, value: Any) -> str | None:
        return violation(value, dict(self.json_schema))


@dataclass(frozen=True, kw_only=True)
class OutputCheck(ABC):
    """One thing that an answer must be."""

    streams: bool = True
    """Whether chunks may be given out before the whole answer has been checked."""
    max_attempts: int = 2
    """Requests in all."""
    raises: bool = True
    """Whether an answer that will not do is an error. Else it is accepted, and `Attempts.failure`
    says why it will not do."""

    @abstractmethod
    def instruction(self) -> str:
        """What the request says about it; empty where the request says it already."""

    @abstractmethod
    def problem(self, message: Message, *, was_cut: bool = False) -> str | None:
        """What is wrong with an answer, in one line; None where nothing is.

        Args:
            message: the assistant message.
            was_cut: whether its answer was cut, so that a call in it may not be whole.
        """

    @abstractmethod
    def correction(self, problem: str) -> str:
        """What the next request says after `problem`."""

    @abstractmethod
    def holds_back(self, delta: Message, *, given_out: bool, called: bool) -> bool:
        """Whether a piece of a stream waits, with the pieces before it, for what comes next.

        Another attempt can only follow where nothing was given out: a message would otherwise hold
        pieces of two answers.

        Args:
            delta: the piece.
            given_out: whether earlier pieces were given out.
            called: whether the answer has called a tool so far.
        """


@dataclass(frozen=True, kw_only=True)
class ForcedCall(OutputCheck):
    """The answer must call a tool."""

    name: str | None = None
    """The tool's name; None for any tool."""
    validate: Validate | None = None
    """Checks the arguments. None leaves them to whoever runs the tool."""

    def instruction(self) -> str:
        return f"Answer by calling {self._tool}, not with text."

    def problem(self, message: Message, *, was_cut: bool = False) -> str | None:
        wanted = [call for call in message.get("tool_calls") or () if self._is_wanted(call)]
        if not wanted:
            return f"the answer does not call {self._tool}"
        if self.validate is None and not was_cut:
            return None  # wrong arguments are told to the model by whoever runs the tool
        if (incomplete := call_problem(wanted[0])) is not None:
            return f"{self._tool} was called, but {incomplete}"
        if self.validate is None:
            return None
        return self.validate(json.loads(wanted[0]["function"]["arguments"], strict=False))

    def correction(self, problem: str) -> str:
        return f"That was not what is needed: {problem}. Call {self._tool} now."

    def holds_back(self, delta: Message, *, given_out: bool, called: bool) -> bool:
        calls = delta.get("tool_calls") or ()
        return not given_out and not any(self._is_wanted(call) for call in calls)

    @property
    def _tool(self) -> str:
        return f"the tool {self.name!r}" if self.name else "one of the tools"

    def _is_wanted(self, call: ToolCall) -> bool:
        return self.name in (None, (call.get("function") or {}).get("name"))


@dataclass(frozen=True, kw_only=True)
class JSONObject(OutputCheck):
    """The answer must be a JSON object. An answer that calls tools is still on its way to it."""

    schema: Mapping[str, Any] | None = None
    """The JSON Schema to put into the prompt; None where the prompt has it already."""
    validate: Validate | None = None
    """Checks the parsed object."""

    def instruction(self) -> str:
        return schema_instruction(dict(self.schema)) if self.schema else ""

    def problem(self, message: Message, *, was_cut: bool = False) -> str | None:
        if message.get("tool_calls"):
            return None
        try:
            value = parse_object(message.get("content") or "")
        except ValueError as error:
            return str(error)
        if not isinstance(value, dict):
            return "the answer is JSON, but not an object"
        return self.validate(value) if self.validate else None

    def correction(self, problem: str) -> str:
        return correction(problem)

    def holds_back(self, delta: Message, *, given_out: bool, called: bool) -> bool:
        return not given_out and not called and not delta.get("content")


@dataclass(frozen=True, kw_only=True)
class SingleCall(OutputCheck):
    """The answer must not call more than one tool: what `parallel_tool_calls=False` asks for."""

    other: OutputCheck | None = None
    """What the answer must be besides."""

    _PROBLEM = "the answer calls more than one tool"

    @classmethod
    def beside(cls, other: OutputCheck | None) -> SingleCall:
        """This check beside another one, whose attempts and streaming it takes over."""
        if other is None:
            return cls()
        return cls(
            other=other,
            streams=other.streams,
            max_attempts=other.max_attempts,
            raises=other.raises,
        )

    def instruction(self) -> str:
        asked = "Call at most one tool in an answer, and wait for its result."
        other = self.other.instruction() if self.other else ""
        return f"{other}\n\n{asked}" if other else asked

    def problem(self, message: Message, *, was_cut: bool = False) -> str | None:
        if len(message.get("tool_calls") or ()) > 1:
            return self._PROBLEM
        return self.other.problem(message, was_cut=was_cut) if self.other else None

    def correction(self, problem: str) -> str:
        if self.other is None or problem == self._PROBLEM:
            return f"That was not what is needed: {problem}. Call only the first one now."
        return self.other.correction(problem)

    def holds_back(self, delta: Message, *, given_out: bool, called: bool) -> bool:
        """From the first call on, everything waits; a text before it goes out as it comes."""
        if called:
            return True
        if self.other is not None:
            return self.other.holds_back(delta, given_out=given_out, called=called)
        return not given_out and not delta.get("content")


class Attempts:
    """The requests for one answer, one after the other.

    Attributes:
        request: what to send next.
        check: what the answer must be; None where there is nothing to check.
        usage: of all answers so far, added up.
        failure: why the answer that was accepted will not do, or None where it will.
    """

    def __init__(self, request: dict[str, Any], check: OutputCheck | None) -> None:
        """
        Args:
            request: the first request; it gets the check's instruction.
            check: what the answer must be.
        """
        self.check = check
        self.usage: dict[str, Any] = {}
        self.failure: OutputCheckError | ContentFilterError | None = None
        self._made = 0
        if check is not None and (text := check.instruction()):
            request = {**request, "messages": with_instruction(request["messages"], text)}
        self.request = request

    @property
    def streams(self) -> bool:
        """Whether chunks can be given out as they come."""
        return self.check is None or self.check.streams

    def accepts(self, response: ChatResponse, *, given_out: bool = False) -> bool:
        """Whether an answer will do. If not, `request` is the next one to send.

        Args:
            response: the answer to `request`; it is not changed. `usage` counts it in.
            given_out: whether the caller has seen any of it: then it cannot be taken back.

        Raises:
            ContentFilterError: the content filter withheld the answer.
            OutputCheckError: the last attempt failed too, or the answer was cut.
        """
        self._made += 1
        self.failure = None
        self.usage = add_usage(self.usage, response.get("usage") or {})
        if self.check is None:
            return True
        choice = response["choices"][0]
        finish_reason = choice.get("finish_reason")
        was_cut = finish_reason in CUT_REASONS
        problem = self.check.problem(choice["message"], was_cut=was_cut)
        if problem is None:
            return True
        again = self._made < self.check.max_attempts and not was_cut
        if again and not given_out:
            self._ask_again(choice["message"], self.check.correction(problem))
            return False
        if again:
            problem += " (not asked again, because part of it was streamed; unstreamed, it is)"
        self.failure = self._failure(finish_reason, problem, response)
        if self.check.raises:
            raise self.failure
        return True

    def _failure(
        self, finish_reason: str | None, problem: str, response: ChatResponse
    ) -> OutputCheckError | ContentFilterError:
        if finish_reason == "content_filter":
            return ContentFilterError(
                "The service's content filter withheld the answer. Rephrase the request."
            )
        if finish_reason in _CUT:
            text = f"The answer was cut ({finish_reason}): {_CUT[finish_reason]}; {problem}."
        else:
            attempts = f"{self._made} attempt{'s' if self._made > 1 else ''}"
            text = f"MiMo's answer is not what was asked for, after {attempts}: {problem}."
        return OutputCheckError(text, problem=problem, attempts=self._made, answer=response)

    def _ask_again(self, message: Message, correction: str) -> None:
        answer: dict[str, Any] = {"role": "assistant", "content": message.get("content") or ""}
        for name in ("reasoning_content", "reasoning_signature", "reasoning_details"):
            if value := message.get(name):
                answer[name] = value
        if calls := message.get("tool_calls"):  # unanswered calls would be refused
            answer["content"] = f"{answer['content']}\n{_calls_as_text(calls)}".strip()
        messages = [*self.request["messages"], answer, {"role": "user", "content": correction}]
        self.request = {**self.request, "messages": messages}


def output_check(
    request: Mapping[str, Any], check: OutputCheck | None = None, *, enforce: bool = True
) -> OutputCheck | None:
    """What an answer to a request must be.

    Args:
        request: in the shape of chat completions.
        check: what is asked of the answer already; None where the request's own fields say it.
        enforce: whether a forced `tool_choice` and `parallel_tool_calls` count.
    """
    if check is None:
        check = _check_of_fields(request, enforce=enforce)
    if enforce and request.get("parallel_tool_calls") is False and _has_functions(request):
        return SingleCall.beside(check)
    return check


def _check_of_fields(request: Mapping[str, Any], *, enforce: bool) -> OutputCheck | None:
    response_format = request.get("response_format") or {}
    if response_format.get("type") == "json_schema":
        schema = (response_format.get("json_schema") or {}).get("schema") or {}
        return JSONObject(schema=schema, validate=SchemaCheck(schema))
    choice = request.get("tool_choice")
    if not enforce or not _has_functions(request) or choice in (None, "auto", "none"):
        return None
    if isinstance(choice, dict):
        return ForcedCall(name=(choice.get("function") or {}).get("name"))
    return ForcedCall()


def _has_functions(request: Mapping[str, Any]) -> bool:
    """Whether there is a tool to call. (A web search is not a call that an answer could show.)"""
    if request.get("tool_choice") == "none":
        return False
    return any("function" in tool for tool in request.get("tools") or ())


def _calls_as_text(calls: list[ToolCall]) -> str:
    functions = [call.get("function") or {} for call in calls]
    return "\n".join(f"{f.get('name')}({f.get('arguments')})" for f in functions)


def add_usage(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Two usages of the service added up, details included."""
    if not left:
        return dict(right)
    total = dict(left)
    for key, value in right.items():
        if isinstance(value, dict):
            total[key] = add_usage(total.get(key) or {}, value)
        elif isinstance(value, int | float):
            total[key] = (total.get(key) or 0) + value
        else:
            total.setdefault(key, value)
    return total


# Calls


def call_problem(call: ToolCall) -> str | None:
    """Why a tool call may not be run.

    Args:
        call: a whole call from the core, or the pieces of a streamed one put together.

    Returns:
        The reason, to be read after "the call of NAME: "; None where the call names a tool and its
        arguments are a whole JSON object.
    """
    function = call.get("function") or {}
    if not function.get("name"):
        return "it does not name a tool"
    arguments = function.get("arguments")
    if not arguments:
        return "its arguments did not arrive"
    try:
        value = json.loads(arguments, strict=False)  # models write line breaks into strings
    except (ValueError, RecursionError) as error:
        return f"its arguments are not JSON ({error})"
    return None if isinstance(value, dict) else "its arguments are not a JSON object"
