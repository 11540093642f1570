"""What is done with the fields of `ChatMiMo`: they are checked, copied, traced and serialised, and
the clients are made from them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.model_profile import ModelProfile
from pydantic import ConfigDict, PrivateAttr, model_validator

from langchain_mimo._version import __version__
from langchain_mimo.aliases import (
    ALWAYS_ON,
    call_arguments,
    check_collisions,
    constructor_arguments,
    under_field_names,
    update_arguments,
)
from langchain_mimo.credentials import (
    HOLD_CREDENTIALS,
    fingerprint,
    masked,
    masked_arguments,
    opened,
    sealed_fields,
    without_credentials,
)
from langchain_mimo.errors import model_errors
from langchain_mimo.fields import CLIENT_FIELDS, FIELD_OF, REQUEST_FIELDS, MiMoFields
from langchain_mimo.profiles import profile_for
from mimo_core.checks import OutputCheck
from mimo_core.client import AsyncMiMoClient, MiMoClient
from mimo_core.credentials import without_user
from mimo_core.errors import InvalidRequestError


class MiMoSettings(BaseChatModel, MiMoFields):
    """`ChatMiMo` without its calls: nothing here sends a request."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,  # only `ChatMiMo` is ever made
    )

    _check: OutputCheck | None = PrivateAttr(default=None)
    """What an answer must be, beside what the request says: `with_structured_output` sets it."""

    if not TYPE_CHECKING:  # `ChatMiMo` says which arguments there are

        def __init__(self, *positional: Any, **arguments: Any) -> None:
            if positional:
                positional = ()  # it may be a key
                raise TypeError('ChatMiMo takes its arguments by name: ChatMiMo(model="…").')
            # The frames of LangChain and pydantic, too, shall hold nothing that must not be shown.
            arguments = sealed_fields(arguments, FIELD_OF)
            super().__init__(**arguments)

    @model_validator(mode="before")
    @classmethod
    def _sort_arguments(cls, values: Any) -> Any:
        """Move what is not a field into `model_kwargs`, and refuse what would be lost there."""
        if not isinstance(values, dict):
            return values
        values = sealed_fields(values, FIELD_OF)
        with model_errors():
            named, unknown = constructor_arguments(values, cls.model_fields)
        if unknown:
            warnings.warn(
                f"ChatMiMo does not know {', '.join(unknown)}; sent in the request as they are.",
                stacklevel=5,
            )
            named["model_kwargs"] = {**unknown, **named.get("model_kwargs", {})}
        if not any(FIELD_OF.get(name, name) == "base_url" for name in named):
            where = os.environ.get("MIMO_BASE_URL")
            if (shown := without_user(where)) != where:
                named["base_url"] = shown  # it will be refused, and `self` is in the frames
            del where
        return named

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        """What cannot work is found here, before the first request. (Clients do no I/O yet.)"""
        with model_errors():
            call_arguments(self.model_kwargs, type(self).model_fields)
        self._make_clients()
        return self

    def _make_clients(self) -> None:
        self._client  # noqa: B018  # made on access, which checks the arguments of both
        if self.http_async_client is not None:
            self._async_client  # noqa: B018

    @model_validator(mode="after")
    def _set_mimo_version(self) -> Self:
        self._add_version("langchain-mimo", __version__)
        return self

    @property
    def _llm_type(self) -> str:
        return "mimo-chat"

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The fields that LangChain writes down by the name of their environment variable."""
        return {"api_key": "MIMO_API_KEY"}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """The fields that are written down in another form: credentials stay out."""
        held = {name: getattr(self, name) for name in HOLD_CREDENTIALS}
        return {name: without_credentials(value) for name, value in held.items() if value}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes: LangChain can write the model down and make it again."""
        return True

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """Everything that can change an answer: the cache tells models apart by this."""
        params = {
            "model": self.model,
            "base_url": self._client.endpoint.base_url,
            "dialect": self._client.endpoint.dialect_name,
            "protocol": self._client.endpoint.protocol,
            "pass_back_reasoning": self.pass_back_reasoning,
            "enforce_tool_choice": self.enforce_tool_choice,
            **self._default_params,
        }
        for name in ("default_headers", "default_query", "extra_body"):
            if value := getattr(self, name):
                params[name] = masked(value)
        if self.model_kwargs:  # they stand beside the other fields
            params = masked(params)
        return {"_type": self._llm_type, **params}

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """What tracers are shown: no credentials. (The first to see a call's arguments.)"""
        kwargs = masked_arguments(kwargs)
        with model_errors():
            check_collisions(kwargs)
        return super()._get_invocation_params(stop, **kwargs)

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The cache's key: with the check of the answer, and credentials told apart unseen."""
        held = [getattr(self, name) for name in HOLD_CREDENTIALS]
        given = ("extra_headers", "extra_query", "extra_body")
        secrets = fingerprint(*held, *(kwargs.get(name) for name in given))
        kwargs = masked_arguments(kwargs)
        kwargs.pop("timeout", None)  # it changes no answer
        key = super()._get_llm_string(stop, **kwargs)
        check = repr(self._check) if self._check else ""
        return "---".join(part for part in (key, secrets, check) if part)

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_for(self.model)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field. What decides where and how requests go takes effect with the next one."""
        field = FIELD_OF.get(name, name)
        if field not in CLIENT_FIELDS and field != "model":
            super().__setattr__(name, value)
            return
        changed = self.model_copy(update={field: value})  # it may refuse, and then nothing changes
        self.__dict__.clear()  # with the clients that were made of the old value
        self.__dict__.update(changed.__dict__)
        self.__pydantic_fields_set__.add(field)

    def with_check(self, check: OutputCheck) -> Self:
        """A copy that checks its answers. It shares the connections.

        Args:
            check: what every answer has to pass, after retries.
        """
        copied = self.model_copy()
        copied._check = check
        return copied

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy. Where `update` changes where or how requests go, it makes its own clients.

        Args:
            update: values by field, under any of its names.

        Raises:
            MiMoModelError: one of them is not a field, or the copy could not make any request.
        """
        update = sealed_fields(update or {}, FIELD_OF)
        with model_errors():
            changes = update_arguments(update, type(self).model_fields)
        copied = super().model_copy(update=changes, deep=deep)
        if changes:
            copied.__dict__.pop("_serialized", None)  # langchain-core's, of the original
        if "model" in changes and "profile" not in changes:
            copied.profile = copied._resolve_model_profile()
        if changes.keys() & CLIENT_FIELDS:
            copied.__dict__.pop("_client", None)
            copied.__dict__.pop("_async_client", None)
            copied._make_clients()
        return copied

    def configurable_fields(self, **kwargs: Any) -> Any:
        """LangChain's, for fields under any of their names."""
        return super().configurable_fields(**under_field_names(kwargs))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy, which shares clients that were given: they cannot be copied."""
        given = (self.http_client, self.http_async_client)
        return super().__deepcopy__({**(memo or {}), **{id(c): c for c in given if c is not None}})

    def close(self) -> None:
        """Close the connections of the synchronous calls. The model can still be used."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the running loop's connections of the asynchronous calls."""
        await self._async_client.aclose()

    @property
    def _default_params(self) -> dict[str, Any]:
        params = {k: v for k, v in self.model_kwargs.items() if k not in ALWAYS_ON}
        for name in REQUEST_FIELDS:
            if (value := getattr(self, name)) is not None:
                params[name] = value
        return params

    @property
    def _client_arguments(self) -> dict[str, Any]:
        return {
            "api_key": self.api_key,
            "base_url": self.base_url,
            "protocol": self.protocol,
            "auth": self.auth,
            "timeout": self.timeout,
            "deadline": self.deadline,
            "limits": self.limits,
            "max_retries": self.max_retries,
            "default_headers": self.default_headers,
            "default_query": opened(self.default_query),
        }

    @cached_property
    def _client(self) -> MiMoClient:
        with model_errors():
            return MiMoClient(**self._client_arguments, http_client=self.http_client)

    @property
    def _resolved(self) -> dict[str, Any]:
        """Address and key as they were when the model was made: by the time of the first
        asynchronous call, the environment may lead elsewhere."""
        endpoint = self._client.endpoint
        name = f"{endpoint.gateway.name}+" if endpoint.gateway is not None else ""
        return {
            "base_url": name + endpoint.base_url,
            "api_key": endpoint.api_key,
            "protocol": endpoint.protocol,
            "auth": endpoint.auth,
        }

    @cached_property
    def _async_client(self) -> AsyncMiMoClient:
        with model_errors():
            try:
                arguments = {**self._client_arguments, **self._resolved}
                return AsyncMiMoClient(**arguments, http_client=self.http_async_client)
            except InvalidRequestError as error:
                if error.param != "http_client":
                    raise
                text = str(error).replace("http_client", "http_async_client")
                raise InvalidRequestError(text, param="http_async_client") from None
