"""Tool calls off the wire, each told from the others, whatever a server numbers them by.

Seen of relays and servers: no index; index 0 for every call; the id or the name on every piece; no
id at all; arguments as an object. Each gets one form here, which the repair and the hosts rely on:
an index of its own, an id, and its name once. What cannot be told apart is a `ContradictionError`:
to guess would be to run a call with another one's arguments.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, cast
from uuid import uuid4

from mimo_core._response.accumulate import ContradictionError
from mimo_core.types import FunctionCall, Message, ToolCall


def new_call_id() -> str:
    """An id for a call that came without one, or with another one's."""
    return f"call_{uuid4().hex[:24]}"


def with_own_ids(message: Message) -> Message:
    """A whole message whose calls have an id of their own each, and arguments that are texts."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    taken: set[str] = set()
    told_apart = []
    for call in calls:
        id_ = call.get("id")
        if not id_ or id_ in taken:
            id_ = new_call_id()
        taken.add(id_)
        function: FunctionCall = {**(call.get("function") or {})}
        function["arguments"] = _text(function.get("arguments"))
        told_apart.append({**call, "id": id_, "function": function})
    return cast("Message", {**message, "tool_calls": told_apart})


MAX_DEPTH = 200
"""Brackets within each other, in an event and in a call's arguments. No honest answer has more."""
_DIGITS = re.compile("[0-9]+")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def is_too_deep(arguments: str) -> bool:
    """Whether arguments have more brackets within each other than any parser is to meet.

    Args:
        arguments: the text that a model wrote, be it JSON or not.
    """
    if arguments.count("[") + arguments.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for found in _BRACKET.finditer(arguments):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}") if len(mark) == 1 else 0
        if depth > MAX_DEPTH:
            return True
    return False


def unreadable_arguments(arguments: str) -> str | None:
    """Why no host is to parse the arguments of a call; None where each can.

    Python's json does not only refuse these two kinds, it raises other exceptions than for what is
    no JSON (`RecursionError`, `ValueError`), which hosts do not expect.

    Args:
        arguments: the text that a model wrote, be it JSON or not.

    Returns:
        The reason, to be read after "the arguments of a call".
    """
    if is_too_deep(arguments):
        return f"are nested more than {MAX_DEPTH} deep"
    longest = sys.get_int_max_str_digits()  # 4300, or 0 for any number
    if 0 < longest < len(arguments) and any(
        len(found[0]) > longest for found in _DIGITS.finditer(arguments)
    ):
        try:
            json.loads(arguments, strict=False)
        except json.JSONDecodeError:
            return None
        except ValueError:
            return f"hold a number of more than {longest} digits"
    return None


class _Call:
    """What is known of one call of a stream."""

    __slots__ = ("has_arguments", "index", "name", "wire_id")

    def __init__(self, index: int, wire_id: str | None) -> None:
        self.index = index
        self.wire_id = wire_id
        self.name: str | None = None
        self.has_arguments = False


class CallNumbering:
    """Gives each call of one stream its index.

    Attributes:
        doubtful: the indices of calls whose place another one took before their arguments came:
            that they have none is not sure.
    """

    __slots__ = ("_by_id", "_by_index", "_calls", "_ids", "doubtful")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[Any, _Call] = {}  # the index on the wire
        self._by_id: dict[str, _Call] = {}
        self._ids: set[str] = set()
        self.doubtful: set[int] = set()

    def number(self, pieces: list[ToolCall]) -> list[ToolCall]:
        """The pieces of one delta, normalised: `id`, `type` and `name` stand in the first piece
        that has them, and only there.

        Raises:
            ContradictionError: a piece fits no call, or two.
        """
        return [piece if self._goes_on(piece) else self._number(piece) for piece in pieces]

    def goes_on(self, delta: dict[str, Any]) -> bool:
        """Whether a delta holds one piece of a call, and nothing but arguments, as it should be.

        Args:
            delta: off the wire, not checked yet.
        """
        calls = delta.get("tool_calls")
        return type(calls) is list and len(calls) == 1 and self._goes_on(calls[0])

    def _number(self, piece: ToolCall) -> ToolCall:
        index, id_ = piece.get("index"), piece.get("id") or None
        function = piece.get("function") or {}
        name = function.get("name") or None
        call = self._found(index, id_, name)
        numbered: ToolCall = {}
        if call is None:
            call = self._opened(index, id_)
            numbered = {**piece, "type": piece.get("type") or "function"}
            numbered["id"] = self._own_id(id_)
        numbered["index"] = call.index
        said: FunctionCall = {"arguments": _text(function.get("arguments"))}
        if name is not None and call.name is None:
            call.name = said["name"] = name
        elif name is not None and name != call.name:
            raise ContradictionError(f"a call of {call.name!r} goes on as one of {name!r}")
        if said["arguments"]:
            call.has_arguments = True
        numbered["function"] = said
        return numbered

    def _goes_on(self, piece: ToolCall) -> bool:
        """Whether these are arguments, and nothing else, of a call whose index on the wire is the
        one that it has here."""
        function = piece.get("function") if type(piece) is dict else None
        if type(function) is not dict or piece.get("id") or function.get("name"):
            return False
        index = piece.get("index")
        call = self._by_index.get(index)
        arguments = function.get("arguments")
        if call is None or call.index is not index or type(arguments) is not str:
            return False
        if arguments:
            call.has_arguments = True
        return True

    def _found(self, index: Any, id_: str | None, name: str | None) -> _Call | None:
        """The call that a piece goes on with; None where it opens one."""
        if index is None:
            return self._found_without_index(id_, name)
        call = self._by_index.get(index)
        if call is None:
            if name is None and id_ in self._by_id:
                raise ContradictionError(f"the call {id_!r} goes on under another index")
            return None
        if id_ is None or id_ == call.wire_id:
            return call
        if call.wire_id is None and name in (None, call.name):
            self._adopt(call, id_)  # it came late
            return call
        if name is None:
            raise ContradictionError(f"two calls share the index {index!r}")
        return None

    def _found_without_index(self, id_: str | None, name: str | None) -> _Call | None:
        last = self._calls[-1] if self._calls else None
        if id_ is not None:
            if (call := self._by_id.get(id_)) is not None:
                return call
            if last is not None and last.wire_id is None and name is None:
                self._adopt(last, id_)
                return last
            return None
        if last is not None and name is not None and (last.name != name or last.has_arguments):
            return None if last.name is not None else last
        return last

    def _opened(self, index: Any, id_: str | None) -> _Call:
        call = _Call(len(self._calls), id_)
        self._calls.append(call)
        if index is not None:
            before = self._by_index.get(index)
            if before is not None and not before.has_arguments:
                self.doubtful.add(before.index)
            self._by_index[index] = call
        if id_ is not None:
            self._by_id[id_] = call
        return call

    def _adopt(self, call: _Call, id_: str) -> None:
        call.wire_id = id_
        self._by_id[id_] = call

    def _own_id(self, id_: str | None) -> str:
        own = id_ if id_ is not None and id_ not in self._ids else new_call_id()
        self._ids.add(own)
        return own


def _text(arguments: Any) -> str:
    """The arguments as a text: some relays send the object that they should be the text of."""
    if isinstance(arguments, str):
        return arguments
    if arguments is None:
        return ""
    if isinstance(arguments, dict):
        return json.dumps(arguments, ensure_ascii=False)
    raise ContradictionError(f"arguments are of type {type(arguments).__name__}, not a text")
