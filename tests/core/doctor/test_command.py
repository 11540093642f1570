"""`python -m mimo_core.doctor`: consent, lines and JSON, exit codes, the cassette, Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mimo_core.doctor import FACTS, emulated_service
from mimo_core.doctor.__main__ import main
from mimo_core.doctor.facts import xiaomi_models
from mimo_core.testing import FakeMiMo, Fault, provenance_of, use_cassette
from mimo_core.testing.cassettes.persister import read
from tests.conftest import KEY


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMiMo]:
    """The emulator with the doctor's model, to which the environment leads, with a key."""
    with emulated_service() as mimo:
        monkeypatch.setenv("MIMO_BASE_URL", mimo.base_url)
        monkeypatch.setenv("MIMO_API_KEY", KEY)
        yield mimo


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_it_asks_before_it_spends(
    service: FakeMiMo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, "n\n")
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("This sends about ")
    assert f"USD at Xiaomi's prices of autumn 2026 to {service.base_url}. Go on? [y/N]" in shown.err
    assert shown.err.endswith("Error: Nothing was sent. Answer with y, or pass --yes.\n")
    assert shown.out == ""
    assert service.requests == []


def test_nobody_there_to_answer_is_a_no(
    service: FakeMiMo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, "")
    assert main([]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("Error: Nothing was sent.")
    assert service.requests == []


@pytest.mark.parametrize("arguments", [[], ["--yes"]])
def test_with_consent_it_prints_a_line_a_fact(
    arguments: list[str],
    service: FakeMiMo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answering(monkeypatch, "y\n")
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert ("Go on?" in shown.err) == (not arguments)
    lines = shown.out.splitlines()
    assert lines[0] == f"gateway        emulator, {service.base_url}"
    assert lines[2] == "key            sk-***, works"
    for fact in FACTS:
        assert [line for line in lines if line[15:].split("  ")[0] == fact.id], fact.id
    assert lines[-2] == f"{len(FACTS) + len(xiaomi_models()) - 2} as documented or observed."
    assert max(map(len, lines)) <= 140
    assert KEY not in shown.out + shown.err
    assert {request.headers.get("authorization") for request in service.requests} <= {
        f"Bearer {KEY}",
        None,
    }


def test_json_for_programs(service: FakeMiMo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "-y"]) == 0
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert shown.err == ""
    assert KEY not in shown.out
    assert (report["host"], report["key_works"], report["exit_code"]) == ("emulator", True, 0)
    assert len(report["findings"]) == report["planned"]
    (usage,) = [found for found in report["findings"] if found["id"] == "stream.usage"]
    assert usage == {
        "id": "stream.usage",
        "verdict": "agrees",
        "value": "in a chunk of its own",
        "note": "",
        "expected": "in a chunk of its own",
        "sentence": usage["sentence"],
        "source": "observed",
        "date": usage["date"],
    }


def test_one_protocol_and_one_model(service: FakeMiMo, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--yes", "--protocol", "messages", "--model", "mimo-v2.6-flash"]) == 0
    shown = capsys.readouterr().out
    assert "protocol       messages" in shown
    assert "model          mimo-v2.6-flash" in shown
    assert "stream.usage" not in shown
    paths = {request.path for request in service.requests}
    assert paths == {"/v1/models", service_messages_path(service)}


def service_messages_path(service: FakeMiMo) -> str:
    """Where the client looks for the messages protocol below the emulator's base URL."""
    from mimo_core.gateways import Endpoint

    return Endpoint.resolve(base_url=service.base_url).messages_url().removeprefix(service.root_url)


def test_a_difference_is_exit_code_1(service: FakeMiMo, capsys: pytest.CaptureFixture[str]) -> None:
    obedient = service.respond
    assert obedient is not None
    service.respond = lambda request: (
        Fault("bad_request") if request.chat.get("response_format") else obedient(request)
    )
    assert main(["-y"]) == 1
    assert "\ndiffers        json.schema  " in capsys.readouterr().out


def test_a_dead_host_is_exit_code_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeMiMo() as mimo:
        url = mimo.base_url
    assert main(["-y", "--base-url", url]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith(f"Error: No answer from {url}")


def test_a_dead_host_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    with FakeMiMo() as mimo:
        url = mimo.base_url
    assert main(["-y", "--base-url", url, "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["error"].startswith("No answer from")
    assert (report["findings"], report["exit_code"]) == ([], 2)


def test_who_names_a_server_wants_that_one_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """A job whose secret is missing must not turn green on the emulator's answers."""
    assert main(["--base-url", "token-plan-sgp", "-y"]) == 2
    assert capsys.readouterr().err.startswith("Error: No API key.")


def test_without_a_key_the_emulator_is_asked_and_it_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("There is no API key")
    assert "FakeMiMo" in shown.out.splitlines()[0]
    assert shown.err == "", "nothing is spent, so nothing is asked"


def test_a_malformed_key_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIMO_API_KEY", "sk with a space")
    assert main(["-y"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds characters that no key has" in line


# The cassette


def test_the_cassette_holds_everything_but_the_key(
    service: FakeMiMo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "doctor.yaml"
    assert main(["-y", "--record", str(path)]) == 0
    assert f"Recorded, without keys: {path}" in capsys.readouterr().out
    provenance = provenance_of(path)
    assert provenance is not None
    assert provenance.kind == "emulator"
    assert len(read(path)["interactions"]) == len(service.requests)
    assert KEY not in path.read_text()


def test_the_cassette_answers_the_doctor_again(
    service: FakeMiMo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for the recording that is to be recognised: it is the sound of an earlier answer, which
    the cassette has shortened."""
    path = tmp_path / "doctor.yaml"
    assert main(["-y", "--json", "--record", str(path)]) == 0
    first = json.loads(capsys.readouterr().out)
    asked = len(service.requests)
    with use_cassette(path):
        main(["-y", "--json"])
    again = json.loads(capsys.readouterr().out)
    assert len(service.requests) == asked
    assert _repeatable(again) == _repeatable(first)
    assert len(_repeatable(again)) > 40


def test_recording_again_replaces_the_cassette(
    service: FakeMiMo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "doctor.yaml"
    for _ in range(2):
        assert main(["-y", "--record", str(path)]) == 0
    assert 2 * len(read(path)["interactions"]) == len(service.requests)


def test_another_file_is_not_overwritten(
    service: FakeMiMo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.yaml"
    path.write_text("my: notes\n")
    assert main(["-y", "--record", str(path)]) == 2
    assert "is not a cassette" in capsys.readouterr().err
    assert path.read_text() == "my: notes\n"
    assert service.requests == []


def _repeatable(report: dict[str, Any]) -> list[Any]:
    moment = ("speed.first_token", "speed.tokens", "speech.out", "speech.stream", "speech.in")
    return [found for found in report["findings"] if found["id"] not in moment]


_ALONE = """
import sys
for name in ("vcr", "yaml", "pytest", "pytest_recording"):
    sys.modules[name] = None
from mimo_core.doctor.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_it_needs_nothing_of_the_test_kit_but_to_record(service: FakeMiMo, tmp_path: Path) -> None:
    """Whoever installed one plugin has no vcrpy."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _ALONE, "--protocol", "messages", "-y", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run().returncode, run().stderr) == (0, "")
    recording = run("--record", str(tmp_path / "doctor.yaml"))
    assert recording.returncode == 2
    assert recording.stderr == "Error: --record needs vcr: pip install 'mimo-core[testing]'.\n"


@pytest.mark.parametrize("where", ["", "file/below.yaml"])
def test_a_place_that_cannot_be_written_is_found_before_anything_is_spent(
    service: FakeMiMo, tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["-y", "--record", str(tmp_path / where) if where else str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("Error: --record ")
    assert not service.requests


def test_a_server_that_could_not_be_asked_takes_nobodys_recording(
    service: FakeMiMo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "doctor.yaml"
    assert main(["-y", "--record", str(path)]) == 0
    good = path.read_bytes()
    service.respond = lambda request: Fault("invalid_key")
    assert main(["-y", "--record", str(path)]) == 2
    assert path.read_bytes() == good
    assert [file.name for file in tmp_path.iterdir()] == ["doctor.yaml"]


# Ctrl-C


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_prints_what_is_known(as_json: bool, tmp_path: Path) -> None:
    with emulated_service() as mimo:
        obedient = mimo.respond
        assert obedient is not None
        mimo.respond = lambda request: (
            Fault(hang=True) if request.chat.get("response_format") else obedient(request)
        )
        cassette = tmp_path / "stopped.yaml"
        command = [sys.executable, "-m", "mimo_core.doctor", "-y", "--base-url", mimo.base_url]
        process = subprocess.Popen(
            [*command, "--record", str(cassette), *(["--json"] if as_json else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MIMO_API_KEY": KEY},
        )
        asked = "response_format" in str(mimo.requests)
        for _ in range(200):
            asked = any("response_format" in request.chat for request in list(mimo.requests))
            if asked:
                break
            mimo.wait_for_requests(len(mimo.requests) + 1, 0.2)
        assert asked
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert KEY not in out + err + cassette.read_text()
    if as_json:
        report = json.loads(out)
        assert (report["stopped"], report["exit_code"]) == ("Ctrl-C", 130)
        assert 10 < len(report["findings"]) < report["planned"]
    else:
        assert "as documented  thinking.default" in out
        assert "Stopped (Ctrl-C): " in out
