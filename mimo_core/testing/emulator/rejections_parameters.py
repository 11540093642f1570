"""What the service refuses of a request's parameters: the model, sampling, thinking, tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mimo_core.models import MODELS, ModelInfo
from mimo_core.testing.emulator.policy import Policy, Rejection, param_incorrect
from mimo_core.testing.emulator.rejections_history import TOOL_NAME

CLOUDSWAY_MODELS = ("MaaS_Mimo_V2.5_20260423", "MaaS_Mimo_V2.5_pro_20260423")
_RANGES = {
    "temperature": (0, 1.5),
    "top_p": (0.01, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
_FORMATS = ("text", "json_object", "json_schema")
_EFFORTS = ("none", "low", "medium", "high")
_CHOICES = ("auto", "none", "required")


def model_rejection(model: Any, policy: Policy, *, cloudsway: bool = False) -> Rejection | None:
    """An id that is not served here, which any spelling but the exact one is."""
    known = MODELS.keys() | policy.extra_models
    if cloudsway:
        known |= set(CLOUDSWAY_MODELS)
    if not isinstance(model, str) or not model:
        return param_incorrect("model missing", "model is not set")
    if model in policy.retired:
        return unsupported_model("model retired", model)
    return None if model in known else unsupported_model("model unknown", model)


def unsupported_model(rule: str, model: str) -> Rejection:
    """The published 400, which has neither `param` nor `type`."""
    return Rejection(rule, 400, {"error": {"code": "400", "message": f"Unsupported model {model}"}})


def parameter_rejection(request: Mapping[str, Any], info: ModelInfo) -> Rejection | None:
    """Parameters outside their documented ranges and types; null is not sent."""
    for name, (low, high) in _RANGES.items():
        value = request.get(name)
        if value is not None and not (is_number(value) and low <= value <= high):
            return param_incorrect("sampling range", f"{name} must be between {low} and {high}")
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.get(name)
        if value is not None and not (is_integer(value) and 1 <= value <= info.max_output):
            said = f"{name} must be between 1 and {info.max_output}"
            return param_incorrect("token limit", said)
    for check in (_stop_rejection, _effort_rejection, _answer_rejection):
        if rejection := check(request):
            return rejection
    return None


def _stop_rejection(request: Mapping[str, Any]) -> Rejection | None:
    stop = request.get("stop")
    if stop is None:
        return None
    sequences = [stop] if isinstance(stop, str) else stop
    if not isinstance(sequences, list) or not all(isinstance(s, str) for s in sequences):
        return param_incorrect("stop", "stop must be a string or a list of strings")
    if not sequences or not all(sequences):
        return param_incorrect("stop", "stop must not be empty")
    if len(sequences) > 4:
        return param_incorrect("stop", "stop must contain at most 4 sequences")
    return None


def _effort_rejection(request: Mapping[str, Any]) -> Rejection | None:
    effort = request.get("reasoning_effort")
    if effort is None or effort in _EFFORTS:
        return None
    return param_incorrect("reasoning effort", "Input should be 'low', 'medium' or 'high'")


def _answer_rejection(request: Mapping[str, Any]) -> Rejection | None:
    """How many answers, in pieces or not, and in which format."""
    n = request.get("n")
    if n is not None and not (is_integer(n) and n == 1):
        return param_incorrect("n", "n must be 1")
    options = request.get("stream_options")
    if not isinstance(request.get("stream"), bool | None) or not isinstance(options, dict | None):
        said = "stream must be a boolean, and stream_options an object"
        return param_incorrect("stream", said)
    return _format_rejection(request.get("response_format"))


def _format_rejection(format: Any) -> Rejection | None:
    if format is None:
        return None
    if not isinstance(format, dict) or format.get("type") not in _FORMATS:
        said = f"response_format.type must be one of {', '.join(_FORMATS)}"
        return param_incorrect("response format", said)
    if format["type"] == "json_schema" and not isinstance(format.get("json_schema"), dict):
        return param_incorrect("response format", "response_format.json_schema must be an object")
    return None


def thinking_rejection(thinking: Any) -> Rejection | None:
    """Thinking is switched on or off."""
    if thinking is None:
        return None
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "disabled"):
        return None
    return param_incorrect("thinking", "thinking.type must be one of enabled, disabled")


# Tools


def tools_rejection(tools: Any, policy: Policy) -> Rejection | None:
    """Tools of another type, ill-named functions, and a web search without the plugin."""
    if tools is None:
        return None
    if not isinstance(tools, list):
        return param_incorrect("tools", "tools must be a list")
    if not tools:
        return param_incorrect("tools", "tools must not be empty")
    for tool in tools:
        check = _TOOL_CHECKS.get(str(tool.get("type"))) if isinstance(tool, dict) else None
        if check is None:
            return param_incorrect("tools", "tools.type must be one of function, web_search")
        if rejection := check(tool, policy):
            return rejection
    return None


def choice_rejection(request: Mapping[str, Any]) -> Rejection | None:
    """A `tool_choice` of another shape; those that are known are accepted and ignored."""
    choice = request.get("tool_choice")
    if choice is not None and choice not in _CHOICES and not _is_named_function(choice):
        said = f"tool_choice must be one of {', '.join(_CHOICES)}, or a named function"
        return param_incorrect("tool choice", said)
    if not isinstance(request.get("parallel_tool_calls"), bool | None):
        return param_incorrect("parallel tool calls", "parallel_tool_calls must be a boolean")
    return None


def _is_named_function(choice: Any) -> bool:
    function = choice.get("function") if isinstance(choice, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and choice.get("type") == "function"
    )


def _function_rejection(tool: dict[str, Any], policy: Policy) -> Rejection | None:
    function = tool.get("function")
    given = function if isinstance(function, dict) else {}
    name = given.get("name")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        return param_incorrect("tool name", f"tools.function.name must match {TOOL_NAME.pattern}")
    parameters = given.get("parameters")
    if isinstance(parameters, dict | None) and isinstance(given.get("description"), str | None):
        return None
    said = "tools.function.parameters must be an object, and its description a string"
    return param_incorrect("tool parameters", said)


def _web_search_rejection(tool: dict[str, Any], policy: Policy) -> Rejection | None:
    if not policy.web_search_enabled:
        said = "web search tool found in the request body, but webSearchEnabled is false"
        return param_incorrect("web search disabled", said)
    for name in ("max_keyword", "limit"):
        value = tool.get(name)
        if value is not None and not (is_integer(value) and 1 <= value <= 50):
            return param_incorrect("web search range", f"tools.{name} must be between 1 and 50")
    location = tool.get("user_location")
    if location is None or (isinstance(location, dict) and location.get("type") == "approximate"):
        return None
    return param_incorrect("web search location", "tools.user_location.type must be approximate")


_TOOL_CHECKS: dict[str, Callable[[dict[str, Any], Policy], Rejection | None]] = {
    "function": _function_rejection,
    "web_search": _web_search_rejection,
}


def is_number(value: Any) -> bool:
    """A number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """A whole number, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)
