"""The names that arguments go by: `ChatMiMo`'s own, and those of the classes it can stand in for.

The fields' names come from `fields.py`; of the other names, there is one table for each thing that
can become of one. `docs/migration.md` is made from them, and
`tests/langchain/test_swap_arguments.py` holds them against the installed classes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

from langchain_mimo.fields import FIELD_OF, REQUEST_FIELDS
from mimo_core.errors import InvalidRequestError

# What one call can say about how it goes; never part of the body.
CALL_OPTIONS = ("extra_headers", "extra_query", "timeout")
_CLIENT = "it makes its own client; pass one of httpx as http_client or http_async_client"
_PROXY = "set HTTPS_PROXY, or pass http_client=httpx2.Client(proxy=…)"
_RESPONSES = "it speaks chat completions, not OpenAI's Responses API; leave it out"
_ANTHROPIC = "MiMo has nothing of the kind; leave it out"
_BIND = "use bind_tools"

REFUSED: dict[str, str] = {
    "client": _CLIENT,
    "async_client": _CLIENT,
    "root_client": _CLIENT,
    "root_async_client": _CLIENT,
    "http_socket_options": _CLIENT,
    "openai_proxy": _PROXY,
    "anthropic_proxy": _PROXY,
    "openai_organization": "MiMo has no organizations; leave it out",
    "organization": "MiMo has no organizations; leave it out",
    "workspace_id": "MiMo has no workspaces; leave it out",
    "tiktoken_model_name": "it estimates tokens itself; pass custom_get_token_ids to count them",
    "stream_chunk_timeout": "the second number of timeout=(connect, silence) is this limit",
    "disabled_params": "it sends only what was set; leave the parameter out",
    "include_response_headers": "errors have the headers in .response; leave it out",
    "reasoning": "use reasoning_effort, or thinking=True or False",
    "context_management": _RESPONSES,
    "include": _RESPONSES,
    "truncation": _RESPONSES,
    "use_previous_response_id": _RESPONSES,
    "use_responses_api": _RESPONSES,
    "betas": _ANTHROPIC,
    "container": _ANTHROPIC,
    "reuse_last_container": _ANTHROPIC,
    "inference_geo": _ANTHROPIC,
    "user_profile_id": _ANTHROPIC,
    "diagnostics": _ANTHROPIC,
    "speed": _ANTHROPIC,
    "mcp_servers": "use langchain-mcp-adapters and bind_tools",
    "output_config": "use reasoning_effort, or with_structured_output",
    "cache_control": "MiMo caches prompts by itself; leave it out",
    "system": "put a system message first",
    "functions": _BIND,
    "function_call": "use bind_tools with tool_choice",
    "prediction": "MiMo predicts no outputs; leave it out",
    "web_search_options": "bind the tool {'type': 'web_search'}",
}
"""Other classes' arguments that mean nothing here -> what to do. None and False are let through:
they ask for nothing."""
CONSTRUCTOR_REFUSED: dict[str, str] = {
    "extra_headers": "for every request it is default_headers",
    "extra_query": "for every request it is default_query",
}
"""Arguments of one call, where a model is made."""
LANGCHAINS: dict[str, str] = {
    **{
        name: f"it goes into the config: invoke(…, config={{{name!r}: …}})"
        for name in ("callbacks", "metadata", "run_id", "run_name", "tags")
    },
    "messages": "they are the input: invoke(messages)",
    "prompts": "they are the input: batch(prompts)",
    "run_manager": "LangChain makes it; pass callbacks in the config",
}
"""Arguments of a call that would collide with LangChain's own -> what to do."""
SENT = frozenset(
    {
        "logit_bias",
        "logprobs",
        "modalities",
        "moderation",
        "n",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "top_k",
        "top_logprobs",
        "user",
        "verbosity",
    }
)
"""Request fields of other services: sent as they are, since a gateway may take them."""
CALL_FIELDS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
"""Request fields that have no field of the class."""
ALWAYS_ON = frozenset({"stream_usage", "stream_options"})
"""What asks for usage in streams, which always comes."""

_MISNAMED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(.*_)?(key|token|secret)"), "the key is api_key"),
    (re.compile(r"(.*_)?(base|url|uri|endpoint|host)"), "the address is base_url"),
    (re.compile(r"(.*_)?proxy"), _PROXY),
)
_AS_CLOSE = 0.85  # difflib's ratio; top_p and top_k, which are not the same, have 0.8


