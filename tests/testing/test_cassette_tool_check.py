"""`mimo-cassette check`: what should not stand in a cassette, one finding a line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mimo_core.testing import use_cassette
from mimo_core.testing.cassette_tool import check as check_module
from mimo_core.testing.cassette_tool.__main__ import main
from tests.conftest import KEY
from tests.testing.written_cassettes import (
    EMULATOR,
    answered,
    asked,
    event,
    interaction,
    streamed,
    write,
)

ROOT = Path(__file__).resolve().parents[2]
XIAOMI = "https://api.xiaomimimo.com/v1/chat/completions"
LIVE = {"kind": "live", "source": "api.xiaomimimo.com", "date": "2026-11-27"}


class Checker:
    """Runs the command; of each finding its level, its kind and its text."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(
        self, *interactions: Any, provenance: dict[str, str] | None = EMULATOR
    ) -> list[tuple[str, str, str]]:
        path = write(self._folder / "a.yaml", *interactions, provenance=provenance)
        code, lines = self.run(str(path))
        found = [re.match(r"\S+:\d+: (error|remark) (\w+): (.*)", line) for line in lines]
        told = [(one[1], one[2], one[3]) for one in found if one is not None]
        assert len(told) == len(lines)
        assert code == any(level == "error" for level, _, _ in told)
        return told

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        code = main(["check", *arguments])
        out = self._capsys.readouterr().out
        assert KEY not in out
        return code, out.splitlines()


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checker:
    return Checker(tmp_path, capsys)


def test_a_clean_cassette(check: Checker) -> None:
    assert check(interaction(asked(), answered()), interaction(asked(), streamed("Hi"))) == []


@pytest.mark.slow  # the emulator
def test_what_the_recorder_writes_is_clean(check: Checker, tmp_path: Path) -> None:
    from mimo_core import MiMoClient

    path = tmp_path / "recorded.yaml"
    with use_cassette(path, emulate=["Hello."]), MiMoClient() as client:
        client.chat({"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": "Hi"}]})
    assert check.run(str(path)) == (0, [])


# Credentials

LEAKS: dict[str, dict[str, Any]] = {
    "the request's header api-key": {"sent_headers": {"api-key": [KEY]}},
    "the request's header Authorization": {"sent_headers": {"Authorization": [f"Bearer {KEY}"]}},
    "the request's header Cookie": {"sent_headers": {"Cookie": ["sid=0123456789abcdef"]}},
    "the answer's header Set-Cookie": {"headers": {"Set-Cookie": ["sid=0123456789abcdef"]}},
    "the address": {"uri": f"{XIAOMI}?api_key=0123456789abcdef"},
    "line 1 of the answer's body": {"answer": answered(f"Your key is {KEY}.")},
    "line 1 of the request's body": {"body": asked({"role": "user", "content": KEY})},
}


@pytest.mark.parametrize("place", LEAKS)
def test_a_credential_is_found_wherever_it_stands(place: str, check: Checker) -> None:
    given: dict[str, Any] = {"body": asked(), "answer": answered(), "uri": XIAOMI}
    found = check(interaction(**{**given, **LEAKS[place]}))
    keys = [text for level, kind, text in found if (level, kind) == ("error", "key")]
    assert any(text.startswith(f"interaction 1: {place} holds a credential") for text in keys)


def test_a_key_that_only_a_header_gives_away_is_found_in_any_body(check: Checker) -> None:
    """It looks like no key, and another interaction repeats it."""
    odd = "Passw0rd-of-a-relay"
    found = check(
        interaction(asked(), answered(), sent_headers={"Authorization": [f"Bearer {odd}"]}),
        interaction(asked(), answered(f"You sent {odd}.")),
    )
    assert [text[:13] for _, kind, text in found if kind == "key"] == [
        "interaction 1",
        "interaction 2",
    ]


def test_a_key_in_the_pieces_of_a_stream(check: Checker) -> None:
    events = streamed(KEY[:9], KEY[9:])
    found = check(
        interaction(asked(), events, sent_headers={"api-key": [KEY]}),
    )
    assert any("of the answer's body holds a credential" in text for _, _, text in found)


@pytest.mark.parametrize(
    "value", ["REDACTED", "Bearer REDACTED", "Bearer DUMMY", "sk-not-a-key", "***", "test-key"]
)
def test_what_stands_for_a_key_is_none(value: str, check: Checker) -> None:
    assert check(interaction(asked(), answered(), sent_headers={"api-key": [value]})) == []


