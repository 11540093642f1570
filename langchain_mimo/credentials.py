"""Keys, and what holds credentials beside them: secrets from where they come in.

In headers, parameters of the URL and further fields of the body the name of a value says whether it
is one, and so does its form (`mimo_core.credentials`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from mimo_core.credentials import Secret, is_credential, without_user

_HIDDEN = "**********"


def sealed(values: Any) -> Any:
    """Headers, query parameters or fields of a body with their credentials as `SecretStr`.

    Args:
        values: a mapping; anything else is given back as it is.
    """
    if not isinstance(values, Mapping):
        return values
    return {
        name: SecretStr(value) if isinstance(value, str) and is_credential(name, value) else value
        for name, value in values.items()
    }


def sealed_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments with the credentials in them sealed.

    Args:
        arguments: of `invoke`, `bind` and the like.
    """
    return {
        name: sealed(value) if name in _MAY_HOLD_THEM else value
        for name, value in arguments.items()
    }


def opened(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values as they are sent.

    Args:
        values: headers or query parameters, as `sealed` gives them.
    """
    return None if values is None else {name: _reveal(value) for name, value in values.items()}


def sealed_fields(values: Mapping[str, Any], field_of: Mapping[str, str]) -> dict[str, Any]:
    """A constructor's arguments with the credentials in them sealed.

    Args:
        values: under any of their names.
        field_of: the other names of the fields.
    """
    found = dict(values)
    for name, value in values.items():
        field = field_of.get(name, name)
        if field == "api_key" and isinstance(value, str | bytes):
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            found[name] = SecretStr(text)
        elif field == "base_url":
            found[name] = without_user(value)
        elif field in _MAY_HOLD_THEM:
            found[name] = sealed(value)
    return found


def masked(values: Any) -> Any:
    """The values as a trace may show them.

    Args:
        values: headers or query parameters; anything else is given back as it is.
    """
    if not isinstance(values, Mapping):
        return values
    return {
        name: _HIDDEN if is_credential(name, value) else value for name, value in values.items()
    }


def masked_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments as a trace may show them.

    Args:
        arguments: of `invoke`, `bind` and the like.
    """
    return {
        name: masked(value) if name in _MAY_HOLD_THEM else value
        for name, value in arguments.items()
    }


def without_credentials(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values that may be written down.

    Args:
        values: headers or query parameters.
    """
    if values is None:
        return None
    return {name: value for name, value in values.items() if not is_credential(name, value)}


def fingerprint(*several: Any) -> str:
    """Tells credentials apart without holding them: another tenant's may mean other answers.

    Four bytes, so that what is kept in a cache says too little to look for the secret.
    """
    secrets = [
        (str(name).lower(), _plain(value))
        for values in several
        if isinstance(values, Mapping)
        for name, value in values.items()
        if is_credential(name, value)
    ]
    if not secrets:
        return ""
    return hashlib.blake2b(repr(sorted(secrets, key=repr)).encode(), digest_size=4).hexdigest()


def _plain(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def _reveal(value: Any) -> Any:
    """The value as it is sent: the core's own kind of secret, which shows a mask too."""
    return Secret(value.get_secret_value()) if isinstance(value, SecretStr) else value


HOLD_CREDENTIALS = ("default_headers", "default_query", "extra_body", "model_kwargs")
"""The fields of `ChatMiMo` that may hold credentials beside its key."""
_MAY_HOLD_THEM = frozenset({*HOLD_CREDENTIALS, "extra_headers", "extra_query"})
"""Those, and the arguments of a call that may."""
