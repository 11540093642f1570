"""The one language inside: requests, answers and chunks in the shape of `POST /chat/completions`.

Plain dicts (vendor's parameter reference, 3 June 2026): what is not named here passes through
untouched. Keys that are always there are marked `Required`.
"""

from typing import Any, Required, TypedDict


class ChatRequest(TypedDict, total=False):
    """A request in the shape of `POST /chat/completions`. Unset fields are not sent.

    `thinking` may also be a bool, and `extra_body` holds fields for a gateway, sent unchecked.
    """

    model: str
    messages: list[dict[str, Any]]
    temperature: float | None
    top_p: float | None
    max_completion_tokens: int | None
    max_tokens: int | None
    stop: str | list[str] | None
    frequency_penalty: float | None
    presence_penalty: float | None
    thinking: bool | dict[str, Any] | None
    reasoning_effort: str | None
    response_format: dict[str, Any] | None
    tools: list[dict[str, Any]] | None
    tool_choice: str | dict[str, Any] | None
    parallel_tool_calls: bool | None
    audio: dict[str, Any] | None
    asr_options: dict[str, Any] | None
    stream: bool | None
    stream_options: dict[str, Any] | None
    extra_body: dict[str, Any] | None


class InsertedMessage(dict[str, Any]):
    """A message of a request that its caller did not write: errors do not count it."""


class FunctionCall(TypedDict, total=False):
    """`arguments` is a JSON text, in a stream a piece of one."""

    name: str | None
    arguments: str


class ToolCall(TypedDict, total=False):
    """A call of one tool. `index` is there in streams only."""

    index: int
    id: str | None
    type: str
    function: FunctionCall


class Message(TypedDict, total=False):
    """An assistant message; in a stream (`delta`) a piece of one.

    `reasoning_signature` is there where the messages protocol signed the reasoning (MiMo does not)
    and belongs into the history beside `reasoning_content`; so do OpenRouter's
    `reasoning_details`.
    """

    role: str
    content: str | None
    reasoning_content: str | None
    reasoning_signature: str
    reasoning_details: list[dict[str, Any]]
    tool_calls: list[ToolCall] | None
    annotations: list[dict[str, Any]]
    error_message: str
    audio: dict[str, Any] | None
    final_text_preview: str


class Usage(TypedDict, total=False):
    """Counts of tokens; `details` split the two totals and need not sum up to them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int] | None
    completion_tokens_details: dict[str, int] | None
    web_search_usage: dict[str, int]
    seconds: float


CUT_REASONS = frozenset({"length", "content_filter", "repetition_truncation"})
"""The finish reasons of an answer that was cut."""
FAILED_REASONS = frozenset({"abort", "aborted", "cancelled", "canceled", "error"})
"""The finish reasons, in lower case, of a server that gave up: there is no answer."""
COMPLETE_REASONS = frozenset({"stop", "tool_calls"})
"""The finish reasons of an answer that ended by itself. A reason in neither set proves nothing."""


class Choice(TypedDict, total=False):
    """The one choice of an answer. `finish_reason` is one of `stop`, `length`, `tool_calls`,
    `content_filter` and `repetition_truncation`."""

    index: Required[int]
    message: Required[Message]
    finish_reason: str | None


class ChatResponse(TypedDict, total=False):
    """A whole answer."""

    id: str
    object: str
    created: int
    model: str
    choices: Required[list[Choice]]
    usage: Usage | None


class ChunkChoice(TypedDict, total=False):
    """The one choice of a chunk; `finish_reason` is set in a stream's last chunk only."""

    index: Required[int]
    delta: Required[Message]
    finish_reason: str | None


class ChatChunk(TypedDict, total=False):
    """One piece of a streamed answer.

    What `stream()` promises, whatever the wire did: `choices` holds exactly one choice;
    `finish_reason` and `usage` come once, both in the last chunk, whose `delta` is empty.
    """

    id: str
    object: str
    created: int
    model: str
    choices: Required[list[ChunkChoice]]
    usage: Usage | None
