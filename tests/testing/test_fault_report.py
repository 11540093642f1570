"""`pytest --mimo-faults` in projects of their own: what it says of applications of every kind."""

from __future__ import annotations

import asyncio
import importlib
import json
from typing import Any

import httpx2
import pytest

from tests.conftest import LEAN

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow  # whole test runs, with LangChain and llm loaded

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
addopts = --mimo-faults --mimo-faults-json=report.json -p no:randomly -p no:cacheprovider
"""
START = """
import pytest
from mimo_core import MiMoClient, MiMoError
from mimo_core.testing import FakeMiMo, Fault, Reply

def ask(text="Weather?", **options):
    with MiMoClient(**options) as client:
        said = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": text}]}
        return client.chat(said)["choices"][0]["message"]["content"]
"""


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> None:
    """pytester forgets the modules that a run has imported; those imported twice would differ."""
    for name in ("langchain.agents", "langchain_mimo", "llm.cli", "llm_mimo"):
        importlib.import_module(name)
    importlib.import_module("mimo_core.testing.fault_report.plugin")
    httpx2.Client(verify=False).close()
    asyncio.run(httpx2.AsyncClient(verify=False).aclose())


class Project:
    """A project whose tests run under faults, and its report."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        pytester.makefile(".ini", pytest=INI)

    def run(self, source: str, *options: str, ret: int = 0) -> pytest.RunResult:
        self.pytester.makepyfile(test_it=START + source)
        self.result = self.pytester.runpytest_inprocess("-q", *options)
        assert self.result.ret == ret, self.result.stdout.str() + self.result.stderr.str()
        return self.result

    @property
    def report(self) -> Any:
        return json.loads((self.pytester.path / "report.json").read_text("utf-8"))

    def verdicts(self, number: int = 1, test: int = 0) -> dict[str, str]:
        """Of each fault that met a request of a test."""
        runs = self.report["tests"][test]["runs"]
        return {run["fault"]: run["verdict"] for run in runs if run["request"] == number}

    def of(self, fault: str, number: int = 1, test: int = 0) -> dict[str, Any]:
        runs = self.report["tests"][test]["runs"]
        (found,) = (r for r in runs if (r["fault"], r["request"]) == (fault, number))
        return dict(found)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester)


def test_a_plain_question_under_every_fault_that_can_meet_it(project: Project) -> None:
    project.run(
        """
@pytest.mark.mimo_faults
def test_it(fake_mimo):
    fake_mimo.queue("Light rain.")
    assert ask() == "Light rain."
"""
    ).assert_outcomes(passed=1)
    found = project.verdicts()
    assert {kind: [k for k, v in found.items() if v == kind] for kind in set(found.values())} == {
        "survived": ["byte by byte", "byte order mark"],
        "retried": [
            *("429 rate_limit", "429 quota", "500 server", "502 bad_gateway", "503 overloaded"),
            *("504 gateway_timeout", "429 in a relay's wrapping", "connection refused"),
            *("connection closed", "connection reset", "cut before the body", "cut in the middle"),
        ],
        "reported": [
            *("401 invalid_key", "402 balance", "403 region", "404 not_found"),
            *("400 context_overflow", "400 moderation", "200 html"),
            *("silence before an answer", "silence after the headers"),
            *("broken JSON", "no choices"),
        ],
        # Another text, and no error: the application has to look at `finish_reason`.
        "swallowed": ["content filter", "token limit"],
    }
    assert project.of("401 invalid_key")["error"] == "AuthenticationError"
    assert project.of("silence before an answer")["error"] == "APITimeoutError"
    assert project.of("connection refused")["requests"] == 2
    # Neither Retry-After nor the client's own timeout of 600 s is waited for.
    assert all(run["seconds"] < 9 for run in project.report["tests"][0]["runs"])
    project.result.stdout.fnmatch_lines(
        [
            "*= MiMo faults =*",
            "test_it.py::test_it: 1 request; 2 survived, 12 retried, 11 reported, 2 swallowed",
            "  request 1  reported AuthenticationError: 401 invalid_key",
        ]
    )


