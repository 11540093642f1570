"""Letters that a server cut in two: halves of a surrogate pair, in two pieces of a stream.

Some backends write an emoji as two JSON escapes and send each in a piece of its own. A half that
finds no other one becomes U+FFFD, for no file, log or terminal can hold it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from mimo_core.types import Message, ToolCall

_Place = str | int | None
_TEXTS = ("content", "reasoning_content")


class LetterJoiner:
    """Joins the halves in the pieces of one stream, or of one message."""

    __slots__ = ("_halves",)

    def __init__(self) -> None:
        self._halves: dict[_Place, str] = {}

    def delta(self, delta: Message) -> None:
        """Take a delta: a half at the end of a text waits for the next one.

        Args:
            delta: checked by the gate; changed in place.
        """
        _change_texts(delta, self._join)

    def rest(self) -> Message:
        """What never found its other half."""
        rest: dict[str, Any] = {}
        calls: list[ToolCall] = []
        for place in self._halves:
            if isinstance(place, str):
                rest[place] = "\ufffd"
            else:
                function: Any = {"arguments": "\ufffd"}
                calls.append(cast("ToolCall", {"index": place, "function": function}))
        self._halves = {}
        if calls:
            rest["tool_calls"] = calls
        return cast("Message", rest)

    def _join(self, place: _Place, text: str) -> str:
        text = self._halves.pop(place, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[place] = text[-1]
            text = text[:-1]
        return whole(text)


def whole(text: str) -> str:
    """A text whose pairs are letters, and whose lone halves are U+FFFD.

    Args:
        text: any.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def make_whole(message: Message) -> None:
    """Make every text of a whole message one that can be written down.

    Args:
        message: checked by the gate; changed in place.
    """
    _change_texts(message, lambda place, text: whole(text))


def _change_texts(message: Message, change: Callable[[_Place, str], str]) -> None:
    """Change the texts of a message, or of a piece of one, in place: `change` gets where each
    stands, which is a field's name or the index of a call."""
    fields = cast("dict[str, Any]", message)
    for name in _TEXTS:
        if text := fields.get(name):
            fields[name] = change(name, text)
    for call in message.get("tool_calls") or ():
        function = call.get("function")
        if function and isinstance(arguments := function.get("arguments"), str):
            function["arguments"] = change(call.get("index"), arguments)
