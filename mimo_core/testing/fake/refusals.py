"""What the service refuses: pure functions from a request to `(status, body)` or None.

Sources: the vendor's parameter reference of 3 June 2026, and public reports of the live service.
Where only the fact of a refusal is published, status and shape are the service's and the sentence
in `param` is ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mimo_core.models import MODELS, ModelInfo, model_info
from mimo_core.testing.fake.policy import Policy, Refusal, param_incorrect, published
from mimo_core.testing.fake.refusals_history import history_refusal, messages_refusal
from mimo_core.testing.fake.refusals_speech import recognition_refusal, speech_refusal

CLOUDSWAY_MODELS = ("MaaS_Mimo_V2.5_20260423", "MaaS_Mimo_V2.5_pro_20260423")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RANGES = {
    "temperature": (0, 1.5),
    "top_p": (0.01, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}


def key_refusal(
    headers: Mapping[str, str], policy: Policy, *, bearer_only: bool = False, messages: bool = False
) -> Refusal | None:
    """A missing or unknown key. `api-key` wins over `Authorization`; Cloudsway reads only that."""
    if policy.keys is None and policy.key_prefix is None:
        return None
    scheme, _, token = headers.get("authorization", "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else None
    if not bearer_only:
        key = headers.get("api-key", key)
        if key is None and messages:
            key = headers.get("x-api-key")  # what Anthropic's clients send
    known = bool(key) and (policy.keys is None or key in policy.keys)
    fits = policy.key_prefix is None or (key or "").startswith(policy.key_prefix)
    return None if known and fits else published("invalid_key")


def chat_refusal(
    request: Any, policy: Policy, *, cloudsway: bool = False, messages_protocol: bool = False
) -> Refusal | None:
    """The first reason to refuse a request in chat-completions shape, or None."""
    if not isinstance(request, dict):
        return published("bad_request")
    if refusal := model_refusal(request.get("model"), policy, cloudsway=cloudsway):
        return refusal
    info = model_info(request["model"])
    if messages_protocol and info.kind != "chat":
        return _unsupported_model(info.id)
    for found in _checks(request, info, policy, messages_protocol):
        if found is not None:
            return found
    return None


def _checks(
    request: dict[str, Any], info: ModelInfo, policy: Policy, messages_protocol: bool
) -> Iterator[Refusal | None]:
    yield messages_refusal(request.get("messages"))
    yield parameter_refusal(request, info)
    if info.kind == "tts":
        yield speech_refusal(request, info)
        return
    if info.kind == "asr":
        yield recognition_refusal(request)
        return
    if not messages_protocol:
        yield _thinking_refusal(request.get("thinking"))
    yield tools_refusal(request.get("tools"), policy)
    yield history_refusal(request, info, policy)


def model_refusal(model: Any, policy: Policy, *, cloudsway: bool = False) -> Refusal | None:
    """An id that is not served here, which any spelling but the exact one is."""
    known = MODELS.keys() | policy.extra_models
    if cloudsway:
        known |= set(CLOUDSWAY_MODELS)
    if not isinstance(model, str) or not model:
        return param_incorrect("model is not set")
    return None if model in known else _unsupported_model(model)


def _unsupported_model(model: str) -> Refusal:
    return 400, {"error": {"code": "400", "message": f"Unsupported model {model}"}}


def parameter_refusal(request: Mapping[str, Any], info: ModelInfo) -> Refusal | None:
    """Sampling parameters and token limits outside their documented ranges; null is not sent."""
    for name, (low, high) in _RANGES.items():
        value = request.get(name)
        if value is not None and not (_is_number(value) and low <= value <= high):
            return param_incorrect(f"{name} must be between {low} and {high}")
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.get(name)
        if value is not None and not (_is_integer(value) and 1 <= value <= info.max_output):
            return param_incorrect(f"{name} must be between 1 and {info.max_output}")
    return _stop_refusal(request.get("stop"))


def _stop_refusal(stop: Any) -> Refusal | None:
    if stop is None or isinstance(stop, str):
        return None
    if not isinstance(stop, list) or not all(isinstance(sequence, str) for sequence in stop):
        return param_incorrect("stop must be a string or a list of strings")
    return param_incorrect("stop must contain at most 4 sequences") if len(stop) > 4 else None


def _thinking_refusal(thinking: Any) -> Refusal | None:
    if thinking is None:
        return None
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "disabled"):
        return None
    return param_incorrect("thinking.type must be one of enabled, disabled")


def tools_refusal(tools: Any, policy: Policy) -> Refusal | None:
    """Tools of another type, ill-named functions, and a web search without the plugin."""
    if tools is None:
        return None
    if not isinstance(tools, list):
        return param_incorrect("tools must be a list")
    for tool in tools:
        check = _TOOL_CHECKS.get(tool.get("type")) if isinstance(tool, dict) else None
        if check is None:
            return param_incorrect("tools.type must be one of function, web_search")
        if refusal := check(tool, policy):
            return refusal
    return None


def _function_refusal(tool: dict[str, Any], policy: Policy) -> Refusal | None:
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(name, str) and _TOOL_NAME.fullmatch(name):
        return None
    return param_incorrect(f"tools.function.name must match {_TOOL_NAME.pattern}")


def _web_search_refusal(tool: dict[str, Any], policy: Policy) -> Refusal | None:
    if not policy.web_search_enabled:
        return param_incorrect(
            "web search tool found in the request body, but webSearchEnabled is false"
        )
    for name in ("max_keyword", "limit"):
        value = tool.get(name)
        if value is not None and not (_is_integer(value) and 1 <= value <= 50):
            return param_incorrect(f"tools.{name} must be between 1 and 50")
    return None


_TOOL_CHECKS: dict[Any, Callable[[dict[str, Any], Policy], Refusal | None]] = {
    "function": _function_refusal,
    "web_search": _web_search_refusal,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
