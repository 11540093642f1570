"""Tool calls in answers: which may be run, and repair from the schemas that the request offered.

A call may be run only where its arguments are provably complete. An answer that was cut can hold
the name of a tool and no arguments yet, so empty arguments leave the core as `"{}"` only where they
can mean that, and as `""` everywhere else.

Repaired are two habits of the models, both observed: a call written as text
(`<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`, with
`tool_calls` null), and a nested object in the arguments written as a JSON *string*.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Set
from typing import Any

from mimo_core._response.calls import new_call_id
from mimo_core.types import COMPLETE_REASONS, Message, ToolCall

_OPEN = "<tool_call>"
_CLOSE = "</tool_call>"
_CALL = re.compile(r"<tool_call>\s*<function=([^>\s]+)>(.*)</function>\s*</tool_call>", re.DOTALL)
_PARAMETER = re.compile(r"\s*<parameter=([^>\s]+)>")
_END_OF_PARAMETER = "</parameter>"
_ANY = frozenset({"string", "object", "array", "number", "integer", "boolean", "null"})
_JSON_TYPES: dict[type, set[str]] = {
    str: {"string"},
    dict: {"object"},
    list: {"array"},
    int: {"integer", "number"},
    float: {"number"},
    type(None): {"null"},
}


class ToolCallRepair:
    """Repairs the calls in answers to a request with these tools. Falsy without tools."""

    def __init__(self, tools: Iterable[Mapping[str, Any]] | None) -> None:
        functions = [tool["function"] for tool in tools or () if "function" in tool]
        self._schemas: dict[str, Mapping[str, Any]] = {
            function["name"]: function.get("parameters") or {} for function in functions
        }

    def __bool__(self) -> bool:
        return bool(self._schemas)

    def message(self, message: Message, finish_reason: str | None) -> Message:
        """A whole message with its calls repaired.

        Args:
            message: the assistant message.
            finish_reason: how its answer ended.
        """
        repaired: Message = {**message}
        text, leaked = self.split(message.get("content") or "", finish_reason)
        calls = [self._call(call, finish_reason) for call in message.get("tool_calls") or ()]
        if leaked:
            repaired["content"] = text
        if calls or leaked:
            repaired["tool_calls"] = calls + leaked
        return repaired

    def split(
        self, text: str, finish_reason: str | None, *, quoted: bool = False
    ) -> tuple[str, list[ToolCall]]:
        """A text without the calls that it ends with, and those calls.

        Only what the model wrote in place of calls: well-formed, of tools that were offered, with
        what they require, at the end of an answer that was not cut. A call in the middle of a text
        or inside a code block is something that the model tells or quotes.

        Args:
            text: a text, or what follows in it from the first `<tool_call>` on.
            finish_reason: how its answer ended.
            quoted: whether the text begins inside of a code block or between backticks.
        """
        if _OPEN not in text or finish_reason not in COMPLETE_REASONS:
            return text, []
        before, written = _calls_at_the_end(text)
        quoted = before.endswith("`") or bool(before.count("```") % 2) or quoted
        if not written or quoted:
            return text, []
        calls = []
        for name, parameters in written:
            if name not in self._schemas or parameters is None:
                return text, []
            arguments = self._leaked_arguments(name, parameters)
            if self._lacks_something(name, arguments):
                return text, []
            calls.append(_new_call(name, json.dumps(arguments, ensure_ascii=False)))
        return before.strip(), calls

    def _lacks_something(self, name: str, arguments: Mapping[str, Any]) -> bool:
        required = self._schemas[name].get("required")
        return isinstance(required, list) and any(key not in arguments for key in required)

    def arguments(self, name: str, arguments: str) -> str:
        """The arguments of a call of `name`, with objects where the schema wants objects."""
        try:
            values = json.loads(arguments)
            if isinstance(values, str):  # the whole of them written as a JSON string
                values = json.loads(values)
        except (ValueError, RecursionError):
            return arguments
        schema = self._schemas.get(name)
        if not isinstance(values, dict) or schema is None:
            return arguments
        properties = schema.get("properties") or {}
        repaired = {
            key: _decoded(value, properties[key], schema) if key in properties else value
            for key, value in values.items()
        }
        same = repaired == values and arguments.lstrip().startswith("{")
        return arguments if same else json.dumps(repaired, ensure_ascii=False)

    def takes_nothing(self, name: str, finish_reason: str | None) -> bool:
        """Whether empty arguments of a call of `name` mean `{}`: the answer was not cut, and the
        tool has no required argument."""
        schema = self._schemas.get(name)
        if schema is None or finish_reason not in COMPLETE_REASONS:
            return False
        return not any(schema.get(key) for key in ("required", "$ref", "allOf", "anyOf", "oneOf"))

    def has_nested(self, name: str) -> bool:
        """Whether an argument of `name` may be an object or an array, and so come as a string."""
        schema = self._schemas.get(name, {})
        return any(
            _is_nested(_types(value, schema)) for value in (schema.get("properties") or {}).values()
        )

    def _call(self, call: ToolCall, finish_reason: str | None) -> ToolCall:
        function = call.get("function") or {}
        name = function.get("name") or ""
        arguments = self.arguments(name, function.get("arguments") or "")
        if not arguments.strip():
            arguments = "{}" if self.takes_nothing(name, finish_reason) else ""
        return {**call, "function": {**function, "arguments": arguments}}

    def _leaked_arguments(self, name: str, parameters: dict[str, str]) -> dict[str, Any]:
        properties = self._schemas[name].get("properties") or {}
        values = {}
        for key, raw in parameters.items():
            types = _types(properties.get(key, {}), self._schemas[name])
            values[key] = _typed(raw.removeprefix("\n").removesuffix("\n"), types)
        return values


class _StreamedCall:
    """What is known of one call of a stream."""

    __slots__ = ("has_arguments", "held", "name")

    def __init__(self, name: str, held: list[str] | None) -> None:
        self.name = name
        self.held = held  # pieces of arguments that wait for their repair; None where none has to
        self.has_arguments = False


class ToolCallStream:
    """The same for a stream: holds back what may still have to be repaired, and nothing else.

    Text is held back from the first `<tool_call>` on; arguments only for tools that take objects
    or arrays.
    """

    def __init__(self, repair: ToolCallRepair) -> None:
        self._repair = repair
        self._text = ""  # held back: what may be the beginning of `<tool_call>`
        self._held: list[str] = []  # everything from the first `<tool_call>` on
        self._fences = 0  # of code blocks, in the text that was passed on
        self._ticks = 0  # backticks at its end, that are not a fence
        self._calls: dict[int, _StreamedCall] = {}

    def delta(self, delta: Message) -> None:
        """Take from `delta` what has to wait."""
        if content := delta.get("content"):
            delta["content"] = self._pass_on(content)
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = [call for call in calls if self._keep(call)] or None

    def rest(self, finish_reason: str | None, doubtful: Set[int]) -> Message:
        """What was held back, repaired, and `{}` for each call whose empty arguments mean that.

        Args:
            finish_reason: how the answer ended; None where it broke off.
            doubtful: the indices of calls of which it is not sure that nothing is missing.
        """
        quoted = bool(self._fences % 2 or self._ticks)
        held = self._text + "".join(self._held)
        text, leaked = self._repair.split(held, finish_reason, quoted=quoted)
        rest: Message = {}
        if text:
            rest["content"] = text
        calls: list[ToolCall] = []
        for index, call in self._calls.items():
            ended_with = None if index in doubtful else finish_reason
            if arguments := self._rest_of(call, ended_with):
                calls.append({"index": index, "function": {"arguments": arguments}})
        first = max(self._calls, default=-1) + 1
        calls += [{**call, "index": index} for index, call in enumerate(leaked, first)]
        if calls:
            rest["tool_calls"] = calls
        return rest

    def _rest_of(self, call: _StreamedCall, finish_reason: str | None) -> str:
        if not call.has_arguments:
            return "{}" if self._repair.takes_nothing(call.name, finish_reason) else ""
        return "" if call.held is None else self._repair.arguments(call.name, "".join(call.held))

    def _pass_on(self, content: str) -> str:
        if self._held:
            self._held.append(content)  # in pieces: added up, each would copy all before it
            return ""
        text = self._text + content
        start = text.find(_OPEN)
        if start < 0:
            start = len(text) - _overlap(text)
            self._text = text[start:]
        else:
            self._text, self._held = "", [text[start:]]
        passed = text[:start]
        if passed and (self._ticks or "`" in passed):
            self._count_fences(passed)
        return passed

    def _count_fences(self, passed: str) -> None:
        text = "`" * self._ticks + passed
        self._fences += text.count("```")
        self._ticks = (len(text) - len(text.rstrip("`"))) % 3

    def _keep(self, fragment: ToolCall) -> bool:
        """Whether anything of `fragment` goes on now."""
        index = fragment.get("index") or 0
        function = fragment.get("function") or {}
        piece = function.get("arguments") or ""
        call = self._calls.get(index)
        opens = call is None
        if call is None:
            name = function.get("name") or ""
            held: list[str] | None = [] if self._repair.has_nested(name) else None
            call = self._calls[index] = _StreamedCall(name, held)
        if piece and not call.has_arguments and (begun := piece.lstrip()):
            call.has_arguments = True
            if begun[0] == '"' and call.held is None:  # an object written as a JSON string
                call.held = []
        if call.held is None:
            return True
        call.held.append(piece)
        fragment["function"] = {**function, "arguments": ""}
        return opens


def _calls_at_the_end(text: str) -> tuple[str, list[tuple[str, dict[str, str] | None]]]:
    """What stands before the calls that a text ends with, and these: their names and parameters,
    None where the parameters are not well-formed. Linear: each call is looked at once."""
    calls: list[tuple[str, dict[str, str] | None]] = []
    before = text
    while (rest := before.rstrip()).endswith(_CLOSE):
        start = rest.rfind(_OPEN)
        found = _CALL.fullmatch(rest, start) if start >= 0 else None
        if found is None:
            break
        calls.insert(0, (found.group(1), _parameters(found.group(2))))
        before = rest[:start]
    return before, calls


def _parameters(body: str) -> dict[str, str] | None:
    """The parameters that a call is written with; None where it holds anything else."""
    parameters: dict[str, str] = {}
    position = 0
    while (opening := _PARAMETER.match(body, position)) is not None:
        end = body.find(_END_OF_PARAMETER, opening.end())
        if end < 0 or opening.group(1) in parameters:
            return None
        parameters[opening.group(1)] = body[opening.end() : end]
        position = end + len(_END_OF_PARAMETER)
    return None if body[position:].strip() else parameters


def _overlap(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of `<tool_call>`."""
    at = text.rfind("<", -len(_OPEN))
    return len(text) - at if at >= 0 and _OPEN.startswith(text[at:]) else 0