def test_a_word_does_not_make_a_key_a_stand_in(check: Checker) -> None:
    sent = {"api-key": ["test-0123456789abcdef"]}
    assert [kind for _, kind, _ in check(interaction(asked(), answered(), sent_headers=sent))] == [
        "key"
    ]


def test_what_else_the_recorder_leaves_out(check: Checker) -> None:
    found = check(
        interaction(
            asked(),
            answered(),
            sent_headers={"api-key": ["REDACTED"], "User-Agent": ["me/1.0"]},
            headers={"x-account-name": ["alice"], "x-request-id": ["1234"]},
        )
    )
    assert [(level, kind) for level, kind, _ in found] == [("error", "private")] * 2
    assert found[0][2].endswith("leaves out: user-agent.")
    assert found[1][2].endswith("leaves out: x-account-name, x-request-id.")


def test_other_peoples_interactions_keep_their_headers(check: Checker) -> None:
    foreign = interaction(
        None,
        "{}",
        uri="https://api.example.org/x",
        headers={"x-total-count": ["7"]},
        sent_headers={"User-Agent": ["me/1.0"]},
    )
    assert check(foreign, provenance=None) == []
    leaking = interaction(
        None,
        "{}",
        uri="https://api.example.org/x",
        sent_headers={"Authorization": [f"token {KEY}"]},
    )
    assert [kind for _, kind, _ in check(leaking, provenance=None)] == ["key"]


# Provenance


def test_no_provenance(check: Checker) -> None:
    ((level, kind, text),) = check(interaction(asked(), answered()), provenance=None)
    assert (level, kind) == ("error", "provenance")
    assert "does not say whose answers" in text


@pytest.mark.parametrize("given", [{"kind": "guess"}, {"kind": "live", "match": "roughly"}])
def test_an_unknown_provenance(given: dict[str, str], check: Checker) -> None:
    ((level, kind, text),) = check(interaction(asked(), answered()), provenance=given)
    assert (level, kind) == ("error", "provenance")
    assert "must be one of" in text


# Models


def test_a_retired_model_at_its_own_host_fails(check: Checker) -> None:
    body = {**asked(), "model": "mimo-v2.5-pro"}
    found = check(interaction(body, answered(), uri=XIAOMI), provenance=LIVE)
    assert found == [
        (
            "error",
            "model",
            "interaction 1: Xiaomi stopped serving mimo-v2.5-pro on 2026-10-21; it serves "
            "mimo-v2.6-pro in its place. Record it again with that model.",
        )
    ]


def test_elsewhere_and_in_emulated_answers_it_is_a_remark_and_said_once(check: Checker) -> None:
    body = {**asked(), "model": "mimo-v2.5-pro"}
    one = interaction(body, answered())
    assert [(level, kind) for level, kind, _ in check(one, one)] == [("remark", "model")]
    relay = interaction(body, answered(), uri="https://relay.example/v1/chat/completions")
    ((level, _, text),) = check(relay, provenance=LIVE)
    assert level == "remark"
    assert "relay.example may serve it still" in text


# The form


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"request": {}}, "it has no response"),
        (3, "it has no request"),
        ({**interaction(asked(), ""), "response": {"status": {}, "body": {}}}, "status.code"),
        (interaction(asked(), answered(), pieces=["x"]), "pieces is not a list of numbers"),
        (interaction(asked(), answered(), string=7), "neither text nor bytes"),
    ],
)
def test_a_malformed_interaction_does_not_hide_the_others(
    broken: Any, says: str, check: Checker
) -> None:
    leak = interaction(asked(), answered(KEY))
    found = check(broken, leak)
    assert [kind for _, kind, _ in found] == ["malformed", "key"]
    assert found[0][2].startswith("interaction 1: ")
    assert says in found[0][2]


def test_pieces_that_do_not_add_up(check: Checker) -> None:
    given = interaction(asked(), streamed("Hi"), pieces=[1, 2])
    ((level, kind, text),) = check(given)
    assert (level, kind) == ("error", "malformed")
    assert "pieces add up to 3 bytes" in text


@pytest.mark.parametrize("text", ["interactions: 3", "a: [", "", "\x00"])
def test_a_file_that_is_none(text: str, tmp_path: Path, check: Checker) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(text)
    code, (line,) = check.run(str(path))
    assert code == 1
    assert ":1: error malformed: " in line


def test_bytes_that_are_no_text(tmp_path: Path, check: Checker) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(b"interactions: \xff")
    code, (line,) = check.run(str(path))
    assert code == 1
    assert "error malformed: " in line


# Remarks on answers