def test_a_stream_in_langchain_asynchronously(project: Project) -> None:
    project.run(
        """
from langchain_mimo import ChatMiMo

@pytest.mark.mimo_faults(without=["silence before an answer", "silence after the headers"])
async def test_it(fake_mimo):
    fake_mimo.queue("Light rain in Paris.")
    said = [chunk.text async for chunk in ChatMiMo().astream("Weather?")]
    assert "".join(said) == "Light rain in Paris."
"""
    ).assert_outcomes(passed=1)
    found = project.verdicts()
    for name in ("JSON in place of a stream", "no end", "keep-alive comments", "CRLF"):
        assert found[name] == "survived"
    for name in ("cut in the middle", "ends in the middle", "malformed event", "empty stream"):
        assert project.of(name)["error"] == "MiMoStreamInterruptedError"
    assert project.of("silence in the middle")["error"] == "MiMoStreamInterruptedError"
    assert project.of("error event")["error"] == "MiMoServerError"
    assert found["500 as an event"] == "retried"
    assert "silence before an answer" not in found


def test_an_agent_whose_requests_meet_each_fault_in_turn(project: Project) -> None:
    project.run(
        '''
from langchain.agents import create_agent
from langchain_mimo import ChatMiMo

def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: light rain"

@pytest.mark.mimo_faults(without=["silence before an answer", "silence after the headers"])
def test_it(fake_mimo):
    fake_mimo.queue(Reply(tool_calls=[("get_weather", {"city": "Paris"})]), "Light rain.")
    agent = create_agent(ChatMiMo(), [get_weather])
    answer = agent.invoke({"messages": [("user", "How is the weather in Paris?")]})
    assert answer["messages"][-1].content == "Light rain."
'''
    ).assert_outcomes(passed=1)
    first, second = project.verdicts(1), project.verdicts(2)
    assert project.report["tests"][0]["requests"] == 2
    for found in (first, second):
        assert found["500 server"] == found["connection refused"] == "retried"
        assert found["402 balance"] == "reported"
    assert first["invalid tool arguments"] == "swallowed"  # the agent ends with an empty answer
    assert first["unknown tool"] == first["other tool arguments"] == "retried"  # it asks again
    assert "unknown tool" not in second


def test_the_command_llm(project: Project) -> None:
    project.run(
        """
import llm.cli
from click.testing import CliRunner

@pytest.mark.mimo_faults(only=["500 server", "402 balance", "error event", "content filter"])
def test_it(fake_mimo, tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    fake_mimo.queue("Light rain.")
    done = CliRunner().invoke(llm.cli.cli, ["-m", "mimo", "--no-log", "Weather?"])
    assert done.output == "Light rain.\\n"
    assert done.exit_code == 0
"""
    ).assert_outcomes(passed=1)
    assert project.verdicts()["500 server"] == "retried"
    # The error is in what the command prints: somebody was told, though none reached the test.
    assert project.of("402 balance")["detail"] == "shown: InsufficientBalanceError"
    assert project.verdicts()["error event"] == "reported"


SWALLOWS = """
import logging, warnings

def careful(told):
    try:
        return ask()
    except MiMoError as error:
        told(error)
        return "Sorry."

@pytest.mark.mimo_faults(only=["402 balance", "500 server"])
@pytest.mark.parametrize("how", ["nobody", "log", "library", "warning", "print", "raise"])
def test_it(how, fake_mimo, recwarn):
    def told(error):
        if how == "log":
            logging.getLogger("app").error("no answer")
        if how == "library":
            logging.getLogger("mimo_core.some").error("no answer")
        if how == "warning":
            warnings.simplefilter("always")
            warnings.warn(f"no answer: {error}")
        if how == "print":
            print(f"Error: {error}")
        if how == "raise":
            raise RuntimeError("no answer") from error
    careful(told)
"""


def test_who_counts_as_told(project: Project) -> None:
    project.run(SWALLOWS).assert_outcomes(passed=6)
    tests = project.report["tests"]
    found = {test["test"].partition("[")[2][:-1]: test["runs"][1] for test in tests}
    assert {how: run["verdict"] for how, run in found.items()} == {
        "nobody": "swallowed",
        "log": "reported",
        "library": "swallowed",  # this library's own notes are not the application's
        "warning": "swallowed",  # `recwarn` took it: the test did not look
        "print": "reported",
        "raise": "reported",
    }
    assert found["raise"]["error"] == "InsufficientBalanceError"
    assert all(test["runs"][0]["verdict"] == "retried" for test in tests)


