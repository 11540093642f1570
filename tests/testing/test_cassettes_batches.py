"""Cassettes of files and batches: each state replayed, uploads compared by their lines."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from mimo_core.batches import BatchClient, BatchJob
from mimo_core.testing import BatchPlan, FakeMiMo, NoRecordedAnswer, use_cassette
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.emulator.batch_plan import STATUSES
from mimo_core.testing.emulator.listener import Handler, Listener
from mimo_core.testing.fake_command.proxy import RecordProxy
from mimo_core.testing.fake_command.recorder import Recorder
from mimo_core.testing.fake_command.replay import Replay
from scripts.scenarios.base import Gateway, Scenario
from scripts.scenarios.batches import SCENARIOS
from tests.conftest import KEY

FOLDER = Path(__file__).resolve().parents[2] / "cassettes"
CN = "https://batch-api-cn.xiaomimimo.com/v1"


def statuses(path: Path) -> Iterator[str]:
    """Those of the batches that a cassette's answers show, in their order."""
    for one in read(path)["interactions"]:
        text = one["response"]["body"]["string"]
        if one["request"]["uri"].endswith("/content"):
            continue
        if (shown := json.loads(text)).get("object") == "batch":
            yield shown["status"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_cassette_plays_to_its_end_at_the_vendors_address(scenario: Scenario) -> None:
    with use_cassette(FOLDER / f"{scenario.name}.yaml") as cassette:
        scenario.run(Gateway(CN, KEY))
        assert cassette.all_played


def test_every_state_has_a_cassette_that_ends_in_it() -> None:
    for status in STATUSES:
        assert [*statuses(FOLDER / "batches" / f"{status}.yaml")][-1] == status


def ask(text: str, **changes: Any) -> dict[str, Any]:
    return {"model": "mimo-v2.6-flash", "messages": [{"role": "user", "content": text}]} | changes


def run_job(base_url: str, path: Path, *requests: dict[str, Any]) -> list[str]:
    """What a job answers."""
    with BatchClient(KEY, batch_base_url=base_url) as client, BatchJob(path, client) as job:
        job.add(requests)
        job.submit()
        job.wait(poll=0)
        return [
            one.response["choices"][0]["message"]["content"] or "" if one.response else "failed"
            for one in job.results()
        ]


@pytest.fixture
def recorded(tmp_path: Path, mimo: FakeMiMo) -> Path:
    """A job of two prompts, recorded."""
    path = tmp_path / "job.yaml"
    mimo.batches.queue(BatchPlan(["validating", "completed"]))
    mimo.queue("one", "two")
    with use_cassette(path, record_mode="all"):
        assert run_job(mimo.base_url, tmp_path / "job.db", ask("a"), ask("b")) == ["one", "two"]
    return path


def test_a_job_that_is_made_anew_finds_its_answers(recorded: Path, tmp_path: Path) -> None:
    """Its file has another name each time, and so another boundary."""
    with use_cassette(recorded) as cassette:
        said = run_job(CN, tmp_path / "again.db", ask("a"), ask("b"))
        assert cassette.all_played
    assert said == ["one", "two"]


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([ask("a"), ask("c")], "file[1]"),
        ([ask("b"), ask("a")], "file[0]"),
        ([ask("a"), ask("b", temperature=0.5)], "file[1]"),
        ([ask("a")], "file: recorded 2 items, sent 1"),
    ],
)
def test_another_job_is_told_which_line_differs(
    recorded: Path, tmp_path: Path, requests: list[dict[str, Any]], told: str
) -> None:
    with use_cassette(recorded), pytest.raises(NoRecordedAnswer) as caught:
        run_job(CN, tmp_path / "other.db", *requests)
    assert "holds no answer to this POST files: " in str(caught.value)
    assert told in str(caught.value)


def test_no_key_and_no_boundary_stand_in_the_file(recorded: Path) -> None:
    upload = read(recorded)["interactions"][0]["request"]
    assert upload["headers"]["content-type"] == ["multipart/form-data"]
    assert json.loads(upload["body"]).keys() == {"purpose", "file"}
    assert KEY[3:] not in recorded.read_text()


