"""Headers and parameters of a URL whose values are credentials: secrets from where they come in.

What must not be shown is decided by the header's name (`mimo_core._redact`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from mimo_core.credentials import is_credential_header

_HIDDEN = "**********"


def sealed(values: Any) -> Any:
    """Headers or query parameters with their credentials as `SecretStr`.

    Args:
        values: a mapping; anything else is given back as it is.
    """
    if not isinstance(values, Mapping):
        return values
    return {
        name: SecretStr(value)
        if isinstance(value, str) and is_credential_header(str(name))
        else value
        for name, value in values.items()
    }


def sealed_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments with the credentials in them sealed.

    Args:
        arguments: of `invoke`, `bind` and the like.
    """
    return {
        name: sealed(value) if name in ("extra_headers", "extra_query") else value
        for name, value in arguments.items()
    }


def opened(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values as they are sent.

    Args:
        values: headers or query parameters, as `sealed` gives them.
    """
    return None if values is None else {name: _reveal(value) for name, value in values.items()}


def masked(values: Any) -> Any:
    """The values as a trace may show them.

    Args:
        values: headers or query parameters; anything else is given back as it is.
    """
    if not isinstance(values, Mapping):
        return values
    return {name: _HIDDEN if _is_secret(name, value) else value for name, value in values.items()}


def masked_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments as a trace may show them.

    Args:
        arguments: of `invoke`, `bind` and the like.
    """
    return {
        name: masked(value) if name in ("extra_headers", "extra_query") else value
        for name, value in arguments.items()
    }


def without_credentials(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values that may be written down.

    Args:
        values: headers or query parameters.
    """
    if values is None:
        return None
    return {name: value for name, value in values.items() if not _is_secret(name, value)}


def fingerprint(*several: Any) -> str:
    """Tells credentials apart without holding them: another tenant's may mean other answers.

    Four bytes, so that what is kept in a cache says too little to look for the secret.
    """
    secrets = [
        (str(name).lower(), _reveal(value))
        for values in several
        if isinstance(values, Mapping)
        for name, value in values.items()
        if _is_secret(name, value)
    ]
    if not secrets:
        return ""
    return hashlib.blake2b(repr(sorted(secrets, key=repr)).encode(), digest_size=4).hexdigest()


def _is_secret(name: Any, value: Any) -> bool:
    return isinstance(value, SecretStr) or is_credential_header(str(name))


def _reveal(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
