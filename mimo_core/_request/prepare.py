"""`prepare()`: check a request and adapt it to what MiMo takes, in one place for every host.

Everything that is particular to MiMo about a request lives here and in `history.py`. Facts are the
vendor's parameter reference (3 June 2026) where not said otherwise.
"""

import re
from collections.abc import Mapping
from typing import Any

from mimo_core._request.body import encode_body
from mimo_core._request.history import adapt_messages
from mimo_core._request.thinking import switch_thinking
from mimo_core.dialects import XIAOMI, Dialect
from mimo_core.errors import InvalidRequestError
from mimo_core.gateways import ProtocolName
from mimo_core.models import ALIASES, DEFAULT_MODEL, EFFORTS, ModelInfo, model_info
from mimo_core.types import ChatRequest
from mimo_core.values import quoted

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 1.5),
    "top_p": (0.01, 1.0),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_MAX_STOPS = 4
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_CHOICES = ("auto", "none", "required")
_KNOWN_FIELDS = frozenset(ChatRequest.__annotations__)
# Not fields of `ChatRequest`: Anthropic's own two, and `n`, which can only be 1.
_MESSAGES_FIELDS = frozenset({"top_k", "metadata", "n"})
_CHAT_ONLY = ("stop", "thinking", "tools", "tool_choice", "response_format")


def prepare(
    request: Mapping[str, Any],
    protocol: ProtocolName = "chat_completions",
    dialect: Dialect = XIAOMI,
) -> dict[str, Any]:
    """The request as MiMo takes it; `request` itself stays as it is.

    - Fields that are None are left out; what `extra_body` holds beyond the known
      fields is merged in, unchecked.
    - `thinking` becomes `{"type": "enabled" | "disabled"}`, or what the server has in its place.
    - `tool_choice: "none"` leaves the tools out: the service ignores it.
    - Every tool has a `parameters` schema: without one the model writes its call as text.
    - The messages are adapted to `protocol` and `dialect` as `history.adapt_messages` says.
    - At Xiaomi the model's id is in lower case and without `[1m]`, which is a client's habit.

    A mapping of the caller's whose own methods raise is not caught: the exception is his.

    Args:
        request: a `ChatRequest`.
        protocol: on which it will be sent.
        dialect: of the server (`Endpoint.dialect`). The ranges, names and limits of Xiaomi's
            reference bind Xiaomi's hosts only.

    Raises:
        InvalidRequestError: `request` is no mapping, a value is out of its range, a name is
            misspelt, `messages` is empty.
        UnsupportedInputError: the history holds media that the model does not take.
    """
    if not isinstance(request, Mapping):
        raise InvalidRequestError(
            f"request is {quoted(request)}; it must be a dict with 'model' and 'messages'.",
            param="request",
        )
    body = {key: value for key, value in request.items() if value is not None}
    extra = body.pop("extra_body", {})
    if not isinstance(extra, Mapping) or not all(isinstance(name, str) for name in extra):
        raise InvalidRequestError("extra_body must be a dict of fields.", param="extra_body")
    extra = dict(extra)
    own_words = set() if dialect.thinking == "thinking" else {"thinking"}
    for name in (_KNOWN_FIELDS & extra.keys()) - own_words:
        value = extra.pop(name)  # it wins, as with OpenAI's clients
        if value is not None:
            body[name] = value
    if extra:
        _check_extra(extra)
    if dialect.is_vendors:
        _check_names(body)
        if protocol == "messages":
            _check_names_for_messages(body)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequestError(f"model is missing, e.g. {DEFAULT_MODEL!r}.", param="model")
    info = model_info(model)
    _normalise_thinking(body)
    _check_for_model(body, info)
    _check_stop(body)
    _check_shapes(body)
    _adapt_tools(body, dialect)
    if dialect.is_vendors:
        _check_ranges(body, info)
        plain = model.removesuffix("[1m]").lower()
        body["model"] = model if plain in ALIASES else plain
    if info.kind != "chat" and protocol == "chat_completions":  # the other one has no speech
        from mimo_core.speech import check_speech

        check_speech(body, info)
    thinks = info.thinks(body.get("thinking"), body.get("reasoning_effort"))
    body["messages"] = adapt_messages(
        body.get("messages"), info, dialect, thinks=thinks, blocks=protocol == "messages"
    )
    if protocol == "chat_completions":
        switch_thinking(body, extra, dialect)
        if "max_completion_tokens" in body and dialect.max_tokens != "max_completion_tokens":
            body[dialect.max_tokens] = body.pop("max_completion_tokens")
    body.update(extra)
    return body