def test_an_outcome_that_the_test_names_is_compared(project: Project) -> None:
    project.run(
        """
def answer(fallback):
    try:
        return ask()
    except MiMoError:
        return fallback

@pytest.mark.mimo_faults(only=["402 balance"])
@pytest.mark.parametrize("fallback", ["Light rain.", "Sorry."])
def test_it(fallback, fake_mimo, mimo_outcome):
    fake_mimo.queue("Light rain.")
    mimo_outcome({"said": answer(fallback)})
"""
    ).assert_outcomes(passed=2)
    runs = {test["test"]: test["runs"][0] for test in project.report["tests"]}
    assert runs["test_it.py::test_it[Light rain.]"]["verdict"] == "survived"
    assert runs["test_it.py::test_it[Sorry.]"]["detail"] == "the test passed, with another outcome"


def test_an_application_that_never_ends_is_stopped(project: Project) -> None:
    project.run(
        """
import time

@pytest.mark.mimo_faults(only=["402 balance"])
def test_it(fake_mimo):
    while True:
        try:
            return print(ask())
        except Exception:
            time.sleep(60)
""",
        "--mimo-faults-limit=0.2",
    ).assert_outcomes(passed=1)
    assert project.verdicts() == {"402 balance": "hung"}


def test_another_client_that_waits_too_long_hangs(project: Project) -> None:
    """The silence of the server ends at the limit: nobody waits for 600 s."""
    project.run(
        """
import httpx2

@pytest.mark.mimo_faults(only=["silence before an answer", "connection refused", "500 server"])
def test_it(fake_mimo):
    said = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "Weather?"}]}
    with httpx2.Client(verify=False) as http:
        http.post(fake_mimo.base_url + "/chat/completions", json=said, timeout=600)
""",
        "--mimo-faults-limit=0.3",
    ).assert_outcomes(passed=1)
    assert project.verdicts() == {
        "500 server": "swallowed",  # nobody looks at the status
        "connection refused": "not reached",  # only mimo_core's clients can be made to meet it
        "silence before an answer": "hung",
    }


def test_whoever_starts_again_finds_the_script_where_it_was(project: Project) -> None:
    """An emulator of the session, a queue, and an application that begins its conversation anew."""
    project.pytester.makeconftest(
        """
from mimo_core.testing import fake_mimo_fixture
mimo = fake_mimo_fixture(scope="session")
"""
    )
    project.run(
        """
def conversation():
    first = ask("Where?")
    return first, ask(f"Weather in {first}?")

@pytest.mark.mimo_faults(only=["402 balance", "200 html"])
@pytest.mark.parametrize("tries", [1, 2])
def test_it(tries, mimo):
    mimo.when(content="Where").answer("Paris")
    mimo.queue("Light rain.")
    for attempt in range(tries):
        try:
            said = conversation()
            break
        except MiMoError:
            if attempt == tries - 1:
                raise
    assert said == ("Paris", "Light rain.")
"""
    ).assert_outcomes(passed=2)
    once, twice = (test["runs"] for test in project.report["tests"])
    assert [run["verdict"] for run in once] == ["reported"] * 4
    assert [run["verdict"] for run in twice] == ["retried"] * 4


def test_what_cannot_be_tried_says_so(project: Project) -> None:
    project.run(
        """
@pytest.mark.mimo_faults
def test_asks_nothing(): ...

@pytest.mark.mimo_faults
def test_fails(fake_mimo):
    assert ask() == "something else"

@pytest.mark.mimo_faults(only=["402 balance"])
def test_has_its_own_fault(fake_mimo):
    fake_mimo.queue(Fault("server"), "Light rain.")
    ask()

def test_is_not_marked(): ...
""",
        ret=1,
    ).assert_outcomes(passed=3, failed=1)
    project.result.stdout.fnmatch_lines(
        [
            "test_it.py::test_asks_nothing: it asks no FakeMiMo anything, so that no fault can *",
            "test_it.py::test_fails: it does not pass without a fault, so that none was tried",
            "test_it.py::test_has_its_own_fault: 2 requests; 1 reported",
        ]
    )


def test_a_fault_that_there_is_not_is_refused(project: Project) -> None:
    project.run("@pytest.mark.mimo_faults(only=['nonsense'])\ndef test_it(): ...\n", ret=4)
    project.result.stderr.fnmatch_lines(
        ["ERROR: test_it.py::test_it: no fault is called 'nonsense'; there are: 429 rate_limit, *"]
    )


