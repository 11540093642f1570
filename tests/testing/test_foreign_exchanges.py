"""The kit beside others: what is none of MiMo's is recorded and replayed as without it, and what is
MiMo's holds no key whatever the project's own configuration says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from mimo_core import APIConnectionError, MiMoClient
from mimo_core.testing import FakeMiMo, NoRecordedAnswer, Reply, register, use_cassette
from mimo_core.testing.cassettes.vcrpy import VCR
from tests.conftest import KEY

pytest_plugins = ["pytester"]
HELLO = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hello"}]}
COOKIE = "session=a1b2c3d4e5f6a7b8"


class Shop(BaseHTTPRequestHandler):
    """Another service altogether, with headers that people page by."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"page": self.path}).encode()
        self.send_response(200)
        for name, value in (
            ("content-type", "application/json"),
            ("link", '</?page=2>; rel="next"'),
            ("x-total-count", "17"),
            ("set-cookie", COOKIE),
            ("content-length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def steady(text: str) -> str:
    """A recording without the time at which it was made."""
    return "\n".join(line for line in text.splitlines() if "GMT" not in line)


def test_another_services_cassette_is_vcrpys_byte_for_byte(shop: str, tmp_path: Path) -> None:
    plain, taught = VCR(record_mode="once"), register(VCR(record_mode="once"))
    for name, vcr in (("plain", plain), ("taught", taught)):
        with vcr.use_cassette(str(tmp_path / name)):
            httpx2.get(f"{shop}/?page=1", headers={"authorization": "Bearer theirs"})
    texts = [(tmp_path / name).read_text() for name in ("plain", "taught")]
    assert steady(texts[0]) == steady(texts[1])
    assert "x-total-count" in texts[1]
    with taught.use_cassette(str(tmp_path / "taught")) as cassette:
        assert httpx2.get(f"{shop}/?page=1").headers["x-total-count"] == "17"
        assert cassette.play_count == 1


@pytest.mark.parametrize(
    "config",
    [
        {"filter_headers": ["authorization"]},
        {"before_record_request": lambda request: request},
        {"match_on": ["method", "path"]},
        {"decode_compressed_response": True},
        {},
    ],
    ids=lambda config: next(iter(config), "none"),
)
def test_a_projects_own_configuration_leaks_nothing(
    config: dict[str, Any], tmp_path: Path, mimo: FakeMiMo
) -> None:
    """Xiaomi's key stands in `api-key`, which a list of headers is likely to miss."""
    path = tmp_path / "own.yaml"
    mimo.respond = lambda request: Reply(f"I was given {KEY}")
    vcr = register(VCR(record_mode="once", **config))
    with vcr.use_cassette(str(path)), MiMoClient(KEY, base_url=mimo.base_url) as client:
        assert KEY in str(client.chat(HELLO))
    assert KEY not in path.read_text()
    assert "kind: emulator" in path.read_text()
    with vcr.use_cassette(str(path)), MiMoClient("sk-other", base_url=mimo.base_url) as client:
        assert "REDACTED" in str(client.chat(HELLO))
    assert len(mimo.requests) == 1


@pytest.mark.parametrize(
    "value",
    [f"Bearer {KEY}, Bearer o", f"{KEY} x", f'Digest username="{KEY}", x=1'],
)
def test_no_part_of_a_header_with_a_key_is_kept(value: str, tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "odd.yaml"
    with use_cassette(path, record_mode="all"):
        httpx2.post(
            f"{mimo.base_url}/chat/completions", json=HELLO, headers={"authorization": value}
        )
    assert KEY not in path.read_text()
    assert "REDACTED" in path.read_text()


def test_another_requests_key_in_a_prompt(tmp_path: Path, mimo: FakeMiMo) -> None:
    path, key = tmp_path / "two.yaml", "plainpassword-of-my-gateway"
    told = {**HELLO, "messages": [{"role": "user", "content": f"The password is {key}."}]}
    with use_cassette(path, record_mode="all"):
        for used, asked in ((key, HELLO), (KEY, told)):
            with MiMoClient(used, base_url=mimo.base_url) as client:
                client.chat(asked)
    assert key not in path.read_text()


def test_scrub_brings_no_key_back(tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "back.yaml"
    cassette = use_cassette(path, record_mode="all", scrub=lambda text: f"{text} {KEY}")
    with cassette, MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(HELLO)
    assert KEY not in path.read_text()


def test_both_in_one_cassette(shop: str, tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "both.yaml"
    vcr = register(VCR(record_mode="once"))

    def use() -> tuple[str, str]:
        with MiMoClient(KEY, base_url=mimo.base_url) as client:
            said = client.chat(HELLO)["choices"][0]["message"]["content"]
        return str(said), httpx2.get(f"{shop}/?page=1").headers["set-cookie"]

    with vcr.use_cassette(str(path)):
        said = use()
    held = yaml.safe_load(path.read_text())["interactions"]
    assert sorted(one.get("foreign", False) for one in held) == [False, True]
    assert KEY not in path.read_text()
    with vcr.use_cassette(str(path)) as cassette:
        assert use() == said
        assert cassette.all_played
    assert said[1] == COOKIE


def test_a_projects_own_way_of_comparing(tmp_path: Path, mimo: FakeMiMo) -> None:
    vcr = register(VCR(record_mode="once"))
    matching = {"match_on": ["method", "path"]}
    another = {**HELLO, "messages": [{"role": "user", "content": "Something else"}]}
    path = str(tmp_path / "own.yaml")
    with MiMoClient(KEY, base_url=mimo.base_url) as client:
        with vcr.use_cassette(path, **matching):
            said = client.chat(HELLO)["choices"]
        with vcr.use_cassette(path, **matching):
            assert client.chat(another)["choices"][0]["message"] == said[0]["message"]
            with pytest.raises(NoRecordedAnswer, match="that its match_on lets pass"):
                client.chat(another)


def test_a_users_filter_can_keep_an_exchange_out(tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "none.yaml"
    vcr = register(VCR(record_mode="once", before_record_request=lambda request: None))
    with vcr.use_cassette(str(path)), MiMoClient(KEY, base_url=mimo.base_url) as client:
        client.chat(HELLO)
    assert not path.exists()
    assert len(mimo.requests) == 1


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
def test_scrub_takes_out_what_only_the_user_knows(
    streamed: bool, tmp_path: Path, mimo: FakeMiMo
) -> None:
    path = tmp_path / "scrubbed.yaml"
    mimo.respond = lambda request: Reply("Dear Ms Fernandez, and so on. " * 3)
    asked = {**HELLO, "messages": [{"role": "user", "content": "Write to Ms Fernandez."}]}

    def scrub(text: str) -> str:
        return text.replace("Fernandez", "N.")

    def ask() -> list[Any]:
        with MiMoClient(KEY, base_url=mimo.base_url) as client:
            return list(client.stream(asked)) if streamed else [client.chat(asked)]

    with use_cassette(path, record_mode="all", scrub=scrub):
        assert "Fernandez" in str(ask()) or streamed
    assert "Write to Ms N." in path.read_text()
    assert "Fernandez" not in path.read_text() or streamed
    with use_cassette(path, scrub=scrub):
        replayed = ask()
    assert len(replayed) > 1 if streamed else "Dear Ms N.," in str(replayed)


def test_a_connection_that_fails_is_recorded_too(tmp_path: Path) -> None:
    """Nobody listens there when it is recorded; nobody is asked when it is replayed."""
    path = tmp_path / "refused.yaml"
    with FakeMiMo() as mimo:
        nowhere = mimo.base_url
    told = []
    for mode in ("all", "none"):
        with (
            use_cassette(path, record_mode=mode),
            MiMoClient(KEY, base_url=nowhere, max_retries=1) as client,
            pytest.raises(APIConnectionError) as error,
        ):
            client.chat(HELLO)
        told.append(str(error.value))
    assert told[0] == told[1]
    held = yaml.safe_load(path.read_text())["interactions"]
    assert [one["response"]["body"]["broken"]["error"] for one in held] == ["ConnectError"] * 2


def test_new_episodes_needs_no_key_for_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "held.yaml"
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with use_cassette(path, emulate=["Recorded."]), MiMoClient() as client:
        client.chat(HELLO)
    for mode in ("once", "new_episodes"):
        with use_cassette(path, record_mode=mode), MiMoClient() as client:
            assert "Recorded." in str(client.chat(HELLO))
            another = {**HELLO, "messages": [{"role": "user", "content": "Something else"}]}
            says = "takes a key: set MIMO_API_KEY" if mode == "new_episodes" else "no answer"
            with pytest.raises(Exception, match=says):
                client.chat(another)


def sound_of(response: Any) -> str:
    return str(response["choices"][0]["message"]["audio"]["data"])


def test_sound_is_kept_whole_on_request(tmp_path: Path) -> None:
    asked = {
        "model": "mimo-v2.5-tts",
        "messages": [{"role": "assistant", "content": "A long text to be spoken. " * 20}],
        "audio": {"voice": "Chloe", "format": "wav"},
    }
    lengths = {}
    for keep in (False, True):
        path = tmp_path / f"{keep}.yaml"
        with use_cassette(path, emulate=["_"], keep_audio=keep), MiMoClient() as client:
            recorded = sound_of(client.chat(asked))
        with use_cassette(path), MiMoClient() as client:
            replayed = sound_of(client.chat(asked))
        lengths[keep] = len(replayed) == len(recorded)
        assert ("shortened" in path.read_text()) is not keep
    assert lengths == {False: False, True: True}


@pytest.mark.parametrize(
    "damage",
    [
        lambda one: one.pop("request"),
        lambda one: one.pop("response"),
        lambda one: one["response"].pop("body"),
        lambda one: one["response"].update(status="200"),
        lambda one: one["request"].update(further=1),
        lambda one: one["response"]["status"].update(code="200"),
        lambda one: one["response"]["body"].update(pieces=["x"]),
        lambda one: one["response"]["body"].update(broken="yes"),
    ],
)
def test_a_malformed_exchange_is_named(damage: Any, tmp_path: Path) -> None:
    path = tmp_path / "damaged.yaml"
    with use_cassette(path, emulate=["Recorded."]), MiMoClient() as client:
        client.chat(HELLO)
    document = yaml.safe_load(path.read_text())
    damage(document["interactions"][0])
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(Exception, match="interaction 1 is not one"), use_cassette(path):
        pass


def test_names_that_are_too_long_or_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import pytest
from mimo_core import MiMoClient
HELLO = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hello"}]}

class TestK:
    def test_d(self, fake_mimo, mimo_cassette):
        with mimo_cassette(record_mode="all"), MiMoClient() as client:
            client.chat(HELLO)

def test_d(fake_mimo, mimo_cassette):
    with mimo_cassette(record_mode="all"), MiMoClient() as client:
        client.chat(HELLO)

@pytest.mark.parametrize("text", ["é" * 300])
def test_long(text, fake_mimo, mimo_cassette):
    for mode in ("all", "none"):
        with mimo_cassette(record_mode=mode), MiMoClient() as client:
            client.chat(HELLO)

@pytest.fixture(scope="module")
def vcr_cassette_dir(request):
    return str(request.path.parent / "elsewhere")
"""
    )
    options = ("-q", "-p", "no:randomly", "-o", "asyncio_default_fixture_loop_scope=function")
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=3)
    names = sorted(path.name for path in (pytester.path / "elsewhere").iterdir())
    assert names[:2] == ["TestK.test_d.yaml", "test_d.yaml"]
    assert len(names[2].encode()) <= 210


def test_a_project_that_never_goes_live(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmimo_live = false\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(
        """
import os, pytest
from mimo_core import MiMoClient
from mimo_core.testing import LiveRequestRefused
HELLO = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hello"}]}
MADE = MiMoClient("sk-real", base_url="xiaomi")

def test_refused():
    assert os.environ["MIMO_LIVE"] == "false"
    with pytest.raises(LiveRequestRefused, match="mimo_live = false in pytest"):
        MADE.chat(HELLO)

def test_emulated(fake_mimo):
    assert MADE.chat(HELLO)["choices"]

def test_recorded(mimo_cassette):
    for _ in range(2):
        with mimo_cassette(emulate=["Recorded."]):
            assert "Recorded." in str(MADE.chat(HELLO))

@pytest.fixture
def httpx_mock():
    "what pytest-httpx calls its own"

def test_mocked_by_what_does_not_see_it(httpx_mock):
    with pytest.raises(LiveRequestRefused, match="pytest-httpx does not see requests"):
        MADE.chat(HELLO)
"""
    )
    pytester.runpytest_inprocess("-q", "-p", "no:randomly").assert_outcomes(passed=4)
