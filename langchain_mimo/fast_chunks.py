"""Chunk objects without validation: the one fast path, with the public constructors behind it.

The public constructors cost 8 µs a text chunk. A tool-call fragment costs 50 µs at 8 characters and
7 ms at 1,000, because langchain-core parses each fragment as partial JSON, a character less at a
time. What is built here is equal in every respect (`tests/langchain/test_fast_chunks.py`), but
rests on pydantic's instance layout and on the fields of langchain-core's classes; so it is compared
with the public constructors once, at first use, and not used where it differs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.base import TextAccessor
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

PROVIDER = "mimo"
_new = object.__new__
_set = object.__setattr__  # as pydantic's own `model_construct` does
_text = str.__new__  # TextAccessor's own does just this, in Python
_copy = set.copy
_TEXT_FIELDS = {"content", "response_metadata"}
_EXTRA_FIELDS = _TEXT_FIELDS | {"additional_kwargs"}
_CALL_FIELDS = _TEXT_FIELDS | {"tool_call_chunks", "tool_calls", "invalid_tool_calls"}
_ALL_FIELDS = _CALL_FIELDS | _EXTRA_FIELDS


def make_chunk(
    content: str, additional_kwargs: dict[str, Any], calls: list[dict[str, Any]]
) -> ChatGenerationChunk:
    """A chunk in the middle of an answer.

    Args:
        content: a piece of the text.
        additional_kwargs: e.g. a piece of the reasoning; the chunk keeps this dict.
        calls: LangChain's tool-call chunks.
    """
    if _trusted() and not (calls and _may_open_an_object(calls)):
        return fast_chunk(content, additional_kwargs, calls)
    return public_chunk(content, additional_kwargs, calls)


def public_chunk(
    content: str, additional_kwargs: dict[str, Any], calls: list[dict[str, Any]]
) -> ChatGenerationChunk:
    """The chunk by the public constructors.

    What is empty is not passed: langchain-core adds the id, and a fifth field that was set would
    make the set of their names grow to three times its size, half a kilobyte for each chunk.

    Args: as for `make_chunk`.
    """
    fields: dict[str, Any] = {"additional_kwargs": additional_kwargs} if additional_kwargs else {}
    if calls:
        fields["tool_call_chunks"] = calls
    message = AIMessageChunk(
        content=content, response_metadata={"model_provider": PROVIDER}, **fields
    )
    return ChatGenerationChunk(message=message)


def fast_chunk(
    content: str, additional_kwargs: dict[str, Any], calls: list[dict[str, Any]]
) -> ChatGenerationChunk:
    """The same chunk without validation.

    Args:
        content, additional_kwargs: as for `make_chunk`.
        calls: as for `make_chunk`, but without one whose `args` open a JSON object.
    """
    complete, incomplete = _as_finished(calls) if calls else ([], [])
    message = _new(AIMessageChunk)
    _set(
        message,
        "__dict__",
        {
            "content": content,
            "additional_kwargs": additional_kwargs,
            "response_metadata": {"model_provider": PROVIDER},
            "type": "AIMessageChunk",
            "name": None,
            "id": None,
            "tool_calls": complete,
            "invalid_tool_calls": incomplete,
            "usage_metadata": None,
            "tool_call_chunks": calls,
            "chunk_position": None,
        },
    )
    if calls:
        fields = _ALL_FIELDS if additional_kwargs else _CALL_FIELDS
    else:
        fields = _EXTRA_FIELDS if additional_kwargs else _TEXT_FIELDS
    _set(message, "__pydantic_fields_set__", _copy(fields))
    _set(message, "__pydantic_extra__", {})
    _set(message, "__pydantic_private__", None)
    generation = _new(ChatGenerationChunk)
    _set(
        generation,
        "__dict__",
        {
            "text": _text(TextAccessor, content),
            "generation_info": None,
            "type": "ChatGenerationChunk",
            "message": message,
        },
    )
    _set(generation, "__pydantic_fields_set__", {"message", "text"})
    _set(generation, "__pydantic_extra__", None)
    _set(generation, "__pydantic_private__", None)
    return generation


def _as_finished(
    calls: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The calls that langchain-core makes of fragments, and the invalid ones: a fragment without
    arguments yet is a call without any to it, and any other one here cannot be an object."""
    complete, incomplete = [], []
    for call in calls:
        name, args, id_ = call["name"], call["args"], call["id"]
        if args:
            incomplete.append(
                {"name": name, "args": args, "id": id_, "error": None, "type": "invalid_tool_call"}
            )
        else:
            complete.append({"name": name or "", "args": {}, "id": id_, "type": "tool_call"})
    return complete, incomplete


def differs(one: Any, other: Any) -> bool:
    """Whether two pydantic objects differ in anything an instance has.

    Args:
        one: a pydantic object.
        other: another one.
    """
    return (
        type(one) is not type(other)
        or one.__pydantic_fields_set__ != other.__pydantic_fields_set__
        or one.__pydantic_extra__ != other.__pydantic_extra__
        or one.__pydantic_private__ != other.__pydantic_private__
        or list(one.__dict__) != list(other.__dict__)
        or any(
            differs(value, other.__dict__[name])
            if hasattr(value, "__pydantic_fields_set__")
            else value != other.__dict__[name] or type(value) is not type(other.__dict__[name])
            for name, value in one.__dict__.items()
        )
    )


@cache
def _trusted() -> bool:
    """Whether both ways build equal objects in this environment, for one example of each kind."""
    call = tool_call_chunk(name="f", args='a": 1}', id="1", index=0)
    opening = tool_call_chunk(name="f", args="", id=None, index=0)
    examples: list[tuple[str, dict[str, Any], list[Any]]] = [
        ("text", {}, []),
        ("", {"reasoning_content": "text"}, []),
        ("", {}, [call, opening]),
    ]
    try:
        return not any(differs(fast_chunk(*one), public_chunk(*one)) for one in examples)
    except Exception:  # whatever another version does to it, there is a way that works
        return False


def _may_open_an_object(calls: list[dict[str, Any]]) -> bool:
    for call in calls:
        args = call["args"]
        if args and "{" in args and args.lstrip()[:1] == "{":
            return True
    return False