def test_a_key_that_stands_in_a_line_is_taken_out(tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "key.yaml"
    form: dict[str, Any] = {
        "files": {"file": ("in.jsonl", json.dumps({"body": ask(f"My key is {KEY}.")}))},
        "data": {"purpose": "batch"},
    }
    with use_cassette(path, record_mode="all"), httpx2.Client(verify=False) as http:
        sent = http.post(f"{mimo.base_url}/files", headers={"api-key": KEY}, **form)
        assert sent.status_code == 200
        id = sent.json()["id"]
        http.get(f"{mimo.base_url}/files/{id}/content", headers={"api-key": KEY})
    assert KEY[3:] not in path.read_text()
    assert "My key is REDACTED." in path.read_text()


def test_a_file_that_is_no_jsonl_is_compared_as_a_text(tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "text.yaml"

    def post(text: str) -> int:
        with httpx2.Client(verify=False) as http:
            form: dict[str, Any] = {
                "files": {"file": ("x.csv", text)},
                "data": {"purpose": "batch"},
            }
            return http.post(f"{mimo.base_url}/files", **form).status_code

    with use_cassette(path, record_mode="all"):
        assert post("a,b") == 200
    with use_cassette(path):
        with pytest.raises(NoRecordedAnswer, match="file"):
            post("a,c")
        assert post("a,b") == 200


def test_each_id_and_each_page_has_its_own_answer(tmp_path: Path, mimo: FakeMiMo) -> None:
    path = tmp_path / "list.yaml"
    asked = ("/batches?limit=1", "/batches?limit=2", "/files/file-1", "/batches/batch_1")
    with use_cassette(path, record_mode="all"), httpx2.Client(verify=False) as http:
        said = [http.get(mimo.base_url + one).text for one in asked]
    with use_cassette(path), httpx2.Client(verify=False) as http:
        assert [http.get(mimo.base_url + one).text for one in reversed(asked)] == said[::-1]
        for other in ("/batches?limit=3", "/files/file-2", "/files/file-1/content"):
            with pytest.raises(NoRecordedAnswer, match="address: recorded"):
                http.get(mimo.base_url + other)


def test_a_job_recorded_by_the_proxy_and_answered_by_the_replay(
    tmp_path: Path, mimo: FakeMiMo
) -> None:
    path = tmp_path / "proxied.yaml"
    mimo.queue("one", "two")
    recorder = Recorder(path, note="a job", trouble=lambda line: pytest.fail(line))
    proxy = RecordProxy(mimo.root_url, recorder, lambda line: None)
    recorder.start()
    try:
        with serving(proxy.handle) as url:
            said = run_job(f"{url}/v1", tmp_path / "job.db", ask("a"), ask("b"))
    finally:
        recorder.stop()
        proxy.close()
    assert said == ["one", "two"]
    with serving(Replay(path, repeat=False, log=lambda line: None).handle) as url:
        assert run_job(f"{url}/v1", tmp_path / "again.db", ask("a"), ask("b")) == said
    assert [*statuses(path)] == ["validating", "in_progress", "finalizing", "completed"]


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    listener = Listener(handler, name="a server")
    listener.start()
    try:
        yield listener.root_url
    finally:
        listener.stop()


def test_openais_sdk_recorded_and_replayed(tmp_path: Path, mimo: FakeMiMo) -> None:
    """It draws a new boundary for each upload."""
    path, prompts = tmp_path / "sdk.yaml", tmp_path / "in.jsonl"
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": ask("Hi")}
    prompts.write_text(json.dumps(line))

    def run() -> str:
        with openai.OpenAI(api_key=KEY, base_url=mimo.base_url) as client:
            with prompts.open("rb") as file:
                id = client.files.create(file=file, purpose="batch").id
            batch = client.batches.create(
                input_file_id=id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            while batch.status != "completed":
                batch = client.batches.retrieve(batch.id)
            return client.files.content(batch.output_file_id or "").text

    with use_cassette(path, record_mode="all"):
        said = run()
    asked = len(mimo.requests)
    with use_cassette(path) as cassette:
        replayed = run()
        assert cassette.all_played
    assert len(mimo.requests) == asked
    answer, again = (json.loads(text)["response"]["body"]["choices"] for text in (said, replayed))
    assert again == answer
