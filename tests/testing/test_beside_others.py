"""The kit in a project that has every plugin of its kind on: respx, pytest-httpx, pytest-socket,
pytest-recording, xdist, randomly, asyncio in both modes, and anyio."""

from __future__ import annotations

import pytest

from mimo_core import MiMoClient
from mimo_core.testing import use_cassette
from tests.conftest import LEAN

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow  # test runs in processes of their own, with workers

PLUGINS = ("respx", "pytest_httpx", "socket", "recording", "xdist", "randomly", "asyncio", "anyio")
TESTS = """
import httpx
import pytest
from mimo_core import AsyncMiMoClient, MiMoClient
from mimo_core.testing import LiveRequestRefused, Reply, ignore

SAID = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Weather?"}]}
LIVE = MiMoClient("sk-of-somebody")  # made before anything stands in its way


def text(answer):
    return answer["choices"][0]["message"]["content"]


def test_every_plugin_is_on(pytestconfig):
    missing = [name for name in PLUGINS if not pytestconfig.pluginmanager.has_plugin(name)]
    assert not missing


def test_fake_mimo(fake_mimo):
    fake_mimo.queue("Light rain.")
    assert text(LIVE.chat(SAID)) == "Light rain."


@pytest.mark.asyncio
async def test_asyncio(fake_mimo):
    fake_mimo.queue("Light rain.")
    async with AsyncMiMoClient("sk-of-somebody") as client:
        assert text(await client.chat(SAID)) == "Light rain."


@pytest.mark.anyio
async def test_anyio(fake_mimo, anyio_backend):
    fake_mimo.queue("Light rain.")
    async with AsyncMiMoClient("sk-of-somebody") as client:
        chunks = [chunk async for chunk in client.stream(SAID)]
    assert chunks


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.vcr
def test_a_cassette_answers():
    assert text(LIVE.chat(SAID))


@pytest.mark.vcr("elsewhere.yaml")
def test_nothing_is_recorded_by_itself():
    other = {**SAID, "messages": [{"role": "user", "content": "Something else?"}]}
    with pytest.raises(Exception, match="elsewhere|not hold|no answer"):
        LIVE.chat(other)


def test_pytest_httpx_takes_httpxs_and_lets_none_of_ours_out(httpx_mock):
    httpx_mock.add_response(json={"mocked": True})
    assert httpx.get("https://example.com").json() == {"mocked": True}
    with pytest.raises(LiveRequestRefused, match="pytest-httpx does not see"):
        LIVE.chat(SAID)


def test_respx_takes_httpxs_and_lets_none_of_ours_out(respx_mock):
    respx_mock.get("https://example.com").respond(json={"mocked": True})
    assert httpx.get("https://example.com").json() == {"mocked": True}
    with pytest.raises(LiveRequestRefused, match="respx does not see"):
        LIVE.chat(SAID)


def test_both_in_one(httpx_mock, fake_mimo):
    httpx_mock.add_response(json={"mocked": True})
    fake_mimo.queue(Reply("Light rain."))
    assert httpx.get("https://example.com").json() == {"mocked": True}
    assert text(LIVE.chat(SAID)) == "Light rain."


@pytest.mark.mimo_faults(only=["500 server", "connection refused", "402 balance"])
def test_faults(fake_mimo):
    fake_mimo.queue("Light rain.")
    assert text(LIVE.chat(SAID)) == "Light rain."


def test_the_network_is_blocked():
    with pytest.raises(Exception, match="(?i)socket|network|block|not allowed"):
        httpx.get("http://192.0.2.1")
"""
NUMBER = TESTS.count("def test_")


@pytest.mark.parametrize(("mode", "workers"), [("strict", 2), ("auto", 0)])
def test_with_all_of_them_at_once(mode: str, workers: int, pytester: pytest.Pytester) -> None:
    pytester.makeini(
        f"[pytest]\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n"
        "addopts = -p no:cacheprovider\n"
    )
    pytester.makepyfile(test_all=f"PLUGINS = {PLUGINS!r}\n{TESTS}")
    said = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Weather?"}]}
    for name in ("test_a_cassette_answers", "test_nothing_is_recorded_by_itself"):
        path = pytester.path / "cassettes" / "test_all" / f"{name}.yaml"
        with use_cassette(path, emulate=["Light rain."]), MiMoClient("sk-not-a-key") as client:
            client.chat(said)
    options = ["-q", *LEAN, f"-n{workers}", "--disable-socket", "--block-network", "--mimo-faults"]
    done = pytester.runpytest_subprocess(*options)
    done.assert_outcomes(passed=NUMBER)
    done.stdout.fnmatch_lines(["2 retried, 1 reported"])
