"""What to do about an error, where the endpoint says more than the error's class."""

from __future__ import annotations

from urllib.parse import urlsplit

from mimo_core._keys import KEY_HOMES
from mimo_core._redact import TOKEN_PLAN_PREFIXES
from mimo_core.errors import (
    AuthenticationError,
    InsufficientBalanceError,
    MiMoError,
    NotFoundError,
)
from mimo_core.gateways import GATEWAYS, Endpoint
from mimo_core.models import model_info

_CLUSTERS = tuple(name for name in GATEWAYS if name.startswith("token-plan-"))


def hints_for(endpoint: Endpoint, model: str | None) -> dict[type[MiMoError], str]:
    """As `Endpoint.hints`."""
    hints: dict[type[MiMoError], str] = {AuthenticationError: _hint_on_401(endpoint)}
    if not endpoint.dialect.is_vendors:
        hints[InsufficientBalanceError] = "Top up the account there"
        hints[NotFoundError] = (
            "Check base_url and the model id: in Python mimo_core.MiMoClient().models(), at the "
            "shell `llm mimo refresh` ask the server for its own"
        )
    if endpoint.is_token_plan:
        hints[InsufficientBalanceError] = (
            "The Token Plan's quota is used up, or too much came at once: wait a little, or "
            "see the plan in the console"
        )
    info = model_info(model) if model else None
    if info is not None and endpoint.dialect.is_vendors and info.retired_on and info.successor:
        hints[NotFoundError] = (
            f"Xiaomi announced the end of {info.id} at its own hosts for "
            f"{info.retired_on.day} {info.retired_on:%B %Y}; use {info.successor}"
        )
    return hints


def _hint_on_401(endpoint: Endpoint) -> str:
    """A key of another gateway, or of another cluster, is the likeliest reason."""
    key, gateway = endpoint.api_key or "", endpoint.gateway
    if endpoint.is_token_plan and key.startswith(TOKEN_PLAN_PREFIXES):
        others = [name for name in _CLUSTERS if gateway is None or name != gateway.name]
        return (
            "A Token Plan's key works at its own cluster only, which the console shows: "
            f"try base_url {' or '.join(others)}"
        )
    if gateway is not None and gateway.key_prefixes:
        for prefix, names in KEY_HOMES.items():
            if key.startswith(prefix) and not key.startswith(gateway.key_prefixes):
                takes = " or ".join(gateway.key_prefixes)
                return (
                    f"This is a {prefix} key and {gateway.name} takes {takes} keys: "
                    f"set base_url to {names}"
                )
    if endpoint.has_withheld_key:
        host = urlsplit(endpoint.base_url).hostname
        return (
            "MIMO_API_KEY was not sent, for it would go unencrypted: use https, or set "
            f"MIMO_ALLOW_HTTP={host} if it is that server's and you trust the network"
        )
    if endpoint.dialect.is_vendors:
        return ""
    return f"Check that MIMO_API_KEY, or api_key, is a key of {urlsplit(endpoint.base_url).netloc}"
