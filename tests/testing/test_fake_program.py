"""`mimo-fake`: the emulator as a program, the recording proxy, the replay; and its other name."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import httpx2
import pytest

from mimo_core.testing import FakeMiMo, provenance_of
from mimo_core.testing.fake_command.__main__ import main
from tests.conftest import KEY

USER = {"role": "user", "content": "hi"}
BODY = {"model": "mimo-v2.5", "messages": [USER]}
COMMAND = [sys.executable, "-m", "mimo_core.testing.fake_command"]
CONTROL_LINES, PROXY_LINES = 7, 3


@contextlib.contextmanager
def program(
    *arguments: str | Path, lines: int = CONTROL_LINES, command: list[str] = COMMAND
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The program, and what its first lines say, by the words at their beginning."""
    given = [*command, "--port", "0", *map(str, arguments)]
    with subprocess.Popen(given, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        try:
            said = [process.stdout.readline().strip() for _ in range(lines)]
            yield process, {line.split("  ")[0]: line.split("  ")[-1].strip() for line in said}
        finally:
            process.kill()


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    process.send_signal(how)
    return process.communicate(timeout=10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "module"),
    [
        (signal.SIGINT, "mimo_core.testing.fake_command"),
        (signal.SIGTERM, "mimo_core.testing.emulator"),
    ],
)
def test_serves_until_it_is_stopped(how: signal.Signals, module: str) -> None:
    with program(command=[sys.executable, "-m", module]) as (process, said):
        assert "an emulator of the MiMo service" in next(iter(said))
        body = BODY | {"max_tokens": 100}
        chat = httpx2.post(f"{said['chat completions']}/chat/completions", json=body)
        assert "emulator" in chat.json()["choices"][0]["message"]["content"]
        messages = httpx2.post(f"{said['messages']}/v1/messages", json=body)
        assert "emulator" in messages.json()["content"][1]["text"]
        out, err = stop(process, how)
        assert process.returncode == 0
        assert err == ""
        assert "POST /v1/chat/completions mimo-v2.5 -> 200" in out


@pytest.mark.slow
def test_it_serves_on_when_nobody_reads_what_it_says() -> None:
    """As in `mimo-fake | head`."""
    with program() as (process, said):
        assert process.stdout is not None
        process.stdout.close()
        url = f"{said['chat completions']}/chat/completions"
        assert [httpx2.post(url, json=BODY).status_code for _ in range(3)] == [200, 200, 200]


@pytest.mark.slow
def test_keys_models_and_a_lenient_backend() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {"role": "assistant", "content": "", "tool_calls": [call]}
    history = [USER, asked, {"role": "tool", "tool_call_id": "c", "content": "42"}]
    with program("--key", "k", "--model", "mimo-v9", "--lenient") as (_, said):
        url = f"{said['chat completions']}/chat/completions"
        body = {"model": "mimo-v9", "messages": history}
        assert httpx2.post(url, json=body).status_code == 401
        assert httpx2.post(url, json=body, headers={"api-key": "k"}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("serves", "refused", "lines"), [("batches", "models", 5), ("realtime", "files", 6)]
)
def test_it_stands_for_one_host(serves: str, refused: str, lines: int) -> None:
    with program("--serves", serves, lines=lines) as (_, said):
        url = said["control"].removesuffix("/_script")
        assert httpx2.get(f"{url}/v1/{refused}").status_code == 404
        served = {"models", "files"} - {refused}
        assert httpx2.get(f"{url}/v1/{served.pop()}").status_code == 200
        assert ("files, batches" in said, "chat completions" in said) == (
            serves == "batches",
            serves == "realtime",
        )


@pytest.mark.slow
def test_a_script_that_was_not_kept_to_is_exit_code_1(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"queue": ["scripted", "left"]}')
    with program("--script", script, "--strict", "--extra", "all") as (process, said):
        url = f"{said['chat completions']}/chat/completions"
        answer = httpx2.post(url, json=BODY, headers={"origin": "http://localhost:3000"})
        assert answer.json()["choices"][0]["message"]["content"] == "scripted"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert httpx2.get(said["control"]).json()["queued"] == 1
        _, err = stop(process)
    assert process.returncode == 1
    assert err == "mimo-fake: not asked for: 'left'\n"


