"""What every suite stands on: no key, no proxy and no base URL of the machine reaches a test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("mimo", deadline=None, database=None, max_examples=60)
settings.load_profile("mimo")

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_CERTIFICATES = {"SSL_CERT_FILE", "SSL_CERT_DIR"}


@pytest.fixture(autouse=True, scope="session")
def hermetic(pytestconfig: pytest.Config) -> Iterator[None]:
    """Take the machine's settings out of the environment; recording alone may see them."""
    if pytestconfig.getoption("--record-mode", None) not in (None, "none"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("MIMO_") or name.lower() in _PROXIES or name in _CERTIFICATES:
                patch.delenv(name)
        yield
