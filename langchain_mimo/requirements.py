"""What an answer must be, where the service does not see to it itself.

MiMo ignores a forced `tool_choice` and `parallel_tool_calls`, and does not enforce a schema. So the
request asks for it in words, the answer is checked, and what is missing is asked for once more. No
I/O: `_generate` and its three siblings send `Attempts.request` until `Attempts.accepts` says so.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.exceptions import OutputParserException

from langchain_mimo.errors import MiMoContentFilterError
from mimo_core.response import ChatResponse, Message, ToolCall
from mimo_core.structured import (
    correction,
    parse_object,
    schema_instruction,
    violation,
    with_instruction,
)
from mimo_core.tool_calls import call_problem

_CUT = {
    "length": "max_tokens was reached, raise it (reasoning counts too) or turn thinking off",
    "repetition_truncation": "the model repeated itself",
}

Validate = Callable[[Any], str | None]
"""What is wrong with a value, in one line, or None."""


@dataclass(frozen=True)
class SchemaCheck:
    """Checks a value against a JSON Schema, and against the pydantic class it was made from.

    (A class, not a closure: it can be pickled, and its `repr` is the same in every process.)
    """

    json_schema: dict[str, Any]
    pydantic_class: Any = None

    def __call__(self, value: Any) -> str | None:
        kind = self.pydantic_class
        if kind is None:
            return violation(value, self.json_schema)
        try:
            if hasattr(kind, "model_validate"):
                kind.model_validate(value)
            else:
                kind.parse_obj(value)  # pydantic v1
        except ValueError as error:
            return violation(value, self.json_schema) or " ".join(str(error).split())
        return None


class Requirement(ABC):
    """One thing an answer must be.

    Attributes:
        streams: whether chunks may be given out before the answer has been checked.
        max_attempts: requests in all.
        lenient: whether an answer that will not do is given out all the same, with what is wrong
            with it in `response_metadata["structured_output_error"]` (for `include_raw`).
    """

    def __init__(self, *, streams: bool = True) -> None:
        self.streams = streams
        self.max_attempts = 2
        self.lenient = False

    @abstractmethod
    def instruction(self) -> str:
        """What the request says about it."""

    @abstractmethod
    def problem(self, message: Message) -> str | None:
        """What is wrong with an answer, or None."""

    @abstractmethod
    def correction(self, problem: str) -> str:
        """What to say to get it right."""

    @abstractmethod
    def waits(self, delta: Message, *, given: bool, called: bool) -> bool:
        """Whether a piece of a stream is kept back, with all before it that was. Another attempt
        can follow one of which nothing was given out: else a message would hold pieces of both.

        Args:
            delta: the piece.
            given: whether earlier pieces were given out.
            called: whether the answer has called a tool so far.
        """

    def __repr__(self) -> str:  # part of LangChain's cache key
        return f"{type(self).__name__}({vars(self)!r})"


class ForcedCall(Requirement):
    """The answer must call a tool.

    Args:
        name: the tool, or None for any.
        validate: checks its arguments; None for no check.
        streams: False keeps an answer back until it is valid.
    """

    def __init__(
        self, name: str | None = None, validate: Validate | None = None, *, streams: bool = True
    ) -> None:
        super().__init__(streams=streams)
        self._name = name
        self._validate = validate
        self._what = f"the tool {name!r}" if name else "one of the tools"

    def instruction(self) -> str:
        return f"Answer by calling {self._what}, not with text."

    def problem(self, message: Message) -> str | None:
        wanted = [call for call in message.get("tool_calls") or () if self._is_wanted(call)]
        if not wanted:
            return f"the answer does not call {self._what}"
        if self._validate is None:
            return None  # what the arguments are is the matter of whoever runs the tool
        if (incomplete := call_problem(wanted[0])) is not None:
            return f"{self._what} was called, but {incomplete}"
        return self._validate(json.loads(wanted[0]["function"]["arguments"], strict=False))

    def correction(self, problem: str) -> str:
        return f"That was not what is needed: {problem}. Call {self._what} now."

    def waits(self, delta: Message, *, given: bool, called: bool) -> bool:
        calls = delta.get("tool_calls") or ()
        return not given and not any(self._is_wanted(call) for call in calls)

    def _is_wanted(self, call: ToolCall) -> bool:
        return self._name in (None, (call.get("function") or {}).get("name"))


class ValidObject(Requirement):
    """The answer must be a JSON object that keeps to a schema.

    Args:
        schema: the JSON Schema to put into the prompt, or None where the prompt says it already.
        validate: checks the parsed object; None for no check.
        streams: False keeps an answer back until it is valid.
    """

    def __init__(
        self,
        schema: dict[str, Any] | None,
        validate: Validate | None = None,
        *,
        streams: bool = True,
    ) -> None:
        super().__init__(streams=streams)
        self._schema = schema
        self._validate = validate

    def instruction(self) -> str:
        return schema_instruction(self._schema) if self._schema else ""

    def problem(self, message: Message) -> str | None:
        if message.get("tool_calls"):
            return None  # an agent on its way to the answer
        try:
            value = parse_object(message.get("content") or "")
        except ValueError as error:
            return str(error)
        if not isinstance(value, dict):
            return "the answer is JSON, but not an object"
        return self._validate(value) if self._validate else None

    def correction(self, problem: str) -> str:
        return correction(problem)

    def waits(self, delta: Message, *, given: bool, called: bool) -> bool:
        return not given and not called and not delta.get("content")


class OneCall(Requirement):
    """The answer must not call more than one tool: what `parallel_tool_calls=False` asks for.

    Args:
        other: what the answer must be besides.
    """

    _PROBLEM = "the answer calls more than one tool"

    def __init__(self, other: Requirement | None) -> None:
        super().__init__(streams=other is None or other.streams)
        self._other = other
        if other is not None:
            self.max_attempts, self.lenient = other.max_attempts, other.lenient

    def instruction(self) -> str:
        asked = "Call at most one tool in an answer, and wait for its result."
        other = self._other.instruction() if self._other else ""
        return f"{other}\n\n{asked}" if other else asked

    def problem(self, message: Message) -> str | None:
        if len(message.get("tool_calls") or ()) > 1:
            return self._PROBLEM
        return self._other.problem(message) if self._other else None

    def correction(self, problem: str) -> str:
        if self._other is None or problem == self._PROBLEM:
            return f"That was not what is needed: {problem}. Call only the first one now."
        return self._other.correction(problem)

    def waits(self, delta: Message, *, given: bool, called: bool) -> bool:
        """From the first call on, everything; a text before it goes out as it comes."""
        if called:
            return True
        if self._other is not None:
            return self._other.waits(delta, given=given, called=called)
        return not given and not delta.get("content")


class Attempts:
    """The requests for one answer, one after the other.

    Attributes:
        request: what to send next.
    """

    def __init__(self, request: dict[str, Any], requirement: Requirement | None) -> None:
        self._requirement = requirement
        self._made = 0
        self._usage: dict[str, Any] = {}
        if requirement is not None and (text := requirement.instruction()):
            request = {**request, "messages": with_instruction(request["messages"], text)}
        self.request = request

    @property
    def streams(self) -> bool:
        """Whether chunks can be given out as they come."""
        return self._requirement is None or self._requirement.streams

    @property
    def checks(self) -> bool:
        """Whether there is anything to check."""
        return self._requirement is not None

    def waits(self, delta: Message, *, given: bool, called: bool) -> bool:
        """Whether a piece of a stream is kept back until the rest has come."""
        requirement = self._requirement
        return requirement is not None and requirement.waits(delta, given=given, called=called)

    def accepts(self, response: ChatResponse, *, streamed: bool = False) -> bool:
        """Whether `response` will do. If not, `request` is the next one to send.

        The usage of earlier attempts is added to the one that will do.

        Args:
            response: the answer to `request`.
            streamed: whether the caller has seen any of it: then it cannot be taken back.

        Raises:
            MiMoContentFilterError: the content filter withheld the answer.
            OutputParserException: there are no attempts left, or the answer was cut.
        """
        requirement = self._requirement
        if requirement is None:
            return True
        self._made += 1
        self._usage = add_usage(self._usage, response.get("usage") or {})
        choice = response["choices"][0]
        message = choice["message"]
        problem = requirement.problem(message)
        if problem is not None and not self._is_hopeless(choice.get("finish_reason")):
            last = self._made >= requirement.max_attempts
            if not last and not streamed:
                self._ask_again(message, requirement.correction(problem))
                return False
        if problem is not None:
            if streamed and self._made < requirement.max_attempts:
                problem += " (a stream cannot take back what it gave; invoke() asks again)"
            error = self._error(choice.get("finish_reason"), problem, message)
            if not requirement.lenient:
                raise error
            response["structured_output_error"] = str(error)  # type: ignore[typeddict-unknown-key]
        response["usage"] = self._usage  # type: ignore[typeddict-item]
        return True

    def _is_hopeless(self, finish_reason: str | None) -> bool:
        """Whether the same request would end the same way."""
        return finish_reason in ("content_filter", *_CUT)

    def _error(self, finish_reason: str | None, problem: str, message: Message) -> Exception:
        if finish_reason == "content_filter":
            return MiMoContentFilterError(
                "The service's content filter withheld the answer. Rephrase the request."
            )
        if finish_reason in _CUT:
            said = f"The answer was cut ({finish_reason}): {_CUT[finish_reason]}; {problem}."
        else:
            attempts = f"{self._made} attempt{'s' if self._made > 1 else ''}"
            said = f"MiMo's answer is not what was asked for, after {attempts}: {problem}."
        return OutputParserException(said, llm_output=message.get("content") or "")

    def _ask_again(self, message: Message, correction: str) -> None:
        answer: dict[str, Any] = {"role": "assistant", "content": message.get("content") or ""}
        for name in ("reasoning_content", "reasoning_signature"):
            if value := message.get(name):
                answer[name] = value
        if calls := message.get("tool_calls"):  # unanswered calls would be refused
            answer["content"] = f"{answer['content']}\n{_as_text(calls)}".strip()
        messages = [*self.request["messages"], answer, {"role": "user", "content": correction}]
        self.request = {**self.request, "messages": messages}


def requirement_for(
    request: Mapping[str, Any], check: Requirement | None, *, enforce: bool
) -> Requirement | None:
    """What an answer to a request must be.

    Args:
        request: with `tool_choice` and `response_format` as they go over the wire.
        check: what is asked of the answer already; None where the request's own fields say it.
        enforce: whether a forced `tool_choice` and `parallel_tool_calls` count.
    """
    if check is None:
        check = _own_requirement(request, enforce=enforce)
    if enforce and request.get("parallel_tool_calls") is False and _has_functions(request):
        return OneCall(check)
    return check


def _own_requirement(request: Mapping[str, Any], *, enforce: bool) -> Requirement | None:
    response_format = request.get("response_format") or {}
    if response_format.get("type") == "json_schema":
        schema = (response_format.get("json_schema") or {}).get("schema") or {}
        return ValidObject(schema, SchemaCheck(schema))
    choice = request.get("tool_choice")
    if not enforce or not _has_functions(request) or choice in (None, "auto", "none"):
        return None
    if isinstance(choice, dict):
        return ForcedCall((choice.get("function") or {}).get("name"))
    return ForcedCall()


def _has_functions(request: Mapping[str, Any]) -> bool:
    """Whether there is a tool to call. (A web search is no call that an answer could show.)"""
    if request.get("tool_choice") == "none":
        return False
    return any("function" in tool for tool in request.get("tools") or ())


def _as_text(calls: Any) -> str:
    functions = [call.get("function") or {} for call in calls]
    return "\n".join(f"{f.get('name')}({f.get('arguments')})" for f in functions)


def add_usage(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Two usages of the service added up, details included."""
    total = dict(left)
    for key, value in right.items():
        if isinstance(value, dict):
            total[key] = add_usage(total.get(key) or {}, value)
        elif isinstance(value, int | float):
            total[key] = (total.get(key) or 0) + value
        else:
            total.setdefault(key, value)
    return total