@pytest.mark.slow
def test_a_proxy_records_and_a_replay_answers(mimo: FakeMiMo, tmp_path: Path) -> None:
    path = tmp_path / "recorded.yaml"
    mimo.queue("recorded")
    options = ("--record-proxy", mimo.root_url, "--cassette", path, "--note", "a note")
    with program(*options, lines=PROXY_LINES) as (process, said):
        url = f"{said['in its place']}/v1/chat/completions"
        httpx2.post(url, json=BODY, headers={"authorization": f"Bearer {KEY}"})
        out, err = stop(process, signal.SIGTERM)
    assert (process.returncode, err) == (0, "")
    assert f"{path}: answers made by FakeMiMo" in out
    assert mimo.last_request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in path.read_text() + out
    whose = provenance_of(path)
    assert whose is not None
    assert (whose.kind, whose.note) == ("emulator", "a note")
    with program("--replay", path, lines=PROXY_LINES) as (process, said):
        assert "answers made by FakeMiMo" in next(iter(said))
        url = f"{said['in its place']}/v1/chat/completions"
        answer = httpx2.post(url, json=BODY).json()
        assert answer["choices"][0]["message"]["content"] == "recorded"
        out, err = stop(process)
    assert (process.returncode, err) == (0, "")
    assert "POST /v1/chat/completions -> answer 1 of 1" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--record-proxy https://a.example --replay b.yaml", "two ways to run it"),
        ("--record-proxy https://a.example", "--record-proxy needs --cassette FILE"),
        ("--cassette a.yaml", "--cassette has no effect with the emulator"),
        ("--repeat", "--repeat has no effect with the emulator"),
        ("--replay a.yaml --script b.yaml", "--script has no effect with --replay"),
        ("--replay a.yaml --extra model", "--extra has no effect with --replay"),
        ("--replay a.yaml --overwrite", "--overwrite has no effect with --replay"),
        ("--port 70000", "--port is a number from 0 to 65535"),
        ("--extra corse", "no extra named 'corse'; there are: cors, model, count_tokens"),
    ],
)
def test_options_that_do_not_fit(
    arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--script none.yaml", "none.yaml cannot be read: No such file or directory"),
        (
            "--replay none.yaml --extra cors",
            "There is no cassette none.yaml. Record it, or",
        ),
        ("--record-proxy gpu7:8000 --cassette a.yaml", "the URL of a server is needed"),
        ("--record-proxy http://gpu7:8000 --cassette a.yaml", "go to gpu7 unencrypted"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    arguments: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    err = capsys.readouterr().err
    assert err.startswith("mimo-fake: ")
    assert says in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_users_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    proxy = ["--record-proxy", "https://a.example", "--cassette", str(path)]
    assert main(proxy) == 2
    assert "is there already. Name another file, or say --overwrite." in capsys.readouterr().err
    assert main([*proxy, "--overwrite"]) == 2
    assert "is not a cassette" in capsys.readouterr().err
    path.write_text("provenance: {kind: vendor}\ninteractions: []\n")
    assert main([*proxy, "--overwrite"]) == 2
    assert "published answers and is not recorded over" in capsys.readouterr().err
    assert path.read_text() == "provenance: {kind: vendor}\ninteractions: []\n"


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["--port", port]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"mimo-fake: cannot listen on port {port}: Address already in use. "
        "Give another with --port; 0 takes a free one.\n"
    )


@pytest.mark.slow
def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """The plain emulator needs none of it; YAML, the proxy and the replay do."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['vcr'] = None\n")
    (tmp_path / "yaml.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'yaml'\", name='yaml')"
    )
    (tmp_path / "script.yaml").write_text("queue: [a]")
    for option in (("--script", "script.yaml"), ("--replay", "script.yaml")):
        done = subprocess.run(
            [*COMMAND, *option],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        )
        assert done.returncode == 2
        assert 'pip install "mimo-core[testing]"' in done.stderr
        assert done.stderr.count("\n") == 1


def test_it_is_installed_as_a_command() -> None:
    scripts = entry_points(group="console_scripts", name="mimo-fake")
    if not scripts:
        pytest.skip("installed before mimo-fake was there: run `make .venv/installed`")
    (script,) = scripts
    assert script.load() is main
