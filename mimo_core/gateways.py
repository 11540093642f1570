"""Where requests go and how they authenticate. Gateways are data; nothing here does I/O."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from mimo_core._redact import TOKEN_PLAN_PREFIXES as TOKEN_PLAN_PREFIXES
from mimo_core._redact import is_credential_header as is_credential_header
from mimo_core._redact import without_keys
from mimo_core.errors import (
    AuthenticationError,
    InsufficientBalanceError,
    InvalidRequestError,
    MiMoError,
    NotFoundError,
)
from mimo_core.models import EFFORTS, model_info

ProtocolName = Literal["chat_completions", "messages"]
Auth = Literal["api-key", "bearer"]


Paths = tuple[tuple[str, str], ...]
"""Bases of the two protocols, chat completions' first; `{}` is the account's endpoint path."""

_XIAOMI_PATHS: Paths = (("/v1", "/anthropic/v1"),)
_CLOUDSWAY_PATHS: Paths = (("/v1/ai/{}", "/{}/v1"),)  # its unified domain has both below /v1


class Gateway(NamedTuple):
    """One address that serves MiMo."""

    name: str
    base_url: str
    auth: Auth
    key_prefixes: tuple[str, ...] = ()
    """What its keys begin with, where they can be told apart."""
    paths: Paths = ()
    """Pairs of paths of chat completions and messages; empty where both are below one base."""


GATEWAYS: dict[str, Gateway] = {
    gateway.name: gateway
    for gateway in (
        Gateway("xiaomi", "https://api.xiaomimimo.com/v1", "api-key", ("sk-",), _XIAOMI_PATHS),
        *(
            Gateway(
                f"token-plan-{cluster}",
                f"https://token-plan-{cluster}.xiaomimimo.com/v1",
                "api-key",
                TOKEN_PLAN_PREFIXES,
                _XIAOMI_PATHS,
            )
            for cluster in ("cn", "sgp", "ams")
        ),
        Gateway("cloudsway", "https://genaiapi.cloudsway.net/v1", "bearer", (), _CLOUDSWAY_PATHS),
    )
}
_BY_HOST = {urlsplit(gateway.base_url).hostname: gateway for gateway in GATEWAYS.values()}
_XIAOMI = ".xiaomimimo.com"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A resolved address with its key. `repr` does not show the key."""

    base_url: str
    """The chat-completions base, e.g. `https://api.xiaomimimo.com/v1`, without a final slash."""
    protocol: ProtocolName
    auth: Auth
    api_key: str | None = field(default=None, repr=False)
    gateway: Gateway | None = None
    """The table's entry, or None for an address that is not in it."""
    carries_credentials: bool = True
    """Whether a key may go there: https, this machine, or a host that `MIMO_ALLOW_HTTP` names."""

    @classmethod
    def resolve(
        cls,
        api_key: str | None = None,
        base_url: str | None = None,
        protocol: str | None = None,
        auth: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> Endpoint:
        """Fill in what is not given, from the environment and the gateway table.

        Args:
            api_key: else `MIMO_API_KEY`.
            base_url: a URL or a gateway's name, else `MIMO_BASE_URL`, else `xiaomi`; a key that
                begins with `tp-` or `ttp-` and no base URL goes to `token-plan-cn`.
            protocol: `"chat_completions"` or `"messages"`; default `"messages"` where `base_url`
                is an address of that protocol (`…/anthropic`, `…/v1/messages`), else
                `"chat_completions"`.
            auth: `"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`.
            environ: stands in for `os.environ`.

        Raises:
            AuthenticationError: the gateway needs a key and none was given.
            InvalidRequestError: one of the arguments is not what it should be.
        """
        environ = os.environ if environ is None else environ
        key = _clean_key(api_key or environ.get("MIMO_API_KEY"))
        if not isinstance(base_url, str | None):
            raise InvalidRequestError(
                f"base_url is a {type(base_url).__name__}; it must be a text.", param="base_url"
            )
        where = (base_url or environ.get("MIMO_BASE_URL") or "").strip()
        if not where:
            where = "token-plan-cn" if (key or "").startswith(TOKEN_PLAN_PREFIXES) else "xiaomi"
        url, spoken_there = _base_url(where)
        host = urlsplit(url).hostname or ""
        gateway = _BY_HOST.get(host)
        endpoint = cls(
            base_url=url,
            protocol=_one_of("protocol", protocol or spoken_there, get_args(ProtocolName)),
            auth=_one_of("auth", auth or _default_auth(host, gateway), get_args(Auth)),
            api_key=key,
            gateway=gateway,
            carries_credentials=_carries_credentials(url, environ),
        )
        endpoint.check_credentials([key] if key else [])
        return endpoint

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: no proxy stands between."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    def check_credentials(self, secrets: Collection[str]) -> None:
        """Check what a request holds against the address that it goes to.

        Args:
            secrets: the credentials in its headers and its query.

        Raises:
            InvalidRequestError: a credential would go unencrypted over a network.
        """
        if self.carries_credentials or not secrets:
            return
        host = urlsplit(self.base_url).hostname
        raise InvalidRequestError(
            f"The key would go unencrypted to {host}. Use https, or set MIMO_ALLOW_HTTP={host} "
            "if you trust the network.",
            param="base_url",
        )

    def require_key(self) -> None:
        """Raise `AuthenticationError` where the gateway needs a key and none was given."""
        if self.api_key is None and self.gateway is not None:
            raise AuthenticationError(
                "No API key. Set MIMO_API_KEY or pass api_key=…; "
                "keys are made at https://platform.xiaomimimo.com."
            )

    def url(self, path: str) -> str:
        """The address of `path` (`/chat/completions`) below the base URL."""
        return self.base_url + path

    def messages_url(self) -> str:
        """The address of the messages protocol."""
        parts = urlsplit(self.base_url)
        for chat, messages in _paths_of(parts.hostname or ""):
            if (path := _moved(parts.path, chat, messages)) is not None:
                return parts._replace(path=f"{path}/messages").geturl()
        # Below a mere host it is where Anthropic's SDK looks for it.
        return self.url("/messages" if parts.path.strip("/") else "/v1/messages")

    def headers(self) -> dict[str, str]:
        """The headers that authenticate a request."""
        if self.api_key is None:
            return {}
        if self.auth == "api-key":
            return {"api-key": self.api_key}
        return {"authorization": f"Bearer {self.api_key}"}

    @property
    def is_xiaomi(self) -> bool:
        """Whether it is a host of the vendor's own, known or new."""
        return (urlsplit(self.base_url).hostname or "").endswith(_XIAOMI)

    @property
    def is_token_plan(self) -> bool:
        """Whether its keys are those of a Token Plan."""
        return (urlsplit(self.base_url).hostname or "").startswith("token-plan-")

    def adapted(self, request: dict[str, Any]) -> dict[str, Any]:
        """A prepared request as this host takes it.

        Args:
            request: as `prepare` gives it; it is not changed.

        Returns:
            The request itself, or a copy with the id in the spelling that the host knows.

        Raises:
            InvalidRequestError: a value that the host refuses.
        """
        if not self.is_xiaomi:
            return request
        effort = request.get("reasoning_effort")
        if effort is not None and effort not in EFFORTS:
            raise InvalidRequestError(
                f"reasoning_effort is {effort!r:.80}; it can be {', '.join(map(repr, EFFORTS))}.",
                param="reasoning_effort",
            )
        # Other spellings of an id are refused, and [1m] is a client's habit.
        model = request["model"].removesuffix("[1m]").lower()
        return request if model == request["model"] else {**request, "model": model}

    def hints(self, model: str | None = None) -> dict[type[MiMoError], str]:
        """What to do about errors here, where more is known than their class says.

        Args:
            model: the id that was asked for.

        Returns:
            A next step by class of error; an empty one counts as none.
        """
        hints: dict[type[MiMoError], str] = {AuthenticationError: self._hint_on_401()}
        if self.is_token_plan:
            hints[InsufficientBalanceError] = (
                "The Token Plan's quota is used up, or too much came at once: wait a little, or "
                "see the plan in the console"
            )
        info = model_info(model) if model else None
        if info is not None and self.is_xiaomi and info.retired_on and info.successor:
            hints[NotFoundError] = (
                f"Xiaomi announced the end of {info.id} at its own hosts for "
                f"{info.retired_on.day} {info.retired_on:%B %Y}; use {info.successor}"
            )
        return hints

    def _hint_on_401(self) -> str:
        """A key of another gateway, or of another cluster, is the likeliest reason."""
        key, gateway = self.api_key or "", self.gateway
        if self.is_token_plan and key.startswith(TOKEN_PLAN_PREFIXES):
            others = [name for name in _CLUSTERS if gateway is None or name != gateway.name]
            return (
                "A Token Plan's key works at its own cluster only, which the console shows: "
                f"try base_url {' or '.join(others)}"
            )
        if gateway is None or not gateway.key_prefixes or key.startswith(gateway.key_prefixes):
            return ""
        for prefix, names in _KEY_HOMES.items():
            if key.startswith(prefix):
                takes = " or ".join(gateway.key_prefixes)
                return (
                    f"This is a {prefix} key and {gateway.name} takes {takes} keys: "
                    f"set base_url to {names}"
                )
        return ""


_CLUSTERS = tuple(name for name in GATEWAYS if name.startswith("token-plan-"))
_KEY_HOMES = {
    **dict.fromkeys(TOKEN_PLAN_PREFIXES, "token-plan-cn, -sgp or -ams"),
    "sk-": "xiaomi",
}


def _default_auth(host: str, gateway: Gateway | None) -> Auth:
    if gateway is not None:
        return gateway.auth
    return "api-key" if host.endswith(_XIAOMI) else "bearer"  # e.g. a cluster that is new


def _clean_key(key: str | None) -> str | None:
    if key is not None and not isinstance(key, str):
        raise AuthenticationError(f"The API key must be a str, not {type(key).__name__}.")
    key = (key or "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise AuthenticationError(
            "The API key holds characters that no key has (spaces, line breaks or non-ASCII); "
            "copy it again from https://platform.xiaomimimo.com."
        )
    return key


def _base_url(where: str) -> tuple[str, ProtocolName]:
    """The chat-completions base, and the protocol of the address that was given."""
    if known := GATEWAYS.get(where):
        return known.base_url, "chat_completions"
    if not _is_plain_url(where):
        raise InvalidRequestError(
            f"base_url {_shown(where)!r} is not an http(s) URL or one of {', '.join(GATEWAYS)}.",
            param="base_url",
        )
    # It may be a whole endpoint, pasted from the documentation, or a base of Anthropic's SDK.
    url = where.rstrip("/")
    if url.endswith("/anthropic"):
        url += "/v1"
    chat_base = url.removesuffix("/chat/completions").removesuffix("/messages")
    parts = urlsplit(chat_base)
    for chat, messages in _paths_of(parts.hostname or ""):
        if (path := _moved(parts.path, messages, chat)) is not None:
            return parts._replace(path=path).geturl(), "messages"
    is_messages = url.endswith(("/messages", "/anthropic/v1"))
    return chat_base, "messages" if is_messages else "chat_completions"


def _paths_of(host: str) -> Paths:
    if gateway := _BY_HOST.get(host):
        return gateway.paths
    return _XIAOMI_PATHS if host.endswith(_XIAOMI) else ()


def _moved(path: str, base: str, other: str) -> str | None:
    """`path` below `other`, where it is `base`; else None."""
    found = re.fullmatch(re.escape(base).replace(r"\{\}", "([^/]+)"), path)
    return other.format(*found.groups()) if found else None


def _is_plain_url(where: str) -> bool:
    """Whether this is an http(s) URL of host and path: no user, no query, nothing unprintable."""
    try:
        parts = urlsplit(where)
        parts.port  # noqa: B018  # raises on a port that is not a number
    except ValueError:
        return False
    if parts.query or parts.fragment or "@" in parts.netloc:
        return False
    printable = where.isprintable() and " " not in where
    return parts.scheme in ("http", "https") and bool(parts.hostname) and printable


def _shown(where: str) -> str:
    """A base URL as an error may show it: without user, password and query, and without a key."""
    return without_keys(where.split("?")[0].rsplit("@", 1)[-1], None)


def _carries_credentials(url: str, environ: Mapping[str, str]) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or _is_loopback(host):
        return True
    return host in environ.get("MIMO_ALLOW_HTTP", "").replace(",", " ").split()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        shown = without_keys(repr(value), None)  # a key that took the wrong parameter
        raise InvalidRequestError(
            f"{name} is {shown}; it can be {' or '.join(map(repr, choices))}.", param=name
        )
    return value
