"""The messages of a request, adapted to what MiMo's backends accept.

What they refuse was observed (December 2025 to October 2026), not documented; each adaptation
passes on every backend seen so far. A history that a host can produce is accepted, whatever it
holds: only what the user just wrote is refused, by the number of its message.
"""

from __future__ import annotations

import re
from typing import Any

from mimo_core._request.arguments import arguments_text
from mimo_core._request.parts import (
    MEDIA_KINDS,
    NO_TEXT,
    adapt_part,
    adapt_result_part,
    as_text_part,
    check_for_messages_protocol,
    text_of,
    without_empty_texts,
)
from mimo_core.dialects import Dialect
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.models import ModelInfo
from mimo_core.types import InsertedMessage
from mimo_core.values import quoted

_ROLES = ("system", "developer", "user", "assistant", "tool")
_NOT_ANSWERED = "This call was not answered."
_MAX_NAME = 64  # characters
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RESULT_MEDIA = frozenset({"text", "image"})  # what a result can hold on the messages protocol


def adapt_messages(
    messages: Any, info: ModelInfo, dialect: Dialect, *, thinks: bool, blocks: bool = False
) -> list[dict[str, Any]]:
    """The history as MiMo takes it; the given messages stay as they are.

    - An assistant message with tool calls carries `reasoning_content` while the model thinks: its
      own, or an empty one where the history has none. A history without it is refused.
    - An assistant message always has a `content`, and the arguments of a tool call are the text of
      a JSON object.
    - Each call is answered, and each tool message answers a call: a call that nobody answered gets
      a tool message that says so, and a result without its call becomes a text of the user's.
    - A tool message's content is one text; media in it move into a user message after the run of
      tool messages. What the model does not take is named in a text in its place.
    - Empty texts are left out, or become a space.
    - Reasoning goes back under the names that the server reads.
    - Audio has the form that the server takes.

    Args:
        messages: in the shape of chat completions.
        info: the model.
        dialect: of the server.
        thinks: whether the request runs in thinking mode.
        blocks: for the messages protocol: tool messages keep their parts and media, and assistant
            messages the parts that are marked with `cache_control`. Otherwise a mark on a whole
            message is left out; one on a part of a system or user message stays, for relays that
            read it.

    Raises:
        InvalidRequestError: `messages` is empty, or an element is not a message.
        UnsupportedInputError: an attachment of the user's that the model does not take, anywhere
            in the history: the service would refuse every later turn too.
    """
    if not isinstance(messages, list | tuple) or not messages:
        raise InvalidRequestError(
            "messages is empty; a request needs at least one message.", param="messages"
        )
    history = _History(info, dialect, thinks=thinks, blocks=blocks)
    number = 0
    for message in messages:
        if type(message) is dict and history.take_as_it_is(message):
            number += 1
            continue
        history.add(message, f"messages[{number}]")
        number += not isinstance(message, InsertedMessage)
    return history.end()


