"""What the service refuses: pure functions from a request to a `Rejection` or None.

Each names its rule, whose source stands in `sources.SOURCES`. Where only the fact of a rejection is
published, status and shape are the service's and the sentence in `param` is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mimo_core.models import ModelInfo, model_info
from mimo_core.testing.emulator.policy import Policy, Rejection, published
from mimo_core.testing.emulator.rejections_history import history_rejection, messages_rejection
from mimo_core.testing.emulator.rejections_parameters import (
    choice_rejection,
    model_rejection,
    parameter_rejection,
    thinking_rejection,
    tools_rejection,
    unsupported_model,
)
from mimo_core.testing.emulator.rejections_speech import (
    not_for_speech,
    other_models_rejection,
    recognition_rejection,
    speech_rejection,
)


def key_rejection(
    headers: Mapping[str, str], policy: Policy, *, bearer_only: bool = False, messages: bool = False
) -> Rejection | None:
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


def chat_rejection(
    request: Any, policy: Policy, *, cloudsway: bool = False, messages_protocol: bool = False
) -> Rejection | None:
    """The first reason to refuse a request in chat-completions shape, or None.

    Args:
        request: the body; of the messages protocol, as `messages_translation.to_chat` gives it.
        policy: the account and the backend.
        cloudsway: whether Cloudsway's model names are served.
        messages_protocol: whether the request came in Anthropic's shape.
    """
    if not isinstance(request, dict):
        return published("body", "bad_request")
    if rejection := model_rejection(request.get("model"), policy, cloudsway=cloudsway):
        return rejection
    info = model_info(request["model"])
    if messages_protocol and info.kind != "chat":
        return unsupported_model("model without this protocol", info.id)
    for found in _checks(request, info, policy, messages_protocol):
        if found is not None:
            return found
    return None


def _checks(
    request: dict[str, Any], info: ModelInfo, policy: Policy, messages_protocol: bool
) -> Iterator[Rejection | None]:
    yield messages_rejection(request.get("messages"))
    yield parameter_rejection(request, info)
    yield other_models_rejection(request, info)
    if info.kind != "chat":
        yield not_for_speech(request, info)
        yield (
            speech_rejection(request, info)
            if info.kind == "tts"
            else recognition_rejection(request)
        )
        return
    if not messages_protocol:
        yield thinking_rejection(request.get("thinking"))
    yield tools_rejection(request.get("tools"), policy)
    yield choice_rejection(request)
    yield history_rejection(request, info, policy)