def under_field_names(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call's arguments under the names of the fields, so that they win over them.

    Args:
        arguments: by any of their names.

    Raises:
        InvalidRequestError: one field is given under two names, with two values.
    """
    return {FIELD_OF.get(name, name): value for name, value in _merge_names(arguments).items()}


def constructor_arguments(
    arguments: Mapping[str, Any], fields: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort the constructor's arguments.

    Args:
        arguments: as they were given.
        fields: the names of the model's fields.

    Returns:
        Those that are `fields`, under any of their names, and those that go into the request.

    Raises:
        InvalidRequestError: an argument has no meaning here; the text says what to use instead.
    """
    named: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for name, value in _merge_names(arguments).items():
        if (name, value) == ("max_retries", None):  # ChatOpenAI's way to say the default
            continue
        if FIELD_OF.get(name, name) in fields:
            named[name] = value
        elif name in ALWAYS_ON:
            _check_usage(name, value, stacklevel=7)
        elif not _is_refused(name, value, REFUSED | CONSTRUCTOR_REFUSED):
            _check_spelling(name, fields)
            unknown[name] = value
    for name in [*unknown, *_as_mapping(named.get("model_kwargs"))]:
        if name in CONSTRUCTOR_REFUSED:
            raise InvalidRequestError(_say_rejection(name, CONSTRUCTOR_REFUSED[name]), param=name)
    return named, unknown


def call_arguments(
    arguments: Mapping[str, Any], fields: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort the arguments of a call.

    Args:
        arguments: as they were given or bound.
        fields: the names of the model's fields.

    Returns:
        Those of the request, under the names of the fields, and those that say how it is sent
        (`CALL_OPTIONS`).

    Raises:
        InvalidRequestError: one belongs to the model, or to another class; in the request it would
            do nothing, and a key there would end up in the service's logs.
    """
    check_collisions(arguments)
    request: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, value in under_field_names(arguments).items():
        if name in CALL_OPTIONS:
            options[name] = value
        elif name in _FOR_REQUESTS or name not in fields:
            if name in ALWAYS_ON:
                _check_usage(name, value, stacklevel=3)
            elif name != "stream" and not _is_refused(name, value, REFUSED):
                _check_spelling(name, fields)
                request[name] = value
        else:
            raise InvalidRequestError(
                f"{name!r} belongs to ChatMiMo, not to one call: use "
                f"model.model_copy(update={{{name!r}: …}}).",
                param=name,
            )
    return request, options


def check_collisions(arguments: Container[str]) -> None:
    """Refuse what LangChain passes itself, where it would raise a TypeError.

    Args:
        arguments: the names of a call's arguments.

    Raises:
        InvalidRequestError: one of them is LangChain's.
    """
    for name, instead in LANGCHAINS.items():
        if name in arguments:
            raise InvalidRequestError(_say_rejection(name, instead), param=name)


def update_arguments(update: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """What a copy of a model changes, under the names of the fields.

    Args:
        update: values by field, under any of its names.
        fields: the names of the model's fields.

    Raises:
        InvalidRequestError: a name is not a field's. Let through, it would change nothing.
    """
    named = under_field_names(update)
    for name in named:
        if name not in fields:
            raise InvalidRequestError(
                _say_rejection(name, _suggest_name(name, fields) or "it has no such field"),
                param=name,
            )
    return named


_FOR_REQUESTS = frozenset({"model", *REQUEST_FIELDS})
_OWN = frozenset({*_FOR_REQUESTS, *CALL_OPTIONS, *CALL_FIELDS, *SENT})


def _merge_names(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with one name for each field. A second name may only repeat the value.

    Where one of the two values is None, the other one counts.
    """
    kept: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in arguments.items():
        field = FIELD_OF.get(name, name)
        other = names.get(field)
        if other is not None and value is not None and kept[other] is not None:
            if not _is_same(kept[other], value):
                raise InvalidRequestError(
                    f"{other!r} and {name!r} are the same argument and were given two values: "
                    "leave one out.",
                    param=field,
                )
            continue
        if other is not None:
            if value is None:
                continue
            del kept[other]
        names[field] = name
        kept[name] = value
    return kept


def _is_same(one: Any, other: Any) -> bool:
    secrets = [v.get_secret_value() if hasattr(v, "get_secret_value") else v for v in (one, other)]
    return secrets[0] is secrets[1] or bool(secrets[0] == secrets[1])


def _is_refused(name: str, value: Any, refused: Mapping[str, str]) -> bool:
    """Whether a name belongs to another class and its value asks for nothing.

    Raises:
        InvalidRequestError: the value asks for something.
    """
    if name not in refused:
        return False
    if value is None or value is False:
        return True
    raise InvalidRequestError(_say_rejection(name, refused[name]), param=name)


def _check_spelling(name: str, fields: Iterable[str]) -> None:
    if name in _OWN:
        return
    if close := _suggest_name(name, fields):
        raise InvalidRequestError(_say_rejection(name, close, elsewhere=True), param=name)
    for pattern, instead in _MISNAMED:
        if pattern.fullmatch(name.lower()):
            raise InvalidRequestError(_say_rejection(name, instead, elsewhere=True), param=name)


def _suggest_name(name: str, fields: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    names = {*_OWN, *FIELD_OF, *fields}
    close = get_close_matches(name.lower(), sorted(names), n=1, cutoff=_AS_CLOSE)
    return f"did you mean {close[0]!r}?" if close else None


def _say_rejection(name: str, instead: str, *, elsewhere: bool = False) -> str:
    said = f"ChatMiMo does not take {name[:80]!r}: {instead}"
    said += "" if said.endswith("?") else "."
    if elsewhere:
        said += f" (If a gateway takes {name[:80]!r}, pass it in extra_body.)"
    return said


def _check_usage(name: str, value: Any, *, stacklevel: int) -> None:
    if value is False or (isinstance(value, dict) and value.get("include_usage") is False):
        warnings.warn(f"MiMo always sends usage; {name} is ignored.", stacklevel=stacklevel)


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
