"""The pytest plugin in a project of its own, whose tests use LangChain and llm as a user would."""

from __future__ import annotations

import asyncio
import importlib
import random
import re
import subprocess
import sys
from pathlib import Path

import httpx
import httpx2
import pytest

from mimo_core import MiMoClient
from mimo_core.testing import FakeMiMo, Fault, ReceivedRequest, Reply, use_cassette
from tests.conftest import KEY, LANGSMITH, LEAN

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow  # whole test runs, with LangChain and llm loaded

AGENT = [
    Reply(
        reasoning="I call get_weather.",
        tool_calls=[("get_weather", {"city": "Paris"}, "call_1")],
    ),
    Reply("Light rain in Paris.", reasoning="The tool has told."),
]
INI = f"""
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings =
    error
    {LANGSMITH}
addopts = -p no:randomly -p no:cacheprovider
"""


def answer(request: ReceivedRequest) -> Reply:
    """The emulator's side of every test of the sample project, however often it is asked."""
    if "weather" not in request.text_of("user"):
        return Reply("Hi again." if request.stream else "Hi.")
    called = any(message["role"] == "tool" for message in request.messages)
    return AGENT[called]


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> None:
    """pytester forgets the modules that a run has imported; those imported twice would differ."""
    for name in (
        "langchain.agents",
        "langchain_mimo",
        "llm.cli",
        "mimo_core.testing.cassettes.contexts",
    ):
        importlib.import_module(name)
    for library in (httpx, httpx2):  # these import their transport when they first make one
        library.Client(verify=False).close()
    asyncio.run(httpx2.AsyncClient(verify=False).aclose())


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    pytester.makefile(".ini", pytest=INI)
    return pytester


@pytest.mark.parametrize("name", ["langchain", "llm"])
def test_record_with_one_flag_and_replay_without_a_key(
    name: str, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(__file__).with_name(f"sample_{name}.py").read_text()
    project.makepyfile(**{f"test_{name}": source})
    number = len(re.findall(r"def test_", source)) + source.count("parametrize")

    refused = project.runpytest_inprocess("-q")
    refused.assert_outcomes(failed=number)
    refused.stdout.fnmatch_lines(["*Record it: *"])

    with FakeMiMo(answer, keys=[KEY]) as mimo, monkeypatch.context() as recording:
        recording.setenv("MIMO_API_KEY", KEY)
        recording.setenv("MIMO_BASE_URL", mimo.base_url)
        project.runpytest_inprocess("-q", "--record-mode=rewrite").assert_outcomes(passed=number)
        asked = len(mimo.requests)
        assert asked >= number
    cassettes = sorted(project.path.glob("cassettes/**/*.yaml"))
    assert len(cassettes) == number
    for cassette in cassettes:
        text = cassette.read_text()
        assert KEY[3:] not in text
        assert "kind: emulator" in text
    replayed = project.runpytest_inprocess("-q", "--block-network")
    replayed.assert_outcomes(passed=number)


def test_two_hundred_replays_in_random_order(project: pytest.Pytester) -> None:
    """As deterministic as unit tests: also where every request is the same."""
    scripts: dict[str, Reply | Fault] = {
        "plain": Reply("Hi."),
        "thinking": Reply("Hi.", reasoning="Hm."),
        "bytes": Fault(reply=Reply("Hé 👋"), byte_by_byte=True),
        "cut": Fault(reply=Reply("A long sentence that is cut."), cut="mid_stream"),
        "error": Fault("moderation"),
    }
    asked = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "Hello"}]}

    def read(client: MiMoClient) -> object:
        try:
            return [str(chunk["choices"]) for chunk in client.stream(asked)]
        except Exception as error:
            return repr(error)

    expected = {}
    with FakeMiMo() as mimo:
        for name, script in scripts.items():
            mimo.queue(script)
            with (
                use_cassette(f"{name}.yaml", record_mode="all"),
                MiMoClient(base_url=mimo.base_url) as client,
            ):
                expected[name] = read(client)
    order = [*scripts] * 40
    random.Random(4).shuffle(order)
    with MiMoClient("sk-none") as client:
        for name in order:
            with use_cassette(f"{name}.yaml"):
                assert read(client) == expected[name]


