"""`mimo-cassette show`: a cassette as a conversation in a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from mimo_core.testing.cassette_tool.__main__ import main
from mimo_core.testing.cassette_tool.loading import load
from mimo_core.testing.cassette_tool.show import show
from tests.conftest import KEY
from tests.testing.written_cassettes import (
    HOST,
    answered,
    asked,
    event,
    interaction,
    streamed,
    write,
)

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width that it has where nothing says another; pytest-xdist says 80."""
    monkeypatch.delenv("COLUMNS", raising=False)


class Terminal(io.StringIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(path: Path, *options: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["show", str(path), *options]) == 0
    return capsys.readouterr().out


def test_a_conversation_with_a_tool(capsys: pytest.CaptureFixture[str]) -> None:
    """The second request repeats the first and its answer: both are folded."""
    out = shown(CASSETTES / "tools" / "agent_loop.yaml", capsys=capsys)
    first, second = out.split("\n2 · ")
    assert "emulator: answers made by FakeMiMo" in first
    assert "1 · POST emulator.localhost/v1/chat/completions · mimo-v2.6-pro" in first
    assert 'options thinking={"type": "enabled"} · stream=true' in first
    assert "user What is the weather like in Paris" in first
    assert "reasoning The user asks about Paris." in first
    assert 'call get_weather [call_000000000000000000000001] {"city": "Paris"}' in first
    assert "end tool_calls; 17 prompt, 14 completion, 31 total, reasoning_tokens 12" in first
    assert "stream 17 events in 5 kB, 18 pieces; 1 comment" in first
    assert "2 messages as in exchange 1 (--full shows them)" in second
    assert "result get_weather [call_000000000000000000000001] Paris: 18 degrees" in second
    assert "What is the weather like" not in second


def test_full_folds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "word " * 1000 + "the end"
    path = write(tmp_path / "a.yaml", interaction(asked(), answered(long)))
    out = shown(path, capsys=capsys)
    assert "characters more (--full)" in out
    assert "the end" not in out
    assert "the end" in shown(path, "--full", capsys=capsys)
    out = shown(CASSETTES / "tools" / "agent_loop.yaml", "--full", capsys=capsys)
    assert out.count("What is the weather like") == 2


@pytest.mark.parametrize("name", ["plain", "stream"])
def test_the_messages_protocol_reads_the_same(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(CASSETTES / "messages" / f"{name}.yaml", capsys=capsys)
    assert "/anthropic/v1/messages · " in out
    answer = out.partition("answer 200 OK")[2]
    assert "reasoning " in answer
    assert "assistant " in answer
    assert "end stop; " in answer


def test_tools_of_the_messages_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(CASSETTES / "messages" / "tools.yaml", capsys=capsys)
    assert out.count("call get_weather [") == 1  # in the second request it is folded
    assert "result get_weather [" in out


def test_media_are_named_with_type_and_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = f"[12288 bytes, sha256 {'ab' * 32}]"
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{named}"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA" * 300, "format": "wav"}},
        {"type": "text", "text": "What is this?"},
    ]
    path = write(
        tmp_path / "a.yaml", interaction(asked({"role": "user", "content": parts}), answered())
    )
    out = shown(path, capsys=capsys)
    assert "image/png, 12 kB, sha256 abababababab…" in out
    assert "image, https://example.org/cat.png" in out
    assert "audio/wav, 900 bytes" in out
    assert "AAAA" not in out


def test_an_image_of_the_messages_protocol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = {"type": "base64", "media_type": "image/webp", "data": "AAAA" * 100}
    body = asked({"role": "user", "content": [{"type": "image", "source": source}]})
    path = write(tmp_path / "a.yaml", interaction(body, "{}", uri=f"{HOST}/v1/messages"))
    assert "image/webp, 300 bytes" in shown(path, capsys=capsys)


def test_where_a_stream_broke(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(CASSETTES / "errors" / "stream_cut.yaml", capsys=capsys)
    assert "assistant Everything after the middle of t\n" in out
    assert "5 events in 1 kB, 6 pieces; 1 comment; broke after 1 kB" in out
    assert "broken the connection broke here: RemoteProtocolError: peer closed" in out
    assert "Send the request again" not in out


def test_an_error_event_is_said_though_the_stream_was_closed_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = shown(CASSETTES / "errors" / "error_in_stream.yaml", capsys=capsys)
    assert re.search(r"\n +error \S+", out)
    assert "broken the client closed the stream here" in out


def test_a_connection_that_failed_before_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"error": "ConnectTimeout", "message": "timed out"}
    path = write(tmp_path / "a.yaml", interaction(asked(), "", status=0, broken=broken))
    out = shown(path, capsys=capsys)
    assert "answer no answer" in out
    assert "broken no answer came: ConnectTimeout: timed out" in out


