"""LangChain messages to request messages, in the shape of `POST /chat/completions`.

Every shape a history can hold is taken: text, v0 and v1 content blocks, OpenAI's and Anthropic's
parts, and what other providers' classes left behind. What MiMo's backends refuse (empty contents,
media in tool messages, missing reasoning, calls without results) is adapted afterwards by
`mimo_core.prepare`. Only what a user wrote is refused, by the number of its message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_mimo.fast_chunks import PROVIDER
from langchain_mimo.media import FILE_BLOCKS, convert_media_block, describe_unsent_file
from mimo_core.errors import InvalidRequestError
from mimo_core.gateways import Endpoint
from mimo_core.history import arguments_text, check_attachment
from mimo_core.models import ModelInfo
from mimo_core.values import quoted

_ROLES = "user, system, developer, assistant, tool and function"
# The last two are the Responses API's.
_TEXT_BLOCKS = ("text", "text-plain", "input_text", "output_text")
# They have a role of their own, as their subclasses have; asked first, because most are these.
_COMMON = frozenset({AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage})


def to_request_messages(
    messages: Sequence[BaseMessage],
    *,
    pass_back_reasoning: bool = True,
    info: ModelInfo | None = None,
    endpoint: Endpoint | None = None,
) -> list[dict[str, Any]]:
    """The request messages for a LangChain history.

    Args:
        messages: as LangChain hands them to a chat model.
        pass_back_reasoning: whether earlier reasoning goes along. MiMo refuses tool-call histories
            without it; off, the core sends an empty one instead.
        info: the chat model that users' attachments are for.
        endpoint: where they will be sent; without both, attachments are not checked here.

    Returns:
        The messages in the shape of `POST /chat/completions`, before the core adapts them.

    Raises:
        InvalidRequestError: MiMo has no form for a message or an attachment of the user's.
        UnsupportedInputError: an attachment of the user's that the model does not take.
    """
    request: list[dict[str, Any]] = []
    answered = _Answered(messages)
    for position, given in enumerate(messages):
        try:
            message = given if type(given) in _COMMON else _normalise_class(given, request)
            if isinstance(message, AIMessage):
                request.append(_convert_ai_message(message, answered, pass_back_reasoning))
            elif isinstance(message, ToolMessage):
                request.append(_convert_tool_message(message))
            elif isinstance(message, SystemMessage):
                request.append(_convert_system_message(message))
            else:
                request.extend(_convert_human_message(message))
        except InvalidRequestError as error:
            raise type(error)(f"messages[{position}]: {error}", param="messages") from error
        if type(request[-1]["content"]) is str or info is None or endpoint is None:
            continue
        if request[-1]["role"] == "user":
            where = f"messages[{position}]"
            _check_attachments(request[-1]["content"], info, where, endpoint)
    return request


class _Answered:
    """Which calls a history holds results for: looked up where an invalid call asks for it."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self._messages = messages
        self._ids: set[str] | None = None

    def __contains__(self, call_id: object) -> bool:
        if self._ids is None:
            self._ids = {m.tool_call_id for m in self._messages if isinstance(m, ToolMessage)}
        return call_id in self._ids


def _check_attachments(
    content: list[dict[str, Any]], info: ModelInfo, where: str, endpoint: Endpoint
) -> None:
    """The core's check, by the number that the message has for the user: instructions and results
    that are added on the way to the service would change it."""
    for part in content:
        if part["type"] != "text":
            check_attachment(part, info, where, endpoint.protocol, endpoint.dialect)


def _normalise_class(message: BaseMessage, before: list[dict[str, Any]]) -> BaseMessage:
    """The message in one of the four classes that the service has a role for.

    Args:
        before: the request messages before it.
    """
    if isinstance(message, FunctionMessage):
        id_ = _find_open_call(message.name, before)
        return ToolMessage(content=message.content, tool_call_id=id_)
    if isinstance(message, ChatMessage):
        return _convert_chat_message(message, before)
    if isinstance(message, AIMessage | ToolMessage | HumanMessage | SystemMessage):
        return message
    raise InvalidRequestError(f"MiMo has no role for a {type(message).__name__}; leave it out.")


def _convert_chat_message(message: ChatMessage, before: list[dict[str, Any]]) -> BaseMessage:
    content: Any = message.content
    extra = message.additional_kwargs
    match message.role:
        case "user" | "human":
            return HumanMessage(content, name=message.name)
        case "assistant" | "ai":
            return AIMessage(content, name=message.name, additional_kwargs=extra)
        case "system" | "developer":
            marked = {"__openai_role__": message.role}
            return SystemMessage(content, name=message.name, additional_kwargs=marked)
        case "tool" | "function":
            id_ = extra.get("tool_call_id") or _find_open_call(message.name, before)
            return ToolMessage(content, tool_call_id=str(id_))
    raise InvalidRequestError(
        f"MiMo has no role {message.role[:40]!r}; a ChatMessage's can be {_ROLES}."
    )