def test_two_hundred_tests_in_random_order(project: pytest.Pytester) -> None:
    project.makefile(".ini", pytest=INI.replace("-p no:randomly", ""))
    project.makepyfile(
        """
import pytest
from langchain_mimo import ChatMiMo

@pytest.mark.parametrize("number", range(200))
def test_one(number, mimo_cassette):
    with mimo_cassette(f"answer {number % 5}"):
        assert ChatMiMo().invoke(f"Hello {number % 5}").content == "Hi."
"""
    )
    folder = project.path / "cassettes" / "test_two_hundred_tests_in_random_order"
    with FakeMiMo(answer) as mimo, MiMoClient(base_url=mimo.base_url) as client:
        for number in range(5):
            said = {"role": "user", "content": f"Hello {number}"}
            with use_cassette(folder / f"answer {number}.yaml", record_mode="all"):
                client.chat({"model": "mimo-v2.6-pro", "messages": [said]})
    done = project.runpytest_inprocess("--randomly-seed=4")
    done.assert_outcomes(passed=200)


def test_fake_mimo_is_where_the_models_go(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import os
from langchain_mimo import ChatMiMo
from mimo_core.testing import Reply

def test_it(fake_mimo):
    fake_mimo.queue(Reply("Scripted."))
    assert ChatMiMo().invoke("Hello").content == "Scripted."
    assert fake_mimo.last_request.text_of("user") == "Hello"

def test_afterwards():
    assert "MIMO_API_KEY" not in os.environ
    assert "MIMO_BASE_URL" not in os.environ
"""
    )
    project.runpytest_inprocess("-q").assert_outcomes(passed=2)


def test_further_cassettes_of_a_marker(project: pytest.Pytester) -> None:
    """`@pytest.mark.vcr("path.yaml")` plays that one too, by its own rule of matching."""
    vendor = Path(__file__).resolve().parents[2] / "cassettes" / "vendor"
    paths = [str(vendor / f"{name}.yaml") for name in ("chat_introduction", "chat_tool_call")]
    project.makepyfile(
        f"""
import pytest
from langchain_mimo import ChatMiMo

@pytest.mark.vcr(*{paths})
def test_it():
    model = ChatMiMo(model="mimo-v2.5-pro")
    assert model.invoke("please introduce yourself").content.startswith("Hello! I'm MiMo")
    assert ChatMiMo(model="mimo-v2.6-flash").invoke("Paris?").tool_calls[0]["name"] == "get_weather"
"""
    )
    project.runpytest_inprocess("-q").assert_outcomes(passed=1)


def test_a_vcr_config_of_the_users_own(project: pytest.Pytester) -> None:
    """Whatever it says: what MiMo's cassettes hold does not depend on it."""
    project.makepyfile(
        test_upon="""
import pytest
from langchain_mimo import ChatMiMo

@pytest.fixture
def vcr_config(vcr_config):
    return {**vcr_config, "record_mode": "once"}

@pytest.mark.vcr
def test_it(fake_mimo):
    assert ChatMiMo().invoke("Hello").content
    assert len(fake_mimo.requests) == 1
""",
        test_without="""
import pytest, httpx2

@pytest.fixture(scope="module")
def vcr_config():
    return {"record_mode": "once"}

@pytest.mark.vcr
def test_it(fake_mimo):
    httpx2.get(fake_mimo.base_url + "/models", headers={"x-mine": "kept"})
""",
    )
    project.runpytest_inprocess("-q").assert_outcomes(passed=2)
    ours = (project.path / "cassettes/test_upon/test_it.yaml").read_text()
    theirs = (project.path / "cassettes/test_without/test_it.yaml").read_text()
    for text in (ours, theirs):
        assert "kind: emulator" in text
        assert "x-mine" not in text


def test_a_failed_save_fails_the_test_and_leaves_nothing_patched(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(
        """
import pytest, httpx2
from mimo_core.testing import Fault

REAL = httpx2.HTTPTransport.handle_request
BODY = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "a"}]}

@pytest.mark.vcr(record_mode="once")
def test_it(fake_mimo):
    odd = {"content-encoding": "x-own"}
    fake_mimo.queue(Fault(body=b"0", content_type="a/b", headers=odd))
    httpx2.post(fake_mimo.base_url + "/chat/completions", json=BODY)

def test_afterwards():
    assert httpx2.HTTPTransport.handle_request is REAL
"""
    )
    result = project.runpytest_inprocess("-q")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*An answer is compressed with x-own*"])


def test_names_of_cassettes(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest
from langchain_mimo import ChatMiMo

@pytest.mark.parametrize("text", ["a/b", "c"])
def test_it(text, fake_mimo, mimo_cassette):
    for name in (None, "named", "elsewhere/one.yaml"):
        with mimo_cassette(name, record_mode="all"):
            ChatMiMo().invoke(text)
"""
    )
    project.runpytest_inprocess("-q").assert_outcomes(passed=2)
    found = {path.relative_to(project.path).as_posix() for path in project.path.rglob("*.yaml")}
    module = "cassettes/test_names_of_cassettes"
    assert found == {
        f"{module}/test_it[a-b].yaml",
        f"{module}/test_it[c].yaml",
        f"{module}/named.yaml",
        "elsewhere/one.yaml",
    }


def run(project: pytest.Pytester, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *LEAN, *arguments],
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_pytest_recording(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
from langchain_mimo import ChatMiMo

def test_it(mimo_cassette, fake_mimo):
    for mode in ("all", "none"):
        with mimo_cassette(record_mode=mode):
            assert ChatMiMo().invoke("Hello").content
    assert len(fake_mimo.requests) == 1
"""
    )
    done = run(project, "-p", "no:recording", "-p", "no:pytest_recording")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_it_imports_next_to_nothing_until_it_is_asked(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import sys

def test_it(request):
    assert request.config.pluginmanager.has_plugin("mimo-fixtures")
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"vcr", "httpx", "httpx2", "langchain_core", "llm", "pydantic"}
    ours = {name for name in sys.modules if name.startswith("mimo_core")}
    faults = {"mimo_core.testing.fault_report", "mimo_core.testing.fault_report.options"}
    assert ours == {"mimo_core", "mimo_core.testing", "mimo_core.testing.plugin"} | faults
"""
    )
    libraries = ("asyncio", "anyio", "socket")
    mockers = ("pytest_httpx", "respx")  # they import httpx
    others = [option for name in libraries + mockers for option in ("-p", f"no:{name}")]
    ini = INI.replace("asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n", "")
    project.makefile(".ini", pytest=ini)
    done = run(project, *others)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_readmes_test_needs_no_key_and_is_recorded_live_with_one_flag(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(
        test_weather='''
from langchain.agents import create_agent
from langchain_mimo import ChatMiMo
from mimo_core.testing import Reply

def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: light rain"

def test_the_agent_asks_for_the_weather(mimo_cassette):
    replies = [Reply(tool_calls=[("get_weather", {"city": "Paris"})]), Reply("Yes.")]
    with mimo_cassette(emulate=replies):
        agent = create_agent(ChatMiMo(model="mimo-v2.5-pro"), [get_weather])
        answer = agent.invoke({"messages": [("user", "How is the weather in Paris?")]})
    assert "get_weather" in [message.name for message in answer["messages"]]
    print(answer["messages"][-1].content)
'''
    )
    (cassette,) = (
        project.path / "cassettes" / "test_weather" / f"test_{name}.yaml"
        for name in ("the_agent_asks_for_the_weather",)
    )
    for _ in range(2):  # made by the emulator, then replayed
        done = project.runpytest_inprocess("-q", "-s")
        done.assert_outcomes(passed=1)
        done.stdout.fnmatch_lines(["*Yes.*"])
        written = cassette.stat().st_mtime_ns
    assert "kind: emulator" in cassette.read_text()
    with FakeMiMo(answer, keys=[KEY]) as live, monkeypatch.context() as recording:
        recording.setenv("MIMO_API_KEY", KEY)
        recording.setenv("MIMO_BASE_URL", live.base_url)
        done = project.runpytest_inprocess("-q", "-s", "--record-mode=rewrite")
        assert len(live.requests) == 2
    done.stdout.fnmatch_lines(["*Light rain in Paris.*"])
    assert cassette.stat().st_mtime_ns > written
    project.runpytest_inprocess("-q").assert_outcomes(passed=1)