def _check_extra(extra: dict[str, Any]) -> None:
    """Here, because later nobody knows where a field came from."""
    try:
        encode_body(extra)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"extra_body: {error}", param="extra_body") from error


def _check_names(body: dict[str, Any]) -> None:
    """The service ignores unknown fields in silence, so a typo is found here or never."""
    for name in body:
        if name in _KNOWN_FIELDS:
            continue
        from difflib import get_close_matches

        if close := get_close_matches(name, sorted(_KNOWN_FIELDS), n=1, cutoff=0.85):
            raise InvalidRequestError(
                f"{name!r} is not a parameter; did you mean {close[0]!r}? "
                f"(If you do mean {name!r}, pass it in extra_body.)",
                param=name,
            )


def _check_names_for_messages(body: dict[str, Any]) -> None:
    """Fields of chat completions that nobody translates would be ignored in silence there."""
    for name in body.keys() - _KNOWN_FIELDS - _MESSAGES_FIELDS:
        raise InvalidRequestError(
            f"{name!r} is not supported by the messages protocol; pass it in extra_body if your "
            "server takes it, or use protocol='chat_completions' (or its base URL).",
            param=name,
        )


def _normalise_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking")
    if isinstance(thinking, bool):
        body["thinking"] = {"type": "enabled" if thinking else "disabled"}
    elif thinking is not None and (
        not isinstance(thinking, dict)
        or not isinstance(thinking.get("type"), str)
        or thinking["type"] not in ("enabled", "disabled")
    ):
        raise InvalidRequestError(
            f"thinking is {quoted(thinking)}; it can be true, false or "
            "{'type': 'enabled'} or {'type': 'disabled'}.",
            param="thinking",
        )


def _check_for_model(body: dict[str, Any], info: ModelInfo) -> None:
    """Fields that only some kinds of model have."""
    if info.kind != "chat":
        if body.get("thinking") == {"type": "disabled"}:
            del body["thinking"]  # says what is so anyway; the service refuses the field
        for name in _CHAT_ONLY:
            if body.get(name):
                raise InvalidRequestError(f"{info.id} does not take {name!r}.", param=name)
    if info.known and info.kind != "tts" and "audio" in body:
        raise InvalidRequestError(
            f"{info.id} does not speak; 'audio' is for the mimo-…-tts models.", param="audio"
        )
    if info.known and info.kind != "asr" and "asr_options" in body:
        raise InvalidRequestError(
            f"{info.id} cannot transcribe; 'asr_options' is for mimo-v2.5-asr.",
            param="asr_options",
        )
    if body.get("n", 1) != 1:
        raise InvalidRequestError("MiMo gives one answer a request; 'n' must be 1.", param="n")


def _check_ranges(body: dict[str, Any], info: ModelInfo) -> None:
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (_is_number(value) and low <= value <= high):
            raise InvalidRequestError(
                f"{name} is {quoted(value)}; it must be a number from {low:g} to {high:g}.",
                param=name,
            )
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None and not (
            isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= info.max_output
        ):
            raise InvalidRequestError(
                f"{name} is {quoted(value)}; for {info.id} it must be a whole number "
                f"from 1 to {info.max_output}.",
                param=name,
            )
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        raise InvalidRequestError(
            f"reasoning_effort is {quoted(effort)}; it can be {', '.join(map(repr, EFFORTS))}.",
            param="reasoning_effort",
        )
    stop = body.get("stop")
    if isinstance(stop, list | tuple) and len(stop) > _MAX_STOPS:
        raise InvalidRequestError(
            f"stop has {len(stop)} sequences; MiMo takes at most {_MAX_STOPS}.", param="stop"
        )


def _check_stop(body: dict[str, Any]) -> None:
    stop = body.get("stop")
    if stop is None:
        return
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list | tuple) or not all(isinstance(s, str) and s for s in stops):
        raise InvalidRequestError("stop must be a text or a list of texts.", param="stop")
    if not stops:
        del body["stop"]