class _History:
    """The adapted messages so far, and what has to follow before anything else is said."""

    def __init__(self, info: ModelInfo, dialect: Dialect, *, thinks: bool, blocks: bool) -> None:
        self._info = info
        self._dialect = dialect
        # What goes back beside `reasoning_content`, which the messages protocol has in a block.
        self._reasoning_fields = () if blocks else dialect.reasoning_fields[1:]
        self._thinks = thinks
        self._blocks = blocks
        inputs = info.inputs & _RESULT_MEDIA if blocks else info.inputs
        self._result_info = info if inputs == info.inputs else info._replace(inputs=inputs)
        self._adapted: list[dict[str, Any]] = []
        self._open: dict[str, Any] = {}  # the ids that calls had, by those that they go by
        self._after_results: list[dict[str, Any]] = []  # parts of a user message
        self._made_ids = 0

    def take_as_it_is(self, message: dict[str, Any]) -> bool:
        """Take one more message, if nothing but the names of its reasoning has to be changed: most
        of a long history is like that.

        Returns:
            Whether it was taken.
        """
        content, role, size = message.get("content"), message.get("role"), len(message)
        if type(content) is not str or not content or type(role) is not str:
            return False
        if role == "tool":
            return size == 3 and not self._blocks and self._take_result(message)
        if role == "assistant" and size == 3:
            reasoning = message.get("reasoning_content")
            if type(reasoning) is not str or not reasoning:
                return False
            if self._reasoning_fields:
                message = {**message, **dict.fromkeys(self._reasoning_fields, reasoning)}
        elif size != 2 or role not in ("user", "assistant"):
            return False
        if self._open or self._after_results:
            self._close_calls()
        self._adapted.append(message)
        return True

    def _take_result(self, message: dict[str, Any]) -> bool:
        """Take a text that a tool returned, if a call waits under its id."""
        call_id = message.get("tool_call_id")
        if type(call_id) is not str or call_id not in self._open:
            return False
        del self._open[call_id]
        self._adapted.append(message)
        return True

    def add(self, given: Any, where: str) -> None:
        """Take one more message."""
        role = given.get("role") if isinstance(given, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            raise InvalidRequestError(
                f"{where}: role is {quoted(role)}; it can be system, developer, user, assistant "
                "or tool.",
                param="messages",
            )
        if not isinstance(given.get("name"), str | None):
            raise InvalidRequestError(f"{where}: name must be a text.", param="messages")
        message = given if self._blocks else _without_mark(given)
        if role == "tool":
            self._add_result(message, where)
            return
        self._close_calls()
        if role == "assistant":
            self._adapted.append(self._adapt_assistant(message, where))
        else:
            adapted = _adapt_user(message, self._info, self._dialect, where)
            if self._blocks and isinstance(adapted["content"], list):
                for part in adapted["content"]:
                    check_for_messages_protocol(part, where)
            self._adapted.append(adapted)

    def end(self) -> list[dict[str, Any]]:
        """The whole history."""
        self._close_calls()
        return self._adapted

    def _close_calls(self) -> None:
        """Answer the open calls, and put media that were moved into a user message."""
        for call_id in self._open:
            answer = {"role": "tool", "tool_call_id": call_id, "content": _NOT_ANSWERED}
            self._adapted.append(answer)
        self._open = {}
        if self._after_results:
            self._adapted.append({"role": "user", "content": self._after_results})
            self._after_results = []

    # Assistant messages

    def _adapt_assistant(self, message: dict[str, Any], where: str) -> dict[str, Any]:
        calls = message.get("tool_calls")
        if calls is not None and not isinstance(calls, list | tuple):
            raise InvalidRequestError(f"{where}: tool_calls must be a list.", param="messages")
        adapted = {k: v for k, v in message.items() if v is not None and k != "tool_calls"}
        content = message.get("content")
        adapted["content"] = text_of(content, where) or NO_TEXT
        if not self._blocks:
            adapted.pop("reasoning_signature", None)  # of the messages protocol
        elif isinstance(content, list) and any(_is_marked(part) for part in content):
            adapted["content"] = [as_text_part(part) for part in content]
        if not self._dialect.takes_reasoning_details:
            adapted.pop("reasoning_details", None)
        for name in self._reasoning_fields:
            if reasoning := adapted.get("reasoning_content"):
                adapted.setdefault(name, reasoning)
        if calls:
            adapted["tool_calls"] = [self._adapt_call(call, where) for call in calls]
            if self._thinks:
                adapted.setdefault("reasoning_content", "")
        return adapted

    def _adapt_call(self, call: Any, where: str) -> dict[str, Any]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise InvalidRequestError(
                f"{where}: a tool call needs a function with a name and arguments.",
                param="messages",
            )
        return {
            "id": self._open_call(call.get("id")),
            "type": call.get("type") or "function",
            "function": {
                "name": _adapt_name(function.get("name")),
                "arguments": arguments_text(function.get("arguments")),
            },
        }

    def _open_call(self, given_id: Any) -> str:
        """The id that a call goes by: its own, or a new one where it has none or shares it."""
        sent_id = str(given_id) if given_id else ""
        while not sent_id or sent_id in self._open:
            self._made_ids += 1
            sent_id = f"call_{self._made_ids}"
        self._open[sent_id] = given_id
        return sent_id

    # Tool messages

    def _add_result(self, message: dict[str, Any], where: str) -> None:
        content = message.get("content")
        if content is not None and not isinstance(content, str | list | tuple):
            raise _not_a_content(where)
        call_id = self._answered_by(message.get("tool_call_id"))
        parts = [content] if isinstance(content, str) else list(content or ())
        adapted = without_empty_texts(
            [adapt_result_part(part, self._result_info, where, self._dialect) for part in parts]
        )
        if call_id is None:
            self._keep_stray_result(message.get("tool_call_id"), adapted)
            return
        result = {**message, "tool_call_id": call_id}
        if isinstance(content, str):
            result["content"] = content or NO_TEXT
        elif self._blocks:
            result["content"] = adapted
        else:
            result["content"] = self._move_media(call_id, adapted)
        self._adapted.append(result)

    def _answered_by(self, given_id: Any) -> str | None:
        """The id of the open call that a tool message answers, which is open no more; the first one
        where it does not say which."""
        if isinstance(given_id, str) and given_id in self._open:
            found: str | None = given_id
        else:
            found = next(
                (id_ for id_, had in self._open.items() if not given_id or had == given_id), None
            )
        if found is not None:
            del self._open[found]
        return found

    def _keep_stray_result(self, call_id: Any, parts: list[dict[str, Any]]) -> None:
        """A result whose call is not in the history (it was trimmed, or is another provider's)."""
        name = f" {call_id}" if call_id else ""
        text = f"Output of the tool call{name}, which is not in this conversation:"
        self._after_results += [{"type": "text", "text": text}, *parts]

    def _move_media(self, call_id: str, parts: list[dict[str, Any]]) -> str:
        """The texts of a result as one; its media go into the user message after the results."""
        media = [part for part in parts if part["type"] in MEDIA_KINDS]
        texts = [part["text"] for part in parts if part["type"] not in MEDIA_KINDS]
        if media:
            self._after_results.append(
                {"type": "text", "text": f"Output of the tool call {call_id}:"}
            )
            self._after_results += media
        elsewhere = "The output follows in the next user message." if media else NO_TEXT
        return "\n".join(texts) or elsewhere


def _adapt_user(
    message: dict[str, Any], info: ModelInfo, dialect: Dialect, where: str
) -> dict[str, Any]:
    """A message of the user's, or instructions, which are text only."""
    content = message.get("content")
    if isinstance(content, str):
        return message if content else {**message, "content": NO_TEXT}
    if not isinstance(content, list | tuple):
        raise _not_a_content(where)
    parts = [adapt_part(as_text_part(part), info, where, dialect) for part in content]
    if message["role"] != "user" and any(part["type"] != "text" for part in parts):
        raise UnsupportedInputError(
            f"{where}: instructions are text only; move the media into a user message.",
            param="messages",
        )
    return {**message, "content": without_empty_texts(parts)}


def _adapt_name(name: Any) -> str:
    """A tool's name as the service takes it: other providers' histories hold others."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(name or ""))[:_MAX_NAME] or "unknown_tool"


def _not_a_content(where: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{where}: content must be a text or a list of parts.", param="messages"
    )


def _is_marked(part: Any) -> bool:
    return isinstance(part, dict) and "cache_control" in part


def _without_mark(message: dict[str, Any]) -> dict[str, Any]:
    if not _is_marked(message):
        return message
    return {key: value for key, value in message.items() if key != "cache_control"}
