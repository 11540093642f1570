"""One call of `ChatMiMo`: its request, what the answer must be, and how it is sent. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_mimo.aliases import call_arguments
from langchain_mimo.credentials import opened
from langchain_mimo.errors import MiMoInvalidRequestError
from langchain_mimo.fields import MAPPINGS
from langchain_mimo.messages import to_request_messages
from langchain_mimo.notices import warn_once
from langchain_mimo.schemas import ResponseFormat, check_wire_format
from langchain_mimo.speech import adapt_for_model_kind, needs_whole_file
from langchain_mimo.tool_choice import choose_tool, wire_tools
from mimo_core.checks import Attempts, OutputCheck, output_check
from mimo_core.client import MiMoClient
from mimo_core.dialects import Dialect
from mimo_core.models import DEFAULT_MODEL, model_info
from mimo_core.notices import without_effect

_FORMATS = ("text", "json_object", "json_schema")


class Settings(Protocol):
    """What a call needs to know of its `ChatMiMo`."""

    model: str
    pass_back_reasoning: bool
    enforce_tool_choice: bool

    @property
    def _default_params(self) -> dict[str, Any]: ...

    @property
    def _client(self) -> MiMoClient: ...


@dataclass
class Call:
    """One call, over all its attempts.

    Attributes:
        attempts: the requests.
        options: how each is sent: `extra_headers`, `extra_query`, `timeout` in seconds.
        streams: whether chunks can be given out as they come: else the answer is waited for.
    """

    attempts: Attempts
    options: dict[str, Any]
    streams: bool = True
    _format: ResponseFormat | None = None

    def finish(self, result: ChatResult) -> ChatResult:
        """Add what `parse` adds to an unstreamed answer.

        Args:
            result: of the accepted answer.

        Returns:
            The same result.
        """
        for generation in result.generations:
            self.parse(generation, generation.text)
        return result

    def parse(self, generation: ChatGeneration, text: str) -> None:
        """Add `additional_kwargs["parsed"]`, where a schema was given as `response_format`.

        Args:
            generation: the answer, or the last chunk of it.
            text: the whole answer's.
        """
        if self._format is not None and (parsed := self._format.parse(text)) is not None:
            generation.message.additional_kwargs["parsed"] = parsed


def make_call(
    model: Settings,
    messages: list[BaseMessage],
    stop: list[str] | None,
    arguments: Mapping[str, Any],
    *,
    check: OutputCheck | None,
    stream: bool,
) -> Call:
    """The call for messages: the model's fields, then what was bound or given with the call.

    Args:
        check: what `with_structured_output` asks of the answer; None where the request says it.

    Raises:
        InvalidRequestError: an argument is not what it should be.
    """
    given, options = call_arguments(arguments, cast("Any", type(model)).model_fields)
    request = opened(model._default_params | given) or {}
    if stop is not None:
        request["stop"] = stop
    if "max_tokens" in request:
        request["max_completion_tokens"] = request.pop("max_tokens")
    request.setdefault("model", model.model)
    _check_shapes(request)
    if extra := request.get("extra_body"):
        request["extra_body"] = opened(extra)
    _set_tools(request)
    response_format = _set_response_format(request)
    info = model_info(request["model"])
    request["messages"] = to_request_messages(
        messages,
        pass_back_reasoning=model.pass_back_reasoning,
        info=info if info.kind == "chat" else None,
        endpoint=model._client.endpoint,
    )
    request = adapt_for_model_kind(request, stream=stream)
    _warn_of_ineffective_fields(request, model._client.endpoint.dialect)
    if check is None and response_format is not None:
        check = response_format.check()
    check = output_check(request, check, enforce=model.enforce_tool_choice)
    attempts = Attempts(request, check)
    streams = attempts.streams and not needs_whole_file(request)
    return Call(attempts, _open_options(options), streams, response_format)


def _open_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the core takes them; what is not a mapping is its to refuse."""
    return {
        name: opened(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
    }


def _check_shapes(request: dict[str, Any]) -> None:
    """What pydantic sees to in the constructor, for what is given with a call."""
    if not isinstance(request["model"], str):
        raise MiMoInvalidRequestError(
            f"model must be an id, such as {DEFAULT_MODEL!r}, not of type "
            f"{type(request['model']).__name__}.",
            param="model",
        )
    for name in MAPPINGS:
        value = request.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise MiMoInvalidRequestError(
                f"{name} must be a dict, not of type {type(value).__name__}.", param=name
            )


def _set_tools(request: dict[str, Any]) -> None:
    """Bring tools and their choice, which may be bound by hand in any spelling, into one form."""
    if request.get("tools") is not None:
        request["tools"] = wire_tools(request["tools"])
    if "tool_choice" in request:
        choice = request.pop("tool_choice")
        request.update(choose_tool(choice, request.get("tools") or ()))


def _set_response_format(request: dict[str, Any]) -> ResponseFormat | None:
    """Bring a schema that was given as `response_format` into its form on the wire."""
    value = request.get("response_format")
    if value is None:
        return None
    if isinstance(value, Mapping) and value.get("type") in _FORMATS:
        if value["type"] == "json_schema":
            check_wire_format(value)
        return None
    response_format = ResponseFormat(value)
    request["response_format"] = response_format.on_the_wire()
    return response_format


def _warn_of_ineffective_fields(request: Mapping[str, Any], dialect: Dialect) -> None:
    extra = request.get("extra_body") or {}
    for name in without_effect({**extra, **request}, dialect):
        warn_once(
            request["model"],
            name,
            f"{name} has no effect while {request['model']} thinks: the service uses its own. "
            f"Pass thinking=False, or leave {name} out.",
        )
