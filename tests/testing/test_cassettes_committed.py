"""The cassettes of this repository: readable, honest, complete, and the same when made again."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml

from mimo_core.testing.cassettes.edits import split
from mimo_core.testing.cassettes.persister import dump, read
from mimo_core.testing.cassettes.provenance import EMULATOR_HOST, Provenance, host_of
from mimo_core.testing.cassettes.vcrpy import VCR
from scripts import cassette_table
from tests.conftest import STRICT

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "cassettes"
PATHS = sorted(FOLDER.rglob("*.yaml"))
NAMES = [path.relative_to(FOLDER).with_suffix("").as_posix() for path in PATHS]
each_cassette = pytest.mark.parametrize("path", PATHS, ids=NAMES)


def provenance(path: Path) -> Provenance:
    found = Provenance.of(read(path), path)
    assert found is not None
    return found


@each_cassette
def test_is_what_our_writer_writes(path: Path) -> None:
    document = read(path)
    again = dump(provenance(path), document["interactions"])
    assert yaml.safe_load(again) == document
    assert again == path.read_text()


@each_cassette
def test_says_whose_answers_it_holds(path: Path) -> None:
    whose = provenance(path)
    assert whose.source
    assert re.fullmatch(r"\d{4}(-\d\d-\d\d)?", whose.date)
    hosts = {host_of(one["request"]["uri"]) for one in read(path)["interactions"]}
    servers = [one["response"]["headers"].get("server") for one in read(path)["interactions"]]
    if whose.kind == "emulator":
        assert hosts == {EMULATOR_HOST}
        assert "no model has run" in whose.source
        assert all(server == ["FakeMiMo"] for server in servers)
    else:
        assert EMULATOR_HOST not in hosts
        assert ["FakeMiMo"] not in servers
    assert (whose.kind == "vendor") == (path.parent.name == "vendor")


@each_cassette
def test_holds_no_key_and_nothing_large(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b(sk|tp|ttp)-[A-Za-z0-9_-]{6,}", text)
    assert not re.search(r"(?i)cookie|x-request-id", text)
    assert not re.search(r"[A-Za-z0-9+/]{1024,}", text)
    assert len(text) < 60_000


@each_cassette
def test_pieces_add_up(path: Path) -> None:
    for one in read(path)["interactions"]:
        body = one["response"]["body"]
        if "pieces" in body:
            assert [len(piece) for piece in split(body["string"].encode(), body["pieces"])] == body[
                "pieces"
            ]


@each_cassette
def test_vcrpy_alone_plays_it(path: Path) -> None:
    """Asked word for word what stands in the file, vcrpy without this library answers."""
    client = httpx2.Client(verify=False)
    with client, VCR().use_cassette(str(path), record_mode="none") as cassette:
        for one in read(path)["interactions"]:
            request, recorded = one["request"], one["response"]
            answer = client.request(
                request["method"], request["uri"], content=(request["body"] or "").encode()
            )
            assert answer.status_code == recorded["status"]["code"]
            assert (
                answer.text
                == httpx2.Response(200, content=recorded["body"]["string"].encode()).text
            )
        assert cassette.all_played


def test_every_published_sample_has_one() -> None:
    """The vendor's answers, word for word; tests/core has them as files of their own."""
    samples = {path.stem: path for path in (ROOT / "tests/core/data").glob("*.json")}
    published = {path.stem: path for path in PATHS if path.parent.name == "vendor"}
    assert published.keys() == samples.keys()
    for name, path in published.items():
        for one in read(path)["interactions"]:
            answer = json.loads(one["response"]["body"]["string"])
            assert answer == json.loads(samples[name].read_text()), name


def test_every_topic_of_the_sources_has_one() -> None:
    wanted = """
        chat/plain chat/parameters chat/models thinking/plain thinking/stream tools/call
        tools/agent_loop tools/llm_conversation web_search/plain web_search/stream media/image
        media/audio media/video speech/wav speech/stream speech/voicedesign speech/voiceclone
        speech/transcription structured/json_object structured/json_object_stream cloudsway/chat
        cloudsway/messages messages/plain messages/stream errors/refusals
    """
    assert set(wanted.split()) <= set(NAMES)
    paths = [
        re.sub(r"^https?://[^/]+", "", one["request"]["uri"])
        for name in ("chat", "messages")
        for one in read(FOLDER / "cloudsway" / f"{name}.yaml")["interactions"]
    ]
    assert paths == [
        "/v1/chat/completions",
        "/v1/ai/YOUR-ENDPOINT-PATH/chat/completions",
        "/v1/messages",
        "/YOUR-ENDPOINT-PATH/v1/messages",
    ]


@pytest.mark.parametrize("name", ["tools/agent_loop", "tools/llm_conversation"])
def test_reasoning_goes_back_with_every_tool_call(name: str) -> None:
    later = read(FOLDER / f"{name}.yaml")["interactions"][1:]
    assert later
    for one in later:
        messages = json.loads(one["request"]["body"])["messages"]
        calling = [message for message in messages if message.get("tool_calls")]
        assert calling
        assert all(message["reasoning_content"] for message in calling)


@pytest.mark.slow
def test_recording_again_changes_nothing(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "record_cassettes.py"
    command = [sys.executable, *STRICT, str(script), "--into", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    # standard/ is recorded by the suite it belongs to: tests/langchain/test_standard_recorded.py
    ours = [name for name in NAMES if not name.startswith(("vendor/", "standard/"))]
    again = {path.relative_to(tmp_path).with_suffix("").as_posix() for path in _yaml(tmp_path)}
    assert again == set(ours)
    for name in ours:
        before, after = read(FOLDER / f"{name}.yaml"), read(tmp_path / f"{name}.yaml")
        for document in (before, after):
            document["provenance"].pop("date")
        assert after == before, name


def _yaml(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*.yaml")


def test_the_table_is_up_to_date() -> None:
    text = (FOLDER / "README.md").read_text()
    assert cassette_table.with_table(text, FOLDER) == text, "run: make tables"


def test_the_table_tells_a_change(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"Head\n{cassette_table.BEGIN}{cassette_table.END}Tail\n")
    (tmp_path / "one.yaml").write_text(dump(Provenance("live", "a | b", "2026-01-01"), []))
    new = cassette_table.with_table((tmp_path / "README.md").read_text(), tmp_path)
    assert "| [one.yaml](one.yaml) | live | a &#124; b | 2026-01-01 | 0 | exact |  |" in new
    assert new.startswith("Head\n")
    assert new.endswith("Tail\n")
    assert cassette_table.with_table(new, tmp_path) == new
