"""What every suite stands on: no key, no proxy and no base URL of the machine reaches a test."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings

from mimo_core._http import pools
from mimo_core.testing.emulator import FakeMiMo

KEY = "sk-secret0123456789abcdef"  # looks like a key; whatever prints it has a defect

# Python's own deprecation of what langsmith calls, from 3.14 on, is no defect of this library.
LANGSMITH = (
    "ignore:'asyncio.iscoroutinefunction' is deprecated"
    ":DeprecationWarning:langsmith._internal._beta_decorator"
)
STRICT = ["-W", "error", "-W", LANGSMITH]
"""Options of a Python for which a warning is an error."""

LEAN = [
    f"-pno:{name}"
    for name in (
        *("langsmith_plugin", "hypothesispytest", "pytest_cov"),
        *("benchmark", "codspeed", "syrupy"),
    )
]
"""Options for pytest in a process of its own: without the plugins that have nothing to do with
recordings and take as long to load as all the rest."""

settings.register_profile("mimo", deadline=None, database=None, max_examples=25)
settings.register_profile("fuzz", deadline=None, database=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "mimo"))

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_CERTIFICATES = {"SSL_CERT_FILE", "SSL_CERT_DIR"}


def pytest_configure(config: pytest.Config) -> None:
    line = "protocols(*names): run on each of these wire protocols; a test's own mark wins"
    config.addinivalue_line("markers", line)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What was imported and collected stays to the end: 800,000 objects that no later search for
    garbage, and many tests start one, has to look through. By itself Python searches less often:
    the reports of thousands of tests, which it would look through again and again, are kept."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One suite for both protocols: a module marked with both runs on each, but for the tests that
    are marked with one because the other has nothing to show there."""
    mark = metafunc.definition.get_closest_marker("protocols")
    if mark is not None and "protocol" in metafunc.fixturenames:
        metafunc.parametrize("protocol", mark.args, indirect=True)


@pytest.fixture
def mimo() -> Iterator[FakeMiMo]:
    """The emulated service on loopback."""
    with FakeMiMo() as mimo:
        yield mimo


@pytest.fixture
def protocol(request: pytest.FixtureRequest) -> str:
    """The protocol on the wire."""
    return getattr(request, "param", "chat_completions")


@pytest.fixture(autouse=True)
def no_connections_of_another_test() -> Iterator[None]:
    """What a test leaves to the garbage collector shares no connections with the next one: when it
    is collected differs from one Python to another."""
    yield
    pools._close_all()


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