def _find_open_call(name: str | None, before: list[dict[str, Any]]) -> str:
    """The id of the last message's call of a function that no result answers yet; without one,
    empty: the core finds the call, or raises because the history has no such call."""
    answered = set()
    for message in reversed(before):
        if message["role"] != "tool":
            break
        answered.add(message["tool_call_id"])
    else:
        return ""
    for call in message.get("tool_calls") or ():
        if call["function"]["name"] == name and call["id"] and call["id"] not in answered:
            return str(call["id"])
    return ""


def reasoning_of(message: AIMessage) -> str:
    """The reasoning of an assistant message, from wherever its provider's class put it.

    Args:
        message: of any provider.

    Returns:
        The reasoning once, although some classes keep it in two places; empty without any.
    """
    extra, content = message.additional_kwargs, message.content
    for key in ("reasoning_content", "reasoning") if extra else ():
        found = extra.get(key)
        if isinstance(found, dict):  # OpenAI's Responses API, v0: an item with summaries
            found = "".join(_find_reasoning([{"type": "reasoning", **found}]))
        if isinstance(found, str) and found:
            return found
    return "".join(_find_reasoning(content)) if isinstance(content, list) else ""


def _add_name(message: BaseMessage, request: dict[str, Any]) -> dict[str, Any]:
    if message.name:
        request["name"] = message.name
    return request


def _convert_system_message(message: SystemMessage) -> dict[str, Any]:
    marked = message.additional_kwargs.get("__openai_role__")
    role = "developer" if marked == "developer" else "system"
    return _add_name(message, {"role": role, "content": _convert_content(message.content)})


def _convert_human_message(message: BaseMessage) -> Iterable[dict[str, Any]]:
    """A human message; Anthropic's `tool_result` blocks in it become tool messages before it."""
    if isinstance(message.content, str):
        return [_add_name(message, {"role": "user", "content": message.content})]
    results: list[dict[str, Any]] = []
    blocks: list[str | dict[str, Any]] = []
    for given in message.content:
        block = _unwrap_block(given)
        if isinstance(block, dict) and block.get("type") == "tool_result":
            content = _convert_result_content(block.get("content"))
            results.append(
                {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content}
            )
        else:
            blocks.append(block)
    if blocks or not results:
        results.append(_add_name(message, {"role": "user", "content": _convert_content(blocks)}))
    return results


def _convert_content(content: str | list[Any]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [_convert_block(block) for block in content] or ""


def _convert_block(given: str | dict[str, Any]) -> dict[str, Any]:
    """One block of a system, human or tool message as a content part."""
    block = _unwrap_block(given)
    if isinstance(block, str):
        return {"type": "text", "text": block}
    text = _find_text(block)
    part = convert_media_block(block) if text is None else _make_text_part(text)
    return {**part, "cache_control": mark} if (mark := _find_cache_mark(block)) else part


def _unwrap_block(block: str | dict[str, Any]) -> str | dict[str, Any]:
    """What LangChain's v1 content keeps of blocks that it does not know."""
    while (
        isinstance(block, dict)
        and block.get("type") == "non_standard"
        and isinstance(value := block.get("value"), dict)
    ):
        block = value
    return block


def _make_text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _find_text(block: dict[str, Any]) -> str | None:
    """The text in a block of text or of data; None for any other block."""
    kind = block.get("type")
    text = block.get("text")
    if (kind is None or kind in _TEXT_BLOCKS) and isinstance(text, str):
        return text
    if kind == "text" and text is None:
        return ""
    return _dump_json(block["json"]) if kind == "json" and "json" in block else None


def _dump_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except Exception:  # what no JSON can hold, or whose own text cannot be had
        return quoted(value, 1000)


def _find_cache_mark(block: str | dict[str, Any]) -> Any:
    """Anthropic's `cache_control`; LangChain's v1 blocks have it in their `extras`."""
    if isinstance(block, str):
        return None
    extras = block.get("extras")
    return block.get("cache_control") or (
        extras.get("cache_control") if isinstance(extras, dict) else None
    )


def _convert_tool_message(message: ToolMessage) -> dict[str, Any]:
    content = _convert_result_content(message.content)
    if not content and message.status == "error":
        content = "The tool failed without a message."
    return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}


def _convert_result_content(content: Any) -> str | list[dict[str, Any]]:
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        return [_convert_result_block(block) for block in content]
    return _dump_json(content)


