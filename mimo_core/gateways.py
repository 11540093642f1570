"""Where requests go and how they authenticate. Gateways are data; nothing here does I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from mimo_core._addresses import (
    carries_credentials,
    is_loopback,
    is_plain_url,
    know_names,
    own_variables,
    without_user,
)
from mimo_core._keys import owner_of
from mimo_core._redact import TOKEN_PLAN_PREFIXES as TOKEN_PLAN_PREFIXES
from mimo_core._redact import HoldsSecret, Secret, Unusable, sealed_key, without_keys
from mimo_core.credentials import checked_key
from mimo_core.dialects import (
    CLOUDSWAY,
    OLLAMA,
    OPENROUTER,
    SELF_HOSTED,
    VERCEL,
    XIAOMI,
    Dialect,
)
from mimo_core.errors import (
    AuthenticationError,
    InvalidRequestError,
    MiMoError,
)
from mimo_core.values import quoted

ProtocolName = Literal["chat_completions", "messages"]
Auth = Literal["api-key", "bearer"]


Paths = tuple[tuple[str, str], ...]
"""Bases of the two protocols, chat completions' first; `{}` is the account's endpoint path."""

_XIAOMI_PATHS: Paths = (("/v1", "/anthropic/v1"),)
_CLOUDSWAY_PATHS: Paths = (("/v1/ai/{}", "/{}/v1"),)  # its unified domain has both below /v1


class Gateway(NamedTuple):
    """One address that serves MiMo, or one kind of server with its usual address."""

    name: str
    base_url: str
    auth: Auth = "bearer"
    key_prefixes: tuple[str, ...] = ()
    """What its keys begin with, where they can be told apart."""
    paths: Paths = ()
    """Pairs of paths of chat completions and messages; empty where both are below one base."""
    dialect: Dialect = SELF_HOSTED
    needs_key: bool = True
    owner: str = ""
    """Whose keys it takes, where their beginning says whose they are."""
    port: int | None = None
    """Where it is the server's own: it is known by it on every host."""


