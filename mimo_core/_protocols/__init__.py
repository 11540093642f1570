"""The wire protocols. Each turns prepared requests into bodies and answers into the inner shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from mimo_core._protocols.chat_completions import ChatCompletions
from mimo_core.gateways import Endpoint
from mimo_core.types import ChatChunk, ChatResponse

Translate = Callable[[dict[str, Any]], Iterable[ChatChunk] | None]
"""One event's payload to the chunks it means; None where it says that the answer is complete."""


class WireProtocol(Protocol):
    """What the transport needs to know of a protocol."""

    answer_holds: str
    """The field that an answer cannot be without."""

    def url(self, endpoint: Endpoint) -> str: ...

    def headers(self) -> dict[str, str]: ...

    def body(self, request: dict[str, Any], endpoint: Endpoint, *, stream: bool) -> dict[str, Any]:
        """The body for a prepared request."""
        ...

    def response(self, payload: dict[str, Any]) -> ChatResponse | None:
        """The answer in the inner shape, or None where `payload` is not an answer."""
        ...

    def translator(self) -> Translate | None:
        """A new translator for the events of one stream; None where an event is a chunk."""
        ...


def protocol_for(endpoint: Endpoint) -> WireProtocol:
    """The protocol that `endpoint` asks for."""
    if endpoint.protocol == "chat_completions":
        return ChatCompletions()
    from mimo_core._protocols.messages import Messages  # few ask for it

    return Messages()
