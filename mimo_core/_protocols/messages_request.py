"""Prepared requests, translated to the messages protocol.

What it has no place for is dropped only where the service loses nothing by it: `stream_options`
(usage always comes), `name`, an image's `detail`, values that are the default anyway. Everything
else is refused with the protocol that takes it.
"""

from __future__ import annotations

import json
from typing import Any

from mimo_core.dialects import XIAOMI, Dialect, template_arguments
from mimo_core.errors import InvalidRequestError, UnsupportedInputError
from mimo_core.models import ModelInfo, model_info
from mimo_core.schemas import JSON_ONLY, schema_instruction

# The service's own default for its multimodal models. Only for ids that the table does not know:
# a server of one's own refuses a `max_tokens` that is larger than its context window.
_UNKNOWN_MAX_TOKENS = 32_768

_MIN_BUDGET = 1024  # tokens: Anthropic's least
# Of `max_tokens`, for thinking, by the effort; the rest is the answer's.
_SHARES: dict[Any, float] = {"low": 0.25, "high": 0.75}

_RENAMED = frozenset(
    {"messages", "max_completion_tokens", "max_tokens", "stop", "tools", "tool_choice"}
    | {"parallel_tool_calls", "thinking", "reasoning_effort", "response_format"}
)
_DROPPED = frozenset({"stream", "stream_options", "n"})
_REFUSED = ("audio", "asr_options")
_PENALTIES = ("frequency_penalty", "presence_penalty")


def messages_body(request: dict[str, Any], dialect: Dialect = XIAOMI) -> dict[str, Any]:
    """The body for a prepared request, without `stream`.

    `max_tokens` is required here: without one, the model's default output, or its largest.
    `response_format` has no equivalent: the format, or the schema, is asked for in `system`. The
    service guarantees neither; the hosts check the answer, as they do on the other protocol.

    Args:
        request: as `prepare` gives it.
        dialect: of the server.

    Raises:
        InvalidRequestError: a parameter, a tool or a model that this protocol does not have.
        UnsupportedInputError: audio or video input.
    """
    info = model_info(request["model"])
    _refuse(request, info)
    taken = {*_RENAMED, *_DROPPED, *_PENALTIES}
    body = {name: value for name, value in request.items() if name not in taken}
    body["max_tokens"] = _max_tokens(request, info)
    system, messages = _split(request["messages"])
    instruction = _format_instruction(request.get("response_format"))
    # The hosts may have asked already, be it with a stricter form of the schema.
    opening = instruction.partition("\n")[0]
    if instruction and not any(opening in block["text"] for block in system):
        system.append({"type": "text", "text": instruction})
    if system:
        body["system"] = system
    body["messages"] = messages
    if stop := request.get("stop"):
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if thinking := _thinking(request):
        body |= _switch(thinking, request, body, dialect)
    if tools := request.get("tools"):
        body["tools"] = [_tool(tool) for tool in tools]
        if choice := _tool_choice(request):
            body["tool_choice"] = choice
    return body


def _refuse(request: dict[str, Any], info: ModelInfo) -> None:
    if info.kind != "chat":
        raise _not_here(f"The model {info.id}", "model")
    for name in _REFUSED:
        if request.get(name):
            raise _not_here(f"{name!r}", name)
    for name in _PENALTIES:
        if request.get(name):  # 0 is the default
            raise _not_here(f"{name!r}", name)


def _not_here(what: str, param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{what} is not supported by the messages protocol; use protocol='chat_completions' "
        "(or its base URL).",
        param=param,
    )


def _max_tokens(request: dict[str, Any], info: ModelInfo) -> int:
    given = request.get("max_completion_tokens") or request.get("max_tokens")
    if given:
        return int(given)
    return info.default_output or (info.max_output if info.known else _UNKNOWN_MAX_TOKENS)


def _thinking(request: dict[str, Any]) -> dict[str, Any] | None:
    thinking: dict[str, Any] | None = request.get("thinking")
    effort = request.get("reasoning_effort")
    if thinking is None and effort is not None:  # "none" is all that the service knows of it
        return {"type": "disabled" if effort == "none" else "enabled"}
    return thinking


def _switch(
    thinking: dict[str, Any], request: dict[str, Any], body: dict[str, Any], dialect: Dialect
) -> dict[str, Any]:
    """The fields that turn thinking on or off on this server."""
    kind, has_budget = thinking.get("type"), "budget_tokens" in thinking
    if kind not in ("enabled", "disabled"):  # the server's own words, from `extra_body`
        return {"thinking": thinking}
    on = kind == "enabled"
    if dialect.messages_thinking == "adaptive":
        adaptive = {"type": "adaptive" if on else "disabled"}
        given = body.get("chat_template_kwargs") or {}
        return {
            "thinking": thinking if has_budget else adaptive,
            "chat_template_kwargs": {**template_arguments(thinks=on), **given},
        }
    if dialect.messages_thinking == "enabled" or not on or has_budget:
        return {"thinking": thinking}
    budget = max(
        _MIN_BUDGET, int(body["max_tokens"] * _SHARES.get(request.get("reasoning_effort"), 0.5))
    )
    if budget >= body["max_tokens"]:
        raise InvalidRequestError(
            f"max_tokens is {body['max_tokens']}; with thinking on, this server's messages "
            f"protocol wants more than {_MIN_BUDGET}. Raise it, or use "
            "protocol='chat_completions'.",
            param="max_tokens",
        )
    return {"thinking": {**thinking, "budget_tokens": budget}}