def _new_call(name: str, arguments: str) -> ToolCall:
    return {
        "id": new_call_id(),
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _decoded(value: Any, schema: Any, root: Mapping[str, Any]) -> Any:
    types = _types(schema, root)
    return _typed(value, types) if isinstance(value, str) and _is_nested(types) else value


def _is_nested(types: frozenset[str]) -> bool:
    """Objects or arrays, and no text: and no text: a text there must be encoded JSON."""
    return bool(types & {"object", "array"}) and "string" not in types


def _typed(text: str, types: frozenset[str]) -> Any:
    """The JSON value in `text` where it is of one of `types`, else the text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    kinds = {"boolean"} if isinstance(value, bool) else _JSON_TYPES[type(value)]
    if "string" in types and types != _ANY and not isinstance(value, dict | list):
        return text
    return value if types & kinds else text


def _types(schema: Any, root: Mapping[str, Any], depth: int = 0) -> frozenset[str]:
    """The JSON types that `schema` allows, as far as it says; all of them where it does not."""
    if not isinstance(schema, Mapping) or depth > 8:  # a schema may refer to itself
        return _ANY
    if isinstance(ref := schema.get("$ref"), str):
        return _types(_resolve(ref, root), root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if options := schema.get(key):
            return frozenset().union(*(_types(option, root, depth + 1) for option in options))
    if parts := schema.get("allOf"):
        return frozenset(_ANY).intersection(*(_types(part, root, depth + 1) for part in parts))
    kind = schema.get("type")
    if isinstance(kind, str):
        return frozenset({kind})
    if isinstance(kind, list):
        return frozenset(kind)
    return frozenset({"object"}) if "properties" in schema else _ANY


def _resolve(ref: str, root: Mapping[str, Any]) -> Any:
    target: Any = root
    for step in ref.removeprefix("#/").split("/"):
        target = target.get(step) if isinstance(target, Mapping) else None
    return target
