"""Which requests a scripted answer is for: `FakeMiMo.when(…)`.

The names follow what people know: `when … answer` is WireMock's and Mockito's `when … thenReturn`,
a rule that keeps its `requests` is respx' route with its `calls`, and an answer is used once, as
pytest-httpx has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from mimo_core.testing.emulator.received import Protocol, ReceivedRequest, content_text

Text = str | re.Pattern[str]
"""A part of the text, in the same letters; or a regular expression that is searched for."""


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """What a request has to be like. What is None is not looked at.

    Attributes:
        content: the text of the last user message: a part of it, or a regular expression.
        system: the text of the last system or developer message.
        model: the model, as a whole.
        tool: the name of a function tool that is offered (`web_search` for the search).
        result_of: the request ends in the result of this tool: the name of the function.
        turn: how often the model is asked in this conversation, counted from 1: one more than
            the assistant messages in the history. So a tool's result is in turn 2.
        stream: whether a stream is asked for.
        protocol: `chat_completions` or `messages`.
        matching: called with the request; whatever it returns is taken as true or false.
    """

    content: Text | None = None
    system: Text | None = None
    model: Text | None = None
    tool: str | None = None
    result_of: str | None = None
    turn: int | None = None
    stream: bool | None = None
    protocol: Protocol | None = None
    matching: Callable[[ReceivedRequest], Any] | None = field(default=None)

    def __post_init__(self) -> None:
        if self.turn is not None and self.turn < 1:
            raise ValueError("turn counts from 1: the first answer of a conversation is turn 1")

    def matches(self, request: ReceivedRequest) -> bool:
        """Whether the request is like this."""
        checks: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
            (self.protocol, lambda wanted: request.protocol == wanted),
            (self.stream, lambda wanted: request.stream is wanted),
            (self.model, lambda wanted: _is(wanted, request.model)),
            (self.turn, lambda wanted: turn_of(request) == wanted),
            (self.tool, lambda wanted: wanted in request.tool_names),
            (self.result_of, lambda wanted: wanted in _answered_tools(request)),
            (self.content, lambda wanted: _has(wanted, request.text_of("user"))),
            (self.system, lambda wanted: _has(wanted, _instructions(request))),
            (self.matching, lambda wanted: wanted(request)),
        )
        return all(check(wanted) for wanted, check in checks if wanted is not None)

    def __str__(self) -> str:
        """As it is written: `when(content='weather', turn=2)`."""
        given = ((one.name, getattr(self, one.name)) for one in fields(self))
        return f"when({', '.join(f'{n}={_shown(v)}' for n, v in given if v is not None)})"


def turn_of(request: ReceivedRequest) -> int:
    """How often the model is asked in this conversation, counted from 1."""
    return 1 + [message.get("role") for message in request.messages].count("assistant")


def describe(request: ReceivedRequest) -> str:
    """A request in a few words, for the errors of a script: what was asked, and of whom."""
    asked = f"{request.method} {request.path.partition('?')[0]} {request.model}".rstrip()
    said = request.text_of("user")
    words = [f"turn {turn_of(request)}", repr(said if len(said) <= 60 else said[:59] + "…")]
    if request.tool_names:
        words.append(f"tools {', '.join(request.tool_names)}")
    if results := _answered_tools(request):
        words.append(f"result of {', '.join(results)}")
    return f"{asked} ({'; '.join(words)}{'; stream' if request.stream else ''})"


def _has(wanted: Text, text: str) -> bool:
    return wanted in text if isinstance(wanted, str) else wanted.search(text) is not None


def _is(wanted: Text, text: str) -> bool:
    return wanted == text if isinstance(wanted, str) else wanted.search(text) is not None


def _instructions(request: ReceivedRequest) -> str:
    return request.text_of("system") or request.text_of("developer")


def _answered_tools(request: ReceivedRequest) -> list[str]:
    """The names of the functions whose results the request ends in."""
    messages = request.messages
    # In the messages protocol a result and its images are one message, which becomes two here.
    last = [message for message in messages if not _is_only_media(message)]
    ids = set()
    while last and last[-1].get("role") == "tool":
        ids.add(last.pop().get("tool_call_id"))
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    named = ((call.get("id"), call.get("function") or {}) for call in calls)
    return [str(function.get("name")) for id, function in named if id in ids]


def _is_only_media(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return message.get("role") == "user" and isinstance(content, list) and not content_text(content)


def _shown(value: Any) -> str:
    if isinstance(value, re.Pattern):
        return f"re.compile({value.pattern!r})"
    return getattr(value, "__name__", None) or repr(value)