def test_shortened_audio_is_said(check: Checker, capsys: pytest.CaptureFixture[str]) -> None:
    code, (line,) = check.run(str(ROOT / "cassettes" / "speech" / "wav.yaml"))
    assert code == 0
    assert "remark audio: interaction 1: the sound is not whole: 1 base64 payload(s)" in line
    assert "to 740 bytes" in line


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"broken": {"error": "ReadError", "message": "reset"}}, "ReadError: reset"),
        ({"broken": {"error": "closed by the client"}}, "the client closed the stream"),
        ({}, "it ended without a finish reason"),
    ],
)
def test_a_stream_without_its_end_is_said(given: dict[str, Any], says: str, check: Checker) -> None:
    ((level, kind, text),) = check(interaction(asked(), [event({"content": "Hel"})], **given))
    assert (level, kind) == ("remark", "stream")
    assert says in text


def test_a_failure_before_an_answer_is_said(check: Checker) -> None:
    broken = {"error": "ConnectError", "message": "refused"}
    assert check(interaction(asked(), "", status=0, broken=broken)) == [
        ("remark", "stream", "interaction 1: no answer came: ConnectError: refused.")
    ]


def test_an_answer_that_is_none(check: Checker) -> None:
    ((level, kind, text),) = check(interaction(asked(), "{}"))
    assert (level, kind) == ("remark", "stream")
    assert "the answer cannot be used" in text


# The command


def test_strict_and_ignore(tmp_path: Path, check: Checker) -> None:
    path = write(tmp_path / "a.yaml", interaction({**asked(), "model": "mimo-v2.5"}, answered()))
    assert check.run(str(path))[0] == 0
    assert check.run(str(path), "--strict")[0] == 1
    assert check.run(str(path), "--strict", "--ignore", "model,audio") == (0, [])


def test_an_unknown_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--ignore", "modle"]) == 2
    assert "--ignore modle: it can be key, private" in capsys.readouterr().err


def test_a_missing_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "no/such/folder"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_holds_other_files_too(tmp_path: Path, check: Checker) -> None:
    write(tmp_path / "deep" / "b.yaml", interaction(asked(), answered(KEY)))
    write(tmp_path / ".venv" / "c.yaml", interaction(asked(), answered(KEY)))
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "notes.txt").write_text("interactions: none")
    code, lines = check.run(str(tmp_path))
    assert code == 1
    assert all(f"{tmp_path}/deep/b.yaml:3: error key" in line for line in lines)


def test_the_line_of_the_interaction_is_named(tmp_path: Path, check: Checker) -> None:
    good, bad = interaction(asked(), answered()), interaction(asked(), answered(KEY))
    path = write(tmp_path / "a.yaml", good, bad)
    _, (line,) = check.run(str(path))
    number = int(line.split(":")[1])
    before = yaml.safe_load("\n".join(path.read_text().splitlines()[: number - 1]))
    assert len(before["interactions"]) == 1


@pytest.mark.slow  # processes of its own
def test_many_files_are_checked_by_all_processors(
    tmp_path: Path, check: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same findings, in the same order."""
    for number in range(6):
        content = KEY if number % 2 else "fine"
        write(tmp_path / f"{number}.yaml", interaction(asked(), answered(content)))
    alone = check.run(str(tmp_path))
    monkeypatch.setattr(check_module, "_MANY", 3)
    assert check.run(str(tmp_path)) == alone
    assert len(alone[1]) == 3


def test_the_cassettes_of_this_repository(check: Checker) -> None:
    """No errors; the remarks are retired models, shortened sound and three broken streams."""
    code, lines = check.run(str(ROOT / "cassettes"))
    assert code == 0
    kinds = [line.split(" remark ")[1].split(":")[0] for line in lines]
    assert set(kinds) <= {"model", "audio", "stream"}
    assert kinds.count("stream") == 3


def test_the_hook_of_pre_commit_names_a_command_that_there_is() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    command = hook["entry"].split()
    assert command[0] == "mimo-cassette"
    assert main([*command[1:], str(ROOT / "cassettes" / "chat" / "plain.yaml")]) == 0
    assert re.search(hook["files"], "tests/cassettes/test_x/test_y.yaml")
    assert not re.search(hook["files"], "compose.yaml")


@pytest.mark.slow
def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['vcr'] = None\n"
        "from mimo_core.testing.cassette_tool.__main__ import main\n"
        "sys.exit(main(['check', 'cassettes/chat']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert 'pip install "mimo-core[testing]"' in done.stderr
    assert done.stderr.count("\n") == 1
