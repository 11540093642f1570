"""How credentials are held between where they come in and the wire: as texts that show a mask.

What must not be shown is decided in one place (`mimo_core._redact`); these are its public names.
"""

from __future__ import annotations

from mimo_core._addresses import without_user
from mimo_core._redact import (
    HoldsSecret,
    Secret,
    Unusable,
    is_credential,
    is_credential_header,
    sealed_key,
    sealed_values,
)
from mimo_core.errors import AuthenticationError

__all__ = [
    "HoldsSecret",
    "Secret",
    "checked_key",
    "is_credential",
    "is_credential_header",
    "sealed_key",
    "sealed_values",
    "without_user",
]


def checked_key(key: Secret | Unusable | None) -> Secret | None:
    """An API key that can be sent; None where there is none.

    Args:
        key: as `sealed_key` gives it.

    Raises:
        AuthenticationError: it is no text, or holds what no key holds.
    """
    if isinstance(key, Unusable):
        raise AuthenticationError(f"The API key must be a str, not {key.kind}.")
    key = Secret((key or "").strip())
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise AuthenticationError(
            "The API key holds characters that no key has (spaces, line breaks or non-ASCII); "
            "copy it again from https://platform.xiaomimimo.com."
        )
    return key
