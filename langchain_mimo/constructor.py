"""`ChatMiMo(…)` as a type checker sees it: the fields, and the other names that they go by.

(Pydantic's `validation_alias` is unknown to type checkers; `test_swap_arguments.py` holds this
against the class.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from langchain_core.caches import BaseCache
from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.rate_limiters import BaseRateLimiter
from pydantic import SecretStr

Headers = Mapping[str, str | SecretStr]


class LangChainArguments(TypedDict, total=False):
    """What every LangChain chat model takes."""

    name: str | None
    cache: BaseCache | bool | None
    verbose: bool
    callbacks: list[BaseCallbackHandler] | BaseCallbackManager | None
    tags: list[str] | None
    metadata: dict[str, Any] | None
    custom_get_token_ids: Callable[[str], list[int]] | None
    rate_limiter: BaseRateLimiter | None
    disable_streaming: bool | str
    output_version: str | None
    profile: ModelProfile | None


class Arguments(LangChainArguments, total=False):
    """`ChatMiMo`'s own."""

    model: str
    model_name: str
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    max_completion_tokens: int | None
    max_tokens_to_sample: int | None
    stop: str | list[str] | None
    stop_sequences: str | list[str] | None
    frequency_penalty: float | None
    presence_penalty: float | None
    thinking: bool | dict[str, Any] | None
    reasoning_effort: str | None
    effort: str | None
    audio: dict[str, Any] | None
    asr_options: dict[str, Any] | None
    response_format: dict[str, Any] | type | None
    api_key: str | SecretStr | None
    mimo_api_key: str | SecretStr | None
    openai_api_key: str | SecretStr | None
    anthropic_api_key: str | SecretStr | None
    deepseek_api_key: str | SecretStr | None
    base_url: str | None
    api_base: str | None
    mimo_api_base: str | None
    openai_api_base: str | None
    anthropic_api_url: str | None
    deepseek_api_base: str | None
    protocol: str | None
    auth: str | None
    timeout: Any
    request_timeout: Any
    default_request_timeout: Any
    deadline: float | None
    limits: Any
    max_retries: int | None
    default_headers: Headers | None
    default_query: Mapping[str, Any] | None
    streaming: bool
    http_client: Any
    http_async_client: Any
    model_kwargs: dict[str, Any]
    extra_body: dict[str, Any] | None
    pass_back_reasoning: bool
    enforce_tool_choice: bool
