"""What `ChatMiMo`'s fields are for, and the other names they go by."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from mimo_core.errors import InvalidRequestError

_OTHER_NAMES = {
    "model_name": "model",
    "mimo_api_key": "api_key",
    "openai_api_key": "api_key",  # what is left of a ChatOpenAI(base_url=…)
    "openai_api_base": "base_url",
    "max_completion_tokens": "max_tokens",
    "request_timeout": "timeout",
    "stop_sequences": "stop",
}
# Fields that are fields of the request under the same name.
REQUEST_FIELDS = (
    "temperature",
    "top_p",
    "stop",
    "frequency_penalty",
    "presence_penalty",
    "thinking",
    "reasoning_effort",
    "audio",
    "asr_options",
    "response_format",
    "extra_body",
)
# Fields that say where and how requests go.
CLIENT_FIELDS = frozenset(
    {
        "api_key",
        "base_url",
        "protocol",
        "auth",
        "timeout",
        "max_retries",
        "default_headers",
        "http_client",
        "http_async_client",
    }
)


def under_field_names(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call's arguments under the names of the fields, so that they win over them."""
    return {_OTHER_NAMES.get(name, name): value for name, value in arguments.items()}


def request_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call that belong into its request, under the names of the fields.

    Raises:
        InvalidRequestError: one belongs to the model; in the request it would do nothing, and a
            key there would end up in the service's logs.
    """
    request = under_field_names(arguments)
    for name in CLIENT_FIELDS & request.keys():
        raise InvalidRequestError(
            f"{name!r} belongs to ChatMiMo, not to one call: use "
            f"model.model_copy(update={{{name!r}: …}}).",
            param=name,
        )
    for name in ("stream", "stream_usage"):  # how the answer comes is decided already
        request.pop(name, None)
    return request


def named_as_fields(
    arguments: Mapping[str, Any], fields: Container[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The constructor's arguments that are `fields`, and those that are not."""
    named: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in under_field_names(arguments).items():
        if (name, value) != ("max_retries", None):  # ChatOpenAI's way to say the default
            (named if name in fields else unknown)[name] = value
    return named, unknown
