"""What the emulator saw: one `ReceivedRequest` for each request it received."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Protocol = Literal["chat_completions", "messages", "models", "files", "batches", "unknown"]


@dataclass(frozen=True)
class ReceivedRequest:
    """One request, as it came over the wire, and its content in chat-completions shape."""

    method: str
    path: str
    """With its query string, as it was sent."""
    headers: dict[str, str]
    """Names in lower case."""
    body: Any
    """The parsed JSON body; None if it was missing or did not parse. Of an upload, the fields of
    the form that are no file."""
    protocol: Protocol
    raw: bytes = field(default=b"", repr=False)
    """The body as it came; empty for an upload, which is kept in `FakeMiMo.batches`."""
    chat: dict[str, Any] = field(default_factory=dict, repr=False)
    """The request in chat-completions shape, whichever protocol it came in."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages in chat-completions shape."""
        messages = self.chat.get("messages")
        return messages if isinstance(messages, list) else []

    @property
    def model(self) -> str:
        """The requested model, or an empty string."""
        return str(self.chat.get("model") or "")

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return self.chat.get("stream") is True

    @property
    def tool_names(self) -> list[str]:
        """The names of the function tools, and the types of the others."""
        names = []
        for tool in self.chat.get("tools") or ():
            if isinstance(tool, dict):
                names.append(str((tool.get("function") or {}).get("name") or tool.get("type")))
        return names

    def text_of(self, role: str) -> str:
        """The text of the last message of a role, without its media.

        Args:
            role: e.g. `"user"`.

        Returns:
            The text; empty if the request has no message of this role.
        """
        for message in reversed(self.messages):
            if isinstance(message, dict) and message.get("role") == role:
                return content_text(message.get("content"))
        return ""


def content_text(content: Any) -> str:
    """The text in a message's `content`, be it a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(
        str(part.get("text") or "")
        for part in content
        if isinstance(part, dict) and part.get("type") == "text"
    )
