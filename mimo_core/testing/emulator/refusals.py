"""What the service refuses: pure functions from a request to a `Refusal` or None.

Each names its rule, whose source stands in `sources.SOURCES`. Where only the fact of a refusal is
published, status and shape are the service's and the sentence in `param` is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mimo_core.models import ModelInfo, model_info
from mimo_core.testing.emulator.policy import Policy, Refusal, published
from mimo_core.testing.emulator.refusals_history import history_refusal, messages_refusal
from mimo_core.testing.emulator.refusals_parameters import (
    choice_refusal,
    model_refusal,
    parameter_refusal,
    thinking_refusal,
    tools_refusal,
    unsupported_model,
)
from mimo_core.testing.emulator.refusals_speech import (
    not_for_speech,
    other_models_refusal,
    recognition_refusal,
    speech_refusal,
)


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
    return None if known and fits else published("key", "invalid_key")


def chat_refusal(
    request: Any, policy: Policy, *, cloudsway: bool = False, messages_protocol: bool = False
) -> Refusal | None:
    """The first reason to refuse a request in chat-completions shape, or None.

    Args:
        request: the body; one of the messages protocol translated by `messages_protocol.to_chat`.
        policy: the account and the backend.
        cloudsway: whether Cloudsway's model names are served.
        messages_protocol: whether the request came in Anthropic's shape.
    """
    if not isinstance(request, dict):
        return published("body", "bad_request")
    if refusal := model_refusal(request.get("model"), policy, cloudsway=cloudsway):
        return refusal
    info = model_info(request["model"])
    if messages_protocol and info.kind != "chat":
        return unsupported_model("model without this protocol", info.id)
    for found in _checks(request, info, policy, messages_protocol):
        if found is not None:
            return found
    return None


def _checks(
    request: dict[str, Any], info: ModelInfo, policy: Policy, messages_protocol: bool
) -> Iterator[Refusal | None]:
    yield messages_refusal(request.get("messages"))
    yield parameter_refusal(request, info)
    yield other_models_refusal(request, info)
    if info.kind != "chat":
        yield not_for_speech(request, info)
        yield speech_refusal(request, info) if info.kind == "tts" else recognition_refusal(request)
        return
    if not messages_protocol:
        yield thinking_refusal(request.get("thinking"))
    yield tools_refusal(request.get("tools"), policy)
    yield choice_refusal(request)
    yield history_refusal(request, info, policy)
