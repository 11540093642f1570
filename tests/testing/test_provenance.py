"""Whose answers a cassette holds: derived from who answered, kept, and never flattering."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mimo_core import MiMoClient
from mimo_core.testing import (
    CassetteError,
    FakeMiMo,
    Provenance,
    provenance_of,
    use_cassette,
)
from mimo_core.testing.cassettes.persister import dump, read
from mimo_core.testing.cassettes.provenance import emulator_uri, today

ASKED = {"model": "mimo-v2.5-pro", "messages": [{"role": "user", "content": "a"}]}


def record(path: Path, mimo: FakeMiMo, mode: str = "all", **options: Any) -> None:
    cassette = use_cassette(path, record_mode=mode, **options)
    with cassette, MiMoClient(base_url=mimo.base_url) as client:
        client.chat(ASKED)


def test_the_emulators_answers_are_the_emulators(tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    path = tmp_path / "one.yaml"
    record(path, fake_mimo, note="What it shows.")
    whose = provenance_of(path)
    assert whose == Provenance(
        "emulator",
        "FakeMiMo, this project's emulator; no model has run",
        today(),
        "What it shows.",
    )
    assert str(whose).startswith("answers made by FakeMiMo, this project's emulator")
    assert str(fake_mimo.port) not in path.read_text()


@pytest.mark.parametrize("order", [1, -1])
def test_one_answer_of_the_emulator_makes_the_file_the_emulators(order: int) -> None:
    hosts = ["api.xiaomimimo.com", "emulator.localhost"][::order]
    assert Provenance.of_recording(hosts).kind == "emulator"


def test_other_hosts_are_live_by_name() -> None:
    whose = Provenance.of_recording(["b.example", "a.example", "b.example"])
    assert (whose.kind, whose.source) == ("live", "a.example, b.example")
    assert str(whose) == f"answers recorded live at a.example, b.example ({today()})"


def test_a_file_that_would_differ_by_its_date_only_stays(
    tmp_path: Path, fake_mimo: FakeMiMo
) -> None:
    path = tmp_path / "one.yaml"
    record(path, fake_mimo, note="n")
    old = path.read_text().replace(today(), "2026-01-01")
    path.write_text(old)
    record(path, fake_mimo, "rewrite")
    assert path.read_text() == old  # the note is kept too
    fake_mimo.queue("something else")
    record(path, fake_mimo, "rewrite")
    assert provenance_of(path) == Provenance(
        "emulator", Provenance.of_recording(["emulator.localhost"]).source, today(), "n"
    )


def test_published_answers_are_not_recorded_over(tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(dump(Provenance("vendor", "X", "2026-06-03", "", "question"), []))
    for mode in ("all", "rewrite", "new_episodes"):
        with pytest.raises(CassetteError, match=r"not recorded over\. Name another"):
            record(path, fake_mimo, mode)
    assert fake_mimo.requests == []


def test_a_given_provenance_is_written(tmp_path: Path, fake_mimo: FakeMiMo) -> None:
    path = tmp_path / "given.yaml"
    given = Provenance("emulator", "a test", "2026-02-03", "n", "question")
    record(path, fake_mimo, provenance=given)
    assert provenance_of(path) == given
    assert list(yaml.safe_load(path.read_text())) == ["version", "provenance", "interactions"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a", "no interactions"),
        ("a: [", "is not a cassette"),
        ("interactions: !!python/object:os.system []", "is not a cassette"),
        ("interactions: []\nprovenance: {kind: xiaomi}", "kind must be one of"),
        ("interactions: []\nprovenance: {kind: live, match: any}", "match must be one of"),
    ],
)
def test_broken_files_are_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(CassetteError, match=says) as caught:
        provenance_of(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    opened = use_cassette(tmp_path / "none.yaml")
    with pytest.raises(CassetteError, match=r"There is no cassette .*none.yaml. Record it"), opened:
        pass


def test_a_date_without_quotes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dated.yaml"
    path.write_text("interactions: []\nprovenance: {kind: vendor, date: 2026-06-03}\n")
    whose = Provenance.of(read(path))
    assert whose is not None
    assert whose.date == "2026-06-03"
    assert provenance_of(path) == whose


def test_no_provenance_is_none(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("interactions: []\n")
    assert provenance_of(path) is None


def test_the_emulators_address_has_no_port() -> None:
    where = emulator_uri("https://127.0.0.1:3999/v1/models?a=1")
    assert where == "http://emulator.localhost/v1/models?a=1"


def test_what_was_transcribed_was_answered_by_nobody() -> None:
    whose = Provenance("source", "ollama v0.14, openai.go", "2026-11-20")
    assert "has not answered" in str(whose)
    assert "recorded" not in str(whose)
