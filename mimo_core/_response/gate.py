"""The one gate: what a server sent, checked for the types that the core and the hosts read.

Behind it no code asks again. A field that nobody reads passes with whatever it holds. A wrong count
of `usage` costs that count; anything else that is wrong costs the answer, for nobody can tell what
it was to say. What ends an answer is in `ending`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from mimo_core._response.accumulate import ContradictionError
from mimo_core._response.ending import check_whole
from mimo_core.types import FAILED_REASONS, Usage

_Check = Callable[[Any, str], None]
_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def check_choice(choice: Any, holder: str) -> None:
    """Check one choice of an answer.

    Args:
        choice: off the wire, or translated to that form.
        holder: where its message stands: `delta` in a stream, else `message`.

    Raises:
        ContradictionError: it is not what this code reads; the text says where.
        InvalidResponseError: a whole answer does not say that it is complete.
    """
    _object(choice, "a choice")
    _index(choice.get("index"), "a choice's index")
    message = choice.get(holder)
    if message is None and (other := choice.get("message")):
        raise ContradictionError(f"a choice holds {_kind(other)} 'message' in place of 'delta'")
    if not message and choice.get("text"):  # some send both
        raise ContradictionError(f"a choice holds 'text' in place of {holder!r}")
    if error := choice.get("error"):
        raise ContradictionError(f"a choice holds an error: {error!r:.200}")
    if message is not None:
        _fields(message, _MESSAGE, holder)
    reason = choice.get("finish_reason")
    _text(reason, "finish_reason")
    if reason and reason.lower() in FAILED_REASONS:
        raise ContradictionError(f"the server gave up, with the finish reason {reason!r}")
    if holder == "message":
        check_whole(choice)


def check_no_choices(choices: Any) -> None:
    """Check that an event without choices says so as a server may.

    Args:
        choices: what stands there.

    Raises:
        ContradictionError: it is neither null nor an empty list.
    """
    if choices is not None and type(choices) is not list:
        raise _wrong(choices, "choices", "a list")


def says_failure(event: dict[str, Any]) -> bool:
    """Whether an event in which nothing of an answer stands says that the server failed.

    Seen of servers beside `error`: `{"object": "error", "message": …}` (vLLM until 0.10),
    `{"detail": …}` (FastAPI), `{"code": 500, "message": …}`, `{"errors": […]}`. An event that says
    of itself what else it is (`{"type": "ping"}`) may hold any of these.

    Args:
        event: of a stream, of either protocol.
    """
    kind = event.get("type")
    if kind == "error" or event.get("object") == "error":
        return True
    return type(kind) is not str and any(event.get(name) for name in _FAILURES)


_FAILURES = ("message", "msg", "detail", "errors", "error_message", "error_msg", "code")


def check_block(block: Any, *, starts: bool) -> None:
    """Check one content block of the messages protocol. One of an unknown type may hold anything.

    Args:
        block: off the wire.
        starts: whether it is the start of a streamed one, whose text may come in pieces only. No
            server is known that leaves the text of a whole one out (Ollama does not, by its source
            at 017eb8a; others' were not read for it).

    Raises:
        ContradictionError: it is not what this code reads.
    """
    _object(block, "a content block")
    kind = block.get("type")
    if type(kind) is not str or not kind:
        raise ContradictionError(f"a content block is of the type {kind!r:.40}")
    if kind in ("text", "thinking"):  # each has its text under its own name
        text = block.get(kind)
        if not isinstance(text, str) and not (starts and text is None):
            raise _wrong(text, f"the {kind!r} of a content block", "a text")
    if kind == "thinking":
        _text(block.get("signature"), "the 'signature' of a content block")


def check_index(index: Any) -> None:
    """Check the index of a content block. (1.0 and true equal the number 1, and are not it.)

    Args:
        index: off the wire.

    Raises:
        ContradictionError: it is none.
    """
    _index(index, "the index of a content block")


def check_input(given: Any) -> None:
    """Check the arguments of a call of the messages protocol.

    Args:
        given: what stands there; an empty list is PHP's empty object.

    Raises:
        ContradictionError: it can be none.
    """
    if given and not isinstance(given, dict | str):
        raise _wrong(given, "the 'input' of a tool call", "an object")


def readable_usage(usage: Any) -> Usage | None:
    """The counts of a usage that are counts; what else stands there is left as it is.

    Args:
        usage: off the wire.

    Returns:
        Whole numbers that are not negative, at the names that this code reads. None without any.
    """
    if not isinstance(usage, dict):
        return None
    readable: dict[str, Any] = {}
    for name, value in usage.items():
        if name in _COUNTS:
            if (count := readable_count(value)) is not None:
                readable[name] = count
        elif name in _DETAILS:
            if isinstance(value, dict):
                counts = {key: readable_count(number) for key, number in value.items()}
                readable[name] = {k: count for k, count in counts.items() if count is not None}
        elif name != "seconds" or _is_length(value):
            readable[name] = value
    return cast("Usage", readable) or None


def readable_count(value: Any) -> int | None:
    """A count of tokens, or None where `value` is none.

    Args:
        value: off the wire; a whole number may be written as `3.0`.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else None


def _is_length(value: Any) -> bool:
    """Whether these are seconds: what hosts round must be finite."""
    return type(value) in (int, float) and 0 <= value <= _LARGEST_COUNT


_LARGEST_COUNT = 2**63 - 1  # llm's log is SQLite, which holds no larger number
_COUNTS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})
_DETAILS = frozenset({"prompt_tokens_details", "completion_tokens_details", "web_search_usage"})


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "something else")


