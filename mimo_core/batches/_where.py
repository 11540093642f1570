"""Where batches are asked for: an address of its own, and keys of one kind."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from mimo_core._keys import owner_of
from mimo_core.credentials import HoldsSecret, without_user
from mimo_core.errors import AuthenticationError, InvalidRequestError
from mimo_core.gateways import Endpoint

_REGION = re.compile(r"[a-z]{2,10}(-[a-z0-9]{1,10})?")
_OWN_NAME = re.compile(r"\bbase_url\b")
_DEFAULT_REGION = "cn"


def batch_address(
    batch_base_url: str | None,
    base_url: str | None,
    api_key: str | HoldsSecret | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """The base URL for batches, as `Endpoint.resolve` takes it.

    Args:
        batch_base_url: a URL, or a region of Xiaomi's (`cn`, `ams`, …; the console shows it); else
            `MIMO_BATCH_BASE_URL`; else `base_url` where that is not Xiaomi's; else region `cn`.
        base_url: of the realtime API; else `MIMO_BASE_URL`.
        api_key: as for `Endpoint.resolve`.
        environ: stands in for `os.environ`.

    Raises:
        InvalidRequestError: `batch_base_url` or `base_url` is no address.
    """
    environ = os.environ if environ is None else environ
    given = without_user(batch_base_url or environ.get("MIMO_BATCH_BASE_URL"))
    if isinstance(given, str) and given.strip():
        where = given.strip()
        if _REGION.fullmatch(where.lower()):
            return _of_region(where.lower())
        try:
            Endpoint.resolve(api_key, where, environ=environ)
        except InvalidRequestError as error:
            if error.param == "base_url":  # there are two addresses: it says which one is wrong
                error.param = "batch_base_url"
                error.args = (_OWN_NAME.sub("batch_base_url", str(error)), *error.args[1:])
            raise
        return where
    realtime = base_url or environ.get("MIMO_BASE_URL")
    if realtime and not Endpoint.resolve(api_key, realtime, environ=environ).is_xiaomi:
        return realtime
    return _of_region(_DEFAULT_REGION)


def _of_region(region: str) -> str:
    return f"https://batch-api-{region}.xiaomimimo.com/v1"


def check_key(endpoint: Endpoint) -> None:
    """Refuse keys that Xiaomi's batches do not take, before anything is sent.

    Args:
        endpoint: where the batches are asked for.

    Raises:
        AuthenticationError: there is none, or it is not a pay-as-you-go key of Xiaomi's.
    """
    if not endpoint.is_xiaomi:
        return
    key = endpoint.api_key or ""
    if not key.startswith("sk-") or owner_of(key) != "Xiaomi":
        raise AuthenticationError(
            "Xiaomi's batches take a pay-as-you-go key (sk-…) only, never a Token Plan's. Set "
            "MIMO_API_KEY or api_key to one; keys are made at https://platform.xiaomimimo.com."
        )
