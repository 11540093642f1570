"""`POST …/v1/messages`: Anthropic's shape, translated to and from the inner one.

Documented by examples: Cloudsway's page (seed 003) and the vendor's of 3 June 2026. What this
protocol does not have (web search, penalties, sound and video, speech) is refused in
`messages_request`, with the parameter's name and the protocol that has it.
"""

from __future__ import annotations

from typing import Any

from mimo_core._protocols.messages_events import EventTranslator, response_of
from mimo_core._protocols.messages_request import messages_body
from mimo_core._response.accumulate import ContradictionError
from mimo_core._response.ending import unreadable
from mimo_core.gateways import Endpoint
from mimo_core.types import ChatResponse

VERSION = "2023-06-01"


class Messages:
    """The protocol beside the vendor's main one."""

    answer_holds = "content"

    def url(self, endpoint: Endpoint) -> str:
        return endpoint.messages_url()

    def headers(self) -> dict[str, str]:
        # Xiaomi and Cloudsway ask for no version; relays in front of them may.
        return {"anthropic-version": VERSION}

    def body(self, request: dict[str, Any], endpoint: Endpoint, *, stream: bool) -> dict[str, Any]:
        return {**messages_body(request, endpoint.dialect), "stream": stream}

    def response(self, payload: dict[str, Any]) -> ChatResponse | None:
        try:
            return response_of(payload)
        except ContradictionError as error:
            raise unreadable(error) from error

    def translator(self) -> EventTranslator:
        return EventTranslator()