def test_a_run_fails_for_what_it_is_told_to(project: Project) -> None:
    source = """
@pytest.mark.mimo_faults(only=["402 balance"])
def test_it(fake_mimo):
    try:
        ask()
    except MiMoError:
        pass
"""
    project.run(source)
    project.run(source, "--mimo-faults-fail=hung")
    project.run(source, "--mimo-faults-fail=swallowed, hung", ret=1).assert_outcomes(passed=1)
    refused = project.run(source, "--mimo-faults-fail=nonsense", ret=4)
    refused.stderr.fnmatch_lines(["ERROR: --mimo-faults-fail: 'nonsense' is none of survived, *"])


def test_nothing_happens_without_the_option(project: Project) -> None:
    project.pytester.makefile(".ini", pytest=INI.replace("--mimo-faults --", "--"))
    project.run(
        """
RUNS = []

@pytest.mark.mimo_faults
def test_it(fake_mimo, mimo_outcome):
    RUNS.append(ask())
    mimo_outcome(RUNS)
    assert len(RUNS) == 1
"""
    ).assert_outcomes(passed=1)
    assert not (project.pytester.path / "report.json").exists()
    assert "MiMo faults" not in project.result.stdout.str()


def test_each_run_has_its_own_fixtures_and_keeps_wider_ones(project: Project) -> None:
    project.run(
        """
MADE = {"function": 0, "module": 0}

@pytest.fixture(scope="module")
def wide():
    MADE["module"] += 1

@pytest.fixture
def narrow():
    MADE["function"] += 1

class TestIt:
    @pytest.mark.mimo_faults(only=["402 balance", "403 region"])
    def test_it(self, fake_mimo, wide, narrow, tmp_path, monkeypatch):
        ask()

def test_afterwards():
    assert MADE == {"function": 4, "module": 1}  # without a fault, two faults, without a fault
"""
    ).assert_outcomes(passed=2)


def test_workers_of_xdist_send_what_they_found(project: Project) -> None:
    source = """
@pytest.mark.mimo_faults(only=["402 balance", "500 server"])
@pytest.mark.parametrize("number", range(4))
def test_it(number, fake_mimo):
    ask()
"""
    project.pytester.makepyfile(test_it=START + source)
    done = project.pytester.runpytest_subprocess("-n2", *LEAN, "--mimo-faults-fail=swallowed")
    done.assert_outcomes(passed=4)
    assert [list(project.verdicts(test=test).values()) for test in range(4)] == [
        ["retried", "reported"]
    ] * 4
    done.stdout.fnmatch_lines(["4 retried, 4 reported"])


def test_tests_of_every_kind(project: Project) -> None:
    """unittest's, anyio's, those that ask in a fixture or in threads, and by the other protocol."""
    project.run(
        """
import unittest
from concurrent.futures import ThreadPoolExecutor
from mimo_core import AsyncMiMoClient

SAID = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Weather?"}]}
faults = pytest.mark.mimo_faults(only=["402 balance", "500 server"])

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def emulator(self, fake_mimo):
        fake_mimo.queue("Light rain.")

    @faults
    def test_of_unittest(self):
        self.assertEqual(ask(), "Light rain.")

@pytest.fixture
def answer(fake_mimo):
    fake_mimo.queue("Light rain.")
    return ask()

@faults
def test_that_asks_in_a_fixture(answer):
    assert answer == "Light rain."

@faults
def test_with_threads(fake_mimo):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: ask(), range(2)))

@faults
def test_by_messages(fake_mimo):
    with MiMoClient(protocol="messages") as client:
        assert list(client.stream(SAID))

@pytest.fixture
def anyio_backend():
    return "asyncio"

@faults
@pytest.mark.anyio
async def test_of_anyio(fake_mimo):
    async with AsyncMiMoClient() as client:
        assert [chunk async for chunk in client.stream(SAID)]
""",
        *("-o", "asyncio_mode=strict"),
    ).assert_outcomes(passed=5)
    for test in project.report["tests"]:
        verdicts = [run["verdict"] for run in test["runs"]]
        assert verdicts == ["retried", "reported"] * test["requests"], test["test"]