def test_a_stream_that_ends_early_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(CASSETTES / "errors" / "stream_ends_early.yaml", capsys=capsys)
    assert "error The stream broke before the answer was complete" in out


def test_an_event_that_is_cut_by_a_piece(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *rest = streamed("Hello ", "you")
    path = write(tmp_path / "a.yaml", interaction(asked(), [first[:9], first[9:], *rest]))
    out = shown(path, capsys=capsys)
    assert "assistant Hello you" in out
    assert "5 pieces; 1 event cut by a piece's end" in out


def test_recorded_times_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = streamed("Hello")
    path = write(tmp_path / "a.yaml", interaction(asked(), events, times=[310, 402, 403]))
    assert "first piece after 310 ms, last 403 ms" in shown(path, capsys=capsys)


def test_calls_are_shown_as_they_came(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The client mends arguments that are no JSON; whoever looks for the defect must see them."""
    call = {"index": 0, "id": "c1", "type": "function"}
    pieces = [
        event({"tool_calls": [call | {"function": {"name": "f", "arguments": '{"a": '}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": "oops"}}]}),
        event({}, "tool_calls"),
        "data: [DONE]\n\n",
    ]
    path = write(tmp_path / "a.yaml", interaction(asked(), pieces))
    assert 'call f [c1] {"a": oops' in shown(path, capsys=capsys)


def test_refusals_tell_status_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(CASSETTES / "vendor" / "error_moderation.yaml", capsys=capsys)
    assert "answer 400 " in out
    assert "error Moderation Block: The request was rejected" in out


def test_other_endpoints_are_shown_plainly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = interaction(None, '{"stars": 3}', uri="https://api.example.org/repos?page=2")
    path = write(tmp_path / "a.yaml", foreign, provenance=None)
    out = shown(path, capsys=capsys)
    assert "no provenance" in out
    assert "1 · GET api.example.org/repos?page=2" in out
    assert '"stars": 3' in out


def test_no_credential_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where a cassette leaks: what is shown may be pasted into a bug report."""
    path = write(
        tmp_path / "a.yaml",
        interaction(
            asked({"role": "user", "content": f"my key is {KEY}"}),
            answered(f"Your key is {KEY}."),
            sent_headers={"api-key": [KEY]},
            uri=f"https://me:hunter2hunter2@api.xiaomimimo.com/v1/chat/completions?key={KEY}",
        ),
    )
    out = shown(path, "--full", capsys=capsys)
    assert KEY not in out
    assert "hunter2" not in out
    assert "credentials or request ids at " in out


def test_a_hostile_answer_does_not_command_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b]0;title\x07\x1b[2J red \u202e turned [bold]not markup[/bold] 你好 👩‍👩‍👧"
    tool = {"role": "tool", "tool_call_id": "\x1b[31m", "content": hostile}
    path = write(
        tmp_path / "a.yaml",
        interaction(asked(tool), answered(hostile), headers={"server": ["\x1b[5m"]}),
    )
    out = shown(path, capsys=capsys)
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b]0;title\\x07" in out
    assert "[bold]not markup[/bold] 你好" in out


def test_colours_in_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    recording = load(CASSETTES / "thinking" / "plain.yaml")
    show(recording, terminal := Terminal())
    assert "\x1b[2" in terminal.getvalue()  # dimmed reasoning
    monkeypatch.setenv("NO_COLOR", "1")
    show(recording, plain := Terminal())
    assert "\x1b" not in plain.getvalue()
    monkeypatch.delenv("NO_COLOR")
    out = shown(CASSETTES / "thinking" / "plain.yaml", capsys=capsys)
    assert "\x1b" not in out
    assert not any(line.endswith(" ") for line in out.splitlines())


# The folder `standard` holds seventy of one kind: the first will do.
KINDS = sorted(path for path in CASSETTES.rglob("*.yaml") if path.parent.name != "standard")
KINDS += sorted((CASSETTES / "standard").iterdir())[:1]


@pytest.mark.parametrize("path", KINDS, ids=lambda path: path.stem)
def test_every_kind_of_cassette_of_this_repository_can_be_shown(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shown(path, capsys=capsys)
    heads = [out.count(f" · {method} ") for method in ("POST", "GET", "DELETE")]
    assert sum(heads) == len(load(path).exchanges)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("interactions: 3", "it has no interactions"),
        ("a: [", "is not a cassette"),
        ("interactions: !!python/object/apply:os.system [exit]", "is not a cassette"),
        ("interactions: [{request: {}}]", "interaction 1 is malformed: it has no response"),
        ("interactions: [3]", "interaction 1 is malformed: it has no request"),
    ],
)
def test_what_is_no_cassette_is_refused_in_one_line(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert main(["show", str(path)]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_a_missing_file_and_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        assert main(["show", str(path)]) == 2
        assert capsys.readouterr().err.startswith("mimo-cassette: There is no cassette")