def _convert_result_block(given: Any) -> dict[str, Any]:
    """A block of a tool's result. What is neither text nor a file is data, so its JSON is the text;
    a file that MiMo does not take is left to the core, which says so in its place."""
    block = _unwrap_block(given)
    if isinstance(block, str):
        return _make_text_part(block)
    if not isinstance(block, dict):
        return _make_text_part(_dump_json(block))
    kind = block.get("type")
    if _find_text(block) is None and not (isinstance(kind, str) and kind in FILE_BLOCKS):
        return _make_text_part(_dump_json(block))
    try:
        return _convert_block(block)
    except InvalidRequestError:
        return describe_unsent_file(block)


def _convert_ai_message(
    message: AIMessage, answered: _Answered, pass_back_reasoning: bool
) -> dict[str, Any]:
    content, extra = message.content, message.additional_kwargs
    request = _add_name(message, {"role": "assistant", "content": _join_ai_text(message)})
    if pass_back_reasoning and (extra or type(content) is not str):
        if reasoning := reasoning_of(message):
            request["reasoning_content"] = reasoning
        for name in ("reasoning_signature", "reasoning_details"):  # alone, where it is encrypted
            if value := extra.get(name):
                request[name] = value
    # Its text goes along as one, so a mark is the message's own: what is cached ends there.
    blocks = content if isinstance(content, list) else ()
    if blocks and (marks := [mark for block in blocks if (mark := _find_cache_mark(block))]):
        request["cache_control"] = marks[-1]
    if calls := _collect_tool_calls(message, answered):
        request["tool_calls"] = calls
    return request


def _join_ai_text(message: AIMessage) -> str:
    """What was said. Blocks that are not text are other fields' matter, or another provider's."""
    if isinstance(content := message.content, str):
        return content or _find_foreign_refusal(message)
    texts = [
        block if isinstance(block, str) else _text_or_empty(block.get("text"))
        for block in message.content
        if isinstance(block, str) or block.get("type") in _TEXT_BLOCKS
    ]
    return "".join(texts) or _find_foreign_refusal(message)


def _text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _find_foreign_refusal(message: AIMessage) -> str:
    """Another model's words of refusal. (Where MiMo's filter withheld an answer, they are ours.)"""
    if message.response_metadata.get("model_provider") == PROVIDER:
        return ""
    if not message.content and not message.additional_kwargs:
        return ""  # a call and nothing else
    blocks = [b for b in message.content if isinstance(b, dict) and b.get("type") == "refusal"]
    found = [block.get("refusal") for block in blocks] or [message.additional_kwargs.get("refusal")]
    return "".join(text for text in found if isinstance(text, str))


def _find_reasoning(content: list[Any]) -> Iterable[str]:
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "reasoning":
            if text := _text_or_empty(block.get("reasoning")):
                yield text
            else:  # OpenAI's Responses API: summaries
                parts = block.get("summary")
                for part in parts if isinstance(parts, list) else ():
                    yield _read_text(part, "text")
        elif kind == "thinking":
            yield _text_or_empty(block.get("thinking"))
        elif kind == "reasoning_content":  # Bedrock's Converse API
            yield _read_text(block.get("reasoning_content"), "text")


def _read_text(holder: Any, name: str) -> str:
    return _text_or_empty(holder.get(name)) if isinstance(holder, Mapping) else ""


def _collect_tool_calls(message: AIMessage, answered: _Answered) -> list[dict[str, Any]]:
    """The calls, each once. An invalid one that no tool message answers is left out: an agent ends
    there, and a call without an answer would make every later turn fail."""
    calls = [_make_tool_call(call["id"], call["name"], call["args"]) for call in message.tool_calls]
    for invalid in message.invalid_tool_calls:
        if invalid["id"] in answered:
            calls.append(_make_tool_call(invalid["id"], invalid["name"], invalid["args"]))
    if isinstance(message.content, list):
        known = [call["id"] for call in calls]
        for block in message.content:
            if not isinstance(block, dict) or block.get("type") not in ("tool_use", "tool_call"):
                continue
            if block.get("id") not in known:
                args = block.get("input" if block["type"] == "tool_use" else "args")
                calls.append(_make_tool_call(block.get("id"), block.get("name"), args))
    legacy = message.additional_kwargs.get("function_call")
    if not calls and not message.invalid_tool_calls and isinstance(legacy, Mapping):
        calls.append(_make_tool_call(None, legacy.get("name"), legacy.get("arguments")))
    return calls


def _make_tool_call(id_: Any, name: Any, args: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments_text(args)}
    return {"id": id_, "type": "function", "function": function}