def _wrong(value: Any, where: str, wanted: str) -> ContradictionError:
    return ContradictionError(f"{where} is {_kind(value)}, not {wanted}")


def _text(value: Any, where: str) -> None:
    if value is not None and not isinstance(value, str):
        raise _wrong(value, where, "a text")


def _index(value: Any, where: str) -> None:
    if value is not None and type(value) is not int:
        raise _wrong(value, where, "a whole number")


def _object(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(value, where, "an object")


def _objects(value: Any, where: str) -> None:
    if not isinstance(value, list):
        raise _wrong(value, where, "a list")
    for element in value:
        _object(element, f"an element of {where}")


def _fields(value: Any, checks: dict[str, _Check], where: str) -> None:
    _object(value, where)
    for name, held in value.items():
        if held is not None and (check := checks.get(name)) is not None:
            check(held, f"{where}.{name}")


def _arguments(value: Any, where: str) -> None:
    if not isinstance(value, str | dict):  # some relays send the object itself
        raise _wrong(value, where, "a text")


def _function(value: Any, where: str) -> None:
    _fields(value, _FUNCTION, where)


def _each(value: Any, checks: dict[str, _Check], where: str) -> None:
    if not isinstance(value, list):
        raise _wrong(value, where, "a list")
    for element in value:
        _fields(element, checks, where)


def _calls(value: Any, where: str) -> None:
    _each(value, _CALL, where)


def _audio(value: Any, where: str) -> None:
    _fields(value, _AUDIO, where)


def _annotations(value: Any, where: str) -> None:
    _each(value, _ANNOTATION, where)


_FUNCTION: dict[str, _Check] = {"name": _text, "arguments": _arguments}
_CALL: dict[str, _Check] = {"index": _index, "id": _text, "type": _text, "function": _function}
_AUDIO: dict[str, _Check] = {"data": _text, "id": _text, "transcript": _text}
_ANNOTATION: dict[str, _Check] = dict.fromkeys(
    ("url", "title", "summary", "site_name", "publish_time"), _text
)
_MESSAGE: dict[str, _Check] = {
    **dict.fromkeys(
        (
            "role",
            "content",
            "reasoning_content",
            "reasoning",
            "reasoning_signature",
            "error_message",
            "final_text_preview",
        ),
        _text,
    ),
    "reasoning_details": _objects,
    "annotations": _annotations,
    "tool_calls": _calls,
    "audio": _audio,
}