def _format_instruction(response_format: Any) -> str:
    """What to ask for in words; empty where any text will do."""
    kind = response_format.get("type") if isinstance(response_format, dict) else response_format
    if kind in (None, "text"):
        return ""
    if kind == "json_object":
        return JSON_ONLY
    described = response_format.get("json_schema") if isinstance(response_format, dict) else None
    if kind == "json_schema" and isinstance(described, dict):
        return schema_instruction(described.get("schema") or {})
    raise _not_here(f"response_format {kind!r}", "response_format")


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function":
        raise _not_here(f"The tool {tool['type']!r}", "tools")
    function = tool["function"]
    translated = {"name": function["name"], "input_schema": function["parameters"]}
    if function.get("description"):
        translated["description"] = function["description"]
    if function.get("strict"):
        translated["strict"] = True  # Anthropic's own name for the same
    return _cached(translated, tool if "cache_control" in tool else function)


def _tool_choice(request: dict[str, Any]) -> dict[str, Any] | None:
    """Documented on neither protocol but for `auto`, and not enforced by the service."""
    choice = request.get("tool_choice")
    translated: dict[str, Any] = {"type": "auto"}
    if isinstance(choice, dict):
        function = choice.get("function") or choice
        if isinstance(function, dict) and function.get("name"):
            translated = {"type": "tool", "name": function["name"]}
    elif choice == "required":
        translated = {"type": "any"}
    if request.get("parallel_tool_calls") is False:
        translated["disable_parallel_tool_use"] = True
    return None if translated == {"type": "auto"} else translated


# Messages


def _split(history: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system blocks and the messages.

    Instructions have one place here, before the conversation: later ones move there, in order.
    The results of tools that were called together travel in one user message.
    """
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for position, message in enumerate(history):
        role = message["role"]
        if role in ("system", "developer"):
            system += _instructions(message, f"messages[{position}]")
            continue
        if role == "tool":
            if results is None:
                results = []
                messages.append({"role": "user", "content": results})
            results.append(_tool_result(message, f"messages[{position}]"))
            continue
        results = None
        if role == "assistant":
            messages.append({"role": "assistant", "content": _assistant(message)})
        else:
            content = _content(message, f"messages[{position}]")
            messages.append({"role": "user", "content": content})
    if not messages:
        raise InvalidRequestError(
            "The history holds instructions only; the messages protocol needs a user message.",
            param="messages",
        )
    return [block for block in system if block["text"].strip()], messages


def _instructions(message: dict[str, Any], where: str) -> list[dict[str, Any]]:
    blocks = _as_list(_content(message, where))
    if any(block["type"] != "text" for block in blocks):
        raise UnsupportedInputError(
            f"{where}: instructions are text only on the messages protocol; move the image into a "
            "user message.",
            param="messages",
        )
    return blocks


def _content(message: dict[str, Any], where: str) -> str | list[dict[str, Any]]:
    """A text or a list of blocks; a `cache_control` of the whole message is on its last block."""
    content = message["content"]
    if isinstance(content, str):
        if "cache_control" not in message:
            return content
        return [_cached({"type": "text", "text": content}, message)]
    blocks = [_block(part, where) for part in content]
    if blocks:
        _cached(blocks[-1], message)
    return blocks


def _as_list(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _assistant(message: dict[str, Any]) -> str | list[dict[str, Any]]:
    """Reasoning first, as a thinking block with the signature it came with: MiMo's is empty."""
    content = message["content"]
    calls = message.get("tool_calls") or ()
    reasoning = message.get("reasoning_content")
    if isinstance(content, str) and reasoning is None and not calls:
        return content if "cache_control" not in message else _as_list(_content(message, ""))
    thinking: list[dict[str, Any]] = []
    if reasoning is not None:
        signature = message.get("reasoning_signature") or ""
        thinking = [{"type": "thinking", "thinking": reasoning, "signature": signature}]
    blocks = [block for block in _as_list(_text_blocks(content)) if block["text"].strip()]
    blocks += [_tool_use(call) for call in calls]
    if blocks:
        _cached(blocks[-1], message)
    elif not thinking:
        blocks = [{"type": "text", "text": " "}]
    return thinking + blocks


def _text_blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_cached({"type": "text", "text": block["text"]}, block) for block in _as_list(content)]


def _tool_use(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {
        "type": "tool_use",
        "id": call["id"],
        "name": function["name"],
        "input": json.loads(function["arguments"]),
    }


def _tool_result(message: dict[str, Any], where: str) -> dict[str, Any]:
    inner = {key: value for key, value in message.items() if key != "cache_control"}
    result = {
        "type": "tool_result",
        "tool_use_id": message["tool_call_id"],
        "content": _content(inner, where),
    }
    return _cached(result, message)


def _block(part: dict[str, Any], where: str) -> dict[str, Any]:
    """One content part as a block."""
    if part["type"] == "text":
        return _cached({"type": "text", "text": part["text"]}, part)
    return _cached({"type": "image", "source": _image_source(part["image_url"]["url"])}, part)


def _image_source(url: str) -> dict[str, Any]:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.removeprefix("data:").partition(",")
    return {"type": "base64", "media_type": head.split(";")[0], "data": data}


def _cached(block: dict[str, Any], marked: dict[str, Any]) -> dict[str, Any]:
    """`block`, which is new, with the `cache_control` that `marked` has."""
    if marked.get("cache_control"):
        block["cache_control"] = marked["cache_control"]
    return block
