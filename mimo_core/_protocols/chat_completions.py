"""`POST /chat/completions`: the inner shape is this protocol's own, so little is left to do."""

from __future__ import annotations

from typing import Any, cast

from mimo_core.gateways import Endpoint
from mimo_core.types import ChatResponse


class ChatCompletions:
    """The vendor's main protocol (parameter reference of 3 June 2026)."""

    answer_holds = "choices"

    def url(self, endpoint: Endpoint) -> str:
        return endpoint.url("/chat/completions")

    def headers(self) -> dict[str, str]:
        return {}

    def body(self, request: dict[str, Any], endpoint: Endpoint, *, stream: bool) -> dict[str, Any]:
        body = {**request, "stream": stream}
        if not stream:
            body.pop("stream_options", None)  # refused by some backends where nothing streams
        elif not endpoint.dialect.sends_usage:
            # Xiaomi and Cloudsway send usage unasked; SGLang, vLLM and most relays do not.
            body.setdefault("stream_options", {"include_usage": True})
        return body

    def response(self, payload: dict[str, Any]) -> ChatResponse | None:
        choices = payload.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return None
        if not isinstance(choices[0].get("message"), dict):
            return None
        return cast(ChatResponse, payload)

    def translator(self) -> None:
        """None: an event is a chunk as it stands."""