def _check_shapes(body: dict[str, Any]) -> None:
    """Fields whose values are the server's to judge, but not their JSON types."""
    for name in ("parallel_tool_calls", "stream"):
        if not isinstance(body.get(name), bool | None):
            raise InvalidRequestError(
                f"{name} is {quoted(body[name])}; it must be true or false.", param=name
            )
    effort = body.get("reasoning_effort")
    if effort is not None and not isinstance(effort, str):
        raise InvalidRequestError(
            f"reasoning_effort is {quoted(effort)}; it can be {', '.join(map(repr, EFFORTS))}.",
            param="reasoning_effort",
        )
    format_ = body.get("response_format")
    if format_ is not None and not (
        isinstance(format_, dict) and isinstance(format_.get("type"), str)
    ):
        raise InvalidRequestError(
            f"response_format is {quoted(format_)}; it can be {{'type': 'json_object'}}, "
            "{'type': 'text'} or {'type': 'json_schema', 'json_schema': {…}}.",
            param="response_format",
        )
    if not isinstance(body.get("tools"), list | tuple | None):
        raise InvalidRequestError("tools must be a list.", param="tools")
    if not isinstance(body.get("tool_choice"), str | dict | None):
        raise _not_a_choice(body["tool_choice"])
    if not isinstance(body.get("stream_options"), dict | None):
        raise InvalidRequestError("stream_options must be an object.", param="stream_options")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _adapt_tools(body: dict[str, Any], dialect: Dialect) -> None:
    if body.get("tool_choice") == "none" or not body.get("tools"):
        # Neither means anything without the other, and the service ignores "none".
        body.pop("tools", None)
        body.pop("tool_choice", None)
        body.pop("parallel_tool_calls", None)
        return
    choice = body.get("tool_choice")
    if not (choice is None or choice in _CHOICES or _is_named_function(choice)):
        raise _not_a_choice(choice)
    body["tools"] = [_tool(tool, dialect) for tool in body["tools"]]


def _not_a_choice(choice: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"tool_choice is {quoted(choice)}; it can be {', '.join(map(repr, _CHOICES))} or "
        "{'type': 'function', 'function': {'name': …}}.",
        param="tool_choice",
    )


def _is_named_function(choice: Any) -> bool:
    function = choice.get("function") if isinstance(choice, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and choice.get("type") == "function"
    )


def _tool(tool: Any, dialect: Dialect) -> dict[str, Any]:
    kind = tool.get("type", "function") if isinstance(tool, dict) else None
    if kind == "web_search":
        _check_search(tool)
        return dict(tool)
    if kind != "function" and isinstance(kind, str) and not dialect.is_vendors:
        return dict(tool)
    function = tool.get("function") if isinstance(tool, dict) else None
    if kind != "function" or not isinstance(function, dict):
        raise InvalidRequestError(
            f"MiMo's tools are of type 'function' or 'web_search', not {quoted(kind)}.",
            param="tools",
        )
    tool_name = function.get("name")
    if not isinstance(tool_name, str) or not _TOOL_NAME.match(tool_name):
        raise InvalidRequestError(
            f"{quoted(tool_name)} is not a tool name MiMo takes: 1 to 64 of a-z, A-Z, 0-9, "
            "'_' and '-'.",
            param="tools",
        )
    parameters, description = function.get("parameters"), function.get("description")
    if not isinstance(parameters, dict | None) or not isinstance(description, str | None):
        raise InvalidRequestError(
            f"tool {tool_name}: parameters must be a JSON Schema object, and description a text.",
            param="tools",
        )
    if not parameters:
        function = {**function, "parameters": {"type": "object", "properties": {}}}
    return {**tool, "type": "function", "function": function}


def _check_search(tool: dict[str, Any]) -> None:
    for name in ("max_keyword", "limit"):
        value = tool.get(name)
        if value is not None and not (
            isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 50
        ):
            raise InvalidRequestError(
                f"web_search: {name} is {quoted(value)}; it must be a whole number from 1 to 50.",
                param="tools",
            )
    place = tool.get("user_location")
    if place is not None and not (isinstance(place, dict) and place.get("type") == "approximate"):
        raise InvalidRequestError(
            "web_search: user_location must be {'type': 'approximate', 'country': …}.",
            param="tools",
        )