GATEWAYS: dict[str, Gateway] = {
    gateway.name: gateway
    for gateway in (
        Gateway(
            "xiaomi",
            "https://api.xiaomimimo.com/v1",
            "api-key",
            ("sk-",),
            _XIAOMI_PATHS,
            XIAOMI,
            owner="Xiaomi",
        ),
        *(
            Gateway(
                f"token-plan-{cluster}",
                f"https://token-plan-{cluster}.xiaomimimo.com/v1",
                "api-key",
                TOKEN_PLAN_PREFIXES,
                _XIAOMI_PATHS,
                XIAOMI,
                owner="Xiaomi",
            )
            for cluster in ("cn", "sgp", "ams")
        ),
        Gateway(
            "cloudsway",
            "https://genaiapi.cloudsway.net/v1",
            paths=_CLOUDSWAY_PATHS,
            dialect=CLOUDSWAY,
        ),
        Gateway(
            "openrouter",
            "https://openrouter.ai/api/v1",
            key_prefixes=("sk-or-",),
            dialect=OPENROUTER,
            owner="OpenRouter",
        ),
        Gateway("vercel", "https://ai-gateway.vercel.sh/v1", dialect=VERCEL),
        # Servers of one's own, at the addresses that they listen on where nothing else is said.
        Gateway("vllm", "http://localhost:8000/v1", needs_key=False),
        Gateway("sglang", "http://localhost:30000/v1", needs_key=False),
        Gateway("llama.cpp", "http://localhost:8080/v1", needs_key=False),
        Gateway("ollama", "http://localhost:11434/v1", dialect=OLLAMA, needs_key=False, port=11434),
    )
}
know_names(GATEWAYS)
_BY_HOST = {
    urlsplit(gateway.base_url).hostname: gateway
    for gateway in GATEWAYS.values()
    if gateway.needs_key
}
_BY_PORT = {gateway.port: gateway for gateway in GATEWAYS.values() if gateway.port}
_DIALECTS: dict[str, Dialect] = {
    "emulator.localhost": XIAOMI
}  # by host and port; a cassette's name
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
    has_withheld_key: bool = False
    """Whether `MIMO_API_KEY` is set and stays here: it would go unencrypted over a network."""

    @classmethod
    def resolve(
        cls,
        api_key: str | HoldsSecret | None = None,
        base_url: str | None = None,
        protocol: str | None = None,
        auth: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> Endpoint:
        """Fill in what is not given, from the environment and the gateway table.

        Args:
            api_key: a text or a `SecretStr`, else `MIMO_API_KEY`, which does not go unencrypted to
                a server of one's own (it may be meant for another one).
            base_url: a URL, a gateway's name, or both (`vllm+http://gpu7:8000/v1`: that kind of
                server, there), else `MIMO_BASE_URL`, else `xiaomi`; a key that begins with `tp-`
                or `ttp-` and no base URL goes to `token-plan-cn`. A URL alone that is not in the
                table is a server of one's own.
            protocol: `"chat_completions"` or `"messages"`; default `"messages"` where `base_url`
                is an address of that protocol (`…/anthropic`, `…/v1/messages`), else
                `"chat_completions"`.
            auth: `"api-key"` or `"bearer"`; default `api-key` at Xiaomi's hosts, else `bearer`.
            environ: stands in for `os.environ`.

        Raises:
            AuthenticationError: the key is another provider's.
            InvalidRequestError: one of the arguments is not what it should be.
        """
        # A traceback with variables shows none of these as they came, nor the whole environment.
        given, api_key, base_url = sealed_key(api_key), None, without_user(base_url)
        environ = own_variables(os.environ if environ is None else environ)
        key = checked_key(given or environ["MIMO_API_KEY"])
        if not isinstance(base_url, str | None):
            kind = base_url.kind if isinstance(base_url, Unusable) else type(base_url).__name__
            raise InvalidRequestError(f"base_url is a {kind}; it must be a text.", param="base_url")
        where = (base_url or environ["MIMO_BASE_URL"] or "").strip()
        if not where:
            where = "token-plan-cn" if (key or "").startswith(TOKEN_PLAN_PREFIXES) else "xiaomi"
        url, spoken_there, gateway = _base_url(where)
        host = urlsplit(url).hostname or ""
        if (key or "").lower() in _NO_KEYS and not (gateway is not None and gateway.needs_key):
            key = None
        is_carried = carries_credentials(url, environ)
        needs_key = gateway is not None and gateway.needs_key
        is_withheld = bool(key) and given is None and not is_carried and not needs_key
        endpoint = cls(
            base_url=url,
            protocol=_one_of("protocol", protocol, get_args(ProtocolName), spoken_there),
            auth=_one_of("auth", auth, get_args(Auth), _default_auth(host, gateway)),
            api_key=None if is_withheld else key,
            gateway=gateway,
            carries_credentials=is_carried,
            has_withheld_key=is_withheld,
        )
        endpoint._check_key()
        return endpoint

    def _check_key(self) -> None:
        key, gateway = self.api_key, self.gateway
        if not key:
            return
        self.check_credentials([key])
        owner = owner_of(key)
        if gateway is None or not gateway.owner or owner in (None, gateway.owner):
            return
        raise AuthenticationError(
            f"The key is one of {owner}'s by its beginning, and was not sent to {gateway.name}. "
            f"Set MIMO_API_KEY to a key of {gateway.name}, or base_url to where this one belongs."
        )

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine: no proxy stands between."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

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
        if self.api_key is None and self.needs_key:
            made_at = "; keys are made at https://platform.xiaomimimo.com" if self.is_xiaomi else ""
            raise AuthenticationError(f"No API key. Set MIMO_API_KEY or pass api_key=…{made_at}.")

    @property
    def needs_key(self) -> bool:
        """Whether nothing is answered there without a key."""
        return self.gateway is not None and self.gateway.needs_key

    @property
    def dialect_name(self) -> str:
        """The name of the table's entry; empty for an address that is not in it."""
        return self.gateway.name if self.gateway is not None else ""

    @property
    def dialect(self) -> Dialect:
        """How that server speaks."""
        if self.gateway is not None:
            return self.gateway.dialect
        parts = urlsplit(self.base_url)
        if (known := _DIALECTS.get(parts.netloc)) is not None:
            return known
        return XIAOMI if self.is_xiaomi else SELF_HOSTED  # a cluster that is new

    def url(self, path: str) -> str:
        """The address of `path` (`/chat/completions`) below the base URL."""
        return self.base_url + path

    def messages_url(self) -> str:
        """The address of the messages protocol."""
        parts = urlsplit(self.base_url)
        for chat, messages in _paths_of(parts.hostname or "", self.gateway):
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
        return {"authorization": Secret("Bearer " + self.api_key)}

    @property
    def is_xiaomi(self) -> bool:
        """Whether it is a host of the vendor's own, known or new."""
        return (urlsplit(self.base_url).hostname or "").endswith(_XIAOMI)

    @property
    def is_token_plan(self) -> bool:
        """Whether its keys are those of a Token Plan."""
        return (urlsplit(self.base_url).hostname or "").startswith("token-plan-")

    def hints(self, model: str | None = None) -> dict[type[MiMoError], str]:
        """What to do about errors here, where more is known than their class says.

        Args:
            model: the id that was asked for.

        Returns:
            A next step by class of error; an empty one counts as none.
        """
        from mimo_core._hints import hints_for  # which knows this class

        return hints_for(self, model)


# What clients of OpenAI's are given where a server asks for no key.
_NO_KEYS = frozenset({"empty", "none", "no-key", "not-needed"})


def _default_auth(host: str, gateway: Gateway | None) -> Auth:
    if gateway is not None:
        return gateway.auth
    return "api-key" if host.endswith(_XIAOMI) else "bearer"  # e.g. a cluster that is new


def serves_mimo(url: str) -> bool:
    """Whether an address is known as MiMo's: the vendor's, Cloudsway's, or an emulator's here.

    Args:
        url: of a request, or a base URL.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    return host.endswith(_XIAOMI) or parts.netloc in _DIALECTS or host in _hosts_of_mimo()


@lru_cache(maxsize=1)
def _hosts_of_mimo() -> frozenset[str]:
    ours = [one for one in GATEWAYS.values() if one.dialect in (XIAOMI, CLOUDSWAY)]
    return frozenset(urlsplit(one.base_url).hostname or "" for one in ours)


def assign_dialect(base_url: str, dialect: Dialect | None) -> None:
    """Say how a server of this process speaks: an emulator is on this machine, but not one's own.

    Args:
        base_url: where it listens.
        dialect: None when it has stopped.
    """
    netloc = urlsplit(base_url).netloc
    if dialect is None:
        _DIALECTS.pop(netloc, None)
    else:
        _DIALECTS[netloc] = dialect


def _base_url(where: str) -> tuple[str, ProtocolName, Gateway | None]:
    """The chat-completions base, the protocol of the address that was given, and its entry.

    Args:
        where: as `without_user` gives it, so that an error may quote it.
    """
    if known := GATEWAYS.get(where.lower()):
        return known.base_url, "chat_completions", known
    name, plus, url = where.partition("+")
    kind = GATEWAYS.get(name.lower()) if plus else None
    if kind is None:
        url = where
    if not is_plain_url(url):
        raise InvalidRequestError(
            f"base_url {where!r} is not an http(s) URL or one of {', '.join(GATEWAYS)}, or "
            "both (vllm+http://gpu7:8000/v1).",
            param="base_url",
        )
    # It may be a whole endpoint, pasted from the documentation, or a base of Anthropic's SDK.
    url = url.rstrip("/")
    if url.endswith("/anthropic"):
        url += "/v1"
    chat_base = url.removesuffix("/chat/completions").removesuffix("/messages")
    parts = urlsplit(chat_base)
    host = (parts.hostname or "").rstrip(".")
    gateway = _BY_HOST.get(host) or _BY_PORT.get(parts.port or 0)
    if kind is not None and kind is not gateway:  # at another address, where no key may be needed
        gateway = kind._replace(base_url=chat_base, needs_key=False, key_prefixes=(), owner="")
    for chat, messages in _paths_of(host, gateway):
        if (path := _moved(parts.path, messages, chat)) is not None:
            return parts._replace(path=path).geturl(), "messages", gateway
    is_messages = url.endswith(("/messages", "/anthropic/v1"))
    return chat_base, "messages" if is_messages else "chat_completions", gateway


def _paths_of(host: str, gateway: Gateway | None) -> Paths:
    if gateway is not None:
        return gateway.paths
    return _XIAOMI_PATHS if host.endswith(_XIAOMI) else ()


def _moved(path: str, base: str, other: str) -> str | None:
    """`path` below `other`, where it is `base`; else None."""
    found = re.fullmatch(re.escape(base).replace(r"\{\}", "([^/]+)"), path)
    return other.format(*found.groups()) if found else None


def _one_of(name: str, value: object, choices: tuple[str, ...], default: str) -> Any:
    if value is None or (isinstance(value, str) and not value):
        return default
    if not isinstance(value, str) or value not in choices:
        shown = without_keys(quoted(value), None)  # a key that took the wrong parameter
        raise InvalidRequestError(
            f"{name} is {shown}; it can be {' or '.join(map(repr, choices))}.", param=name
        )
    return value
