"""`mimo-cassette diff`: what differs between two cassettes, by meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing.cassette_tool.__main__ import main
from tests.testing.written_cassettes import (
    answered,
    asked,
    event,
    interaction,
    streamed,
    write,
)

Lines = list[str]


class Files:
    """Two cassettes, and what `diff` says of them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(self, old: list[Any], new: list[Any], *options: str) -> tuple[int, Lines]:
        first = write(self._folder / "a.yaml", *old)
        second = write(self._folder / "b.yaml", *new)
        code = main(["diff", str(first), str(second), *options])
        return code, self._capsys.readouterr().out.splitlines()[2:]


@pytest.fixture
def diff(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Files:
    return Files(tmp_path, capsys)


def question(text: str) -> dict[str, Any]:
    return asked({"role": "user", "content": text})


def test_the_same_by_meaning(diff: Files) -> None:
    """Another gateway, defaults that are spelled out, other ids, other times, another layout."""
    old = interaction(asked(stream=False), answered())
    new = interaction(
        json.dumps(asked(temperature=None), indent=4),
        answered().replace('"id": "1"', '"id": "2", "created": 7'),
        uri="https://api.xiaomimimo.com/v1/chat/completions",
    )
    code, lines = diff([old], [new])
    assert code == 0
    assert lines == ["= 1. POST /v1/chat/completions: Say hello."]


def test_the_order_of_independent_requests_does_not_matter(diff: Files) -> None:
    one = interaction(question("one?"), answered("1"))
    two = interaction(question("two?"), answered("2"))
    code, lines = diff([one, two], [two, one])
    assert code == 0
    assert [line[:5] for line in lines] == ["= 1→2", "= 2→1"]


def test_two_gateways_are_told_apart_and_another_one_is_as_good(diff: Files) -> None:
    """The same host first; any host where the question is asked at no other place."""

    def at(host: str, text: str) -> dict[str, Any]:
        uri = f"https://{host}/v1/chat/completions"
        return interaction(question(text), answered(f"{text} {host}"), uri=uri)

    one, two = at("a.example", "one?"), at("b.example", "one?")
    assert diff([one, two], [two, one])[0] == 0
    moved = [at("c.example", "two?"), at("c.example", "one?")]
    code, lines = diff([at("a.example", "one?"), at("a.example", "two?")], moved)
    assert code == 1
    assert [line[:8] for line in lines if line[0] == "~"] == ["~ 1→2. P", "~ 2→1. P"]
    assert not any("request:" in line for line in lines)


def test_the_same_question_asked_twice_keeps_its_order(diff: Files) -> None:
    old = [interaction(asked(), answered("a")), interaction(asked(), answered("b"))]
    assert diff(old, old)[0] == 0
    code, lines = diff(old, old[::-1])
    assert code == 1
    assert "answer: message.content: recorded 'a', sent 'b'" in lines[1]


def test_the_first_place_where_an_answer_differs(diff: Files) -> None:
    long = "All of this text is the same. " * 10
    old = interaction(asked(), answered(f"{long}It rains."))
    new = interaction(asked(), answered(f"{long}It snows."))
    code, lines = diff([old], [new])
    assert code == 1
    assert lines[0].startswith("~ 1. POST")
    assert lines[1].startswith("    answer: message.content: …")
    assert "⟨" in lines[1]
    assert len(lines[1]) < 250


def test_the_first_place_where_a_request_differs(diff: Files) -> None:
    old = interaction(asked(temperature=0.5), answered())
    new = interaction(asked(temperature=0.7), answered())
    code, lines = diff([old], [new])
    assert code == 1
    assert lines[1:] == ["    request: temperature: recorded 0.5, sent 0.7"]


def test_arguments_of_calls_are_compared_as_json(diff: Files) -> None:
    def calling(arguments: str, id: str) -> dict[str, Any]:
        call = {"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}
        return interaction(asked(), answered("", tool_calls=[call]))

    assert diff([calling('{"a": 1, "b": 2}', "c1")], [calling('{"b":2,"a":1}', "c2")])[0] == 0
    code, lines = diff([calling('{"a": 1}', "c1")], [calling('{"a": 2}', "c1")])
    assert code == 1
    assert "message.tool_calls[0].arguments.a: recorded 1, sent 2" in lines[1]


def test_streams_are_compared_assembled_unless_events_are_asked_for(diff: Files) -> None:
    old = interaction(asked(stream=True), streamed("Hel", "lo"))
    new = interaction(asked(stream=True), streamed("Hello"))
    assert diff([old], [new])[0] == 0
    code, lines = diff([old], [new], "--events")
    assert code == 1
    assert "events[0].choices[0].delta.content: recorded 'Hel', sent 'Hello'" in lines[1]
    assert diff([old], [old], "--events")[0] == 0


def test_how_a_stream_was_cut_is_no_difference_of_meaning(diff: Files) -> None:
    events = streamed("Hello")
    whole = "".join(events)
    old = interaction(asked(stream=True), events)
    new = interaction(asked(stream=True), [whole[:7], whole[7:]])
    assert diff([old], [new], "--events")[0] == 0


def test_a_stream_that_broke_differs_from_one_that_did_not(diff: Files) -> None:
    events = [event({"content": "Hello"}), event({}, "stop")]
    broken = interaction(asked(), events, broken={"error": "ReadError", "message": "reset"})
    code, lines = diff([interaction(asked(), events)], [broken])
    assert code == 1
    assert "broken: not recorded, sent " in lines[1]


def test_status_and_usage_count(diff: Files) -> None:
    refused = interaction(asked(), '{"error": {"message": "Slow down"}}', status=429)
    code, lines = diff([interaction(asked(), answered())], [refused])
    assert code == 1
    assert "answer: status: recorded 200, sent 429" in lines[1]
    dearer = answered().replace('"total_tokens": 5', '"total_tokens": 6')
    code, lines = diff([interaction(asked(), answered())], [interaction(asked(), dearer)])
    assert code == 1
    assert "usage.total_tokens: recorded 5, sent 6" in lines[1]


def test_added_and_missing(diff: Files) -> None:
    one, two = interaction(question("one?"), answered()), interaction(question("two?"), answered())
    code, lines = diff([one], [one, two])
    assert (code, lines[1]) == (1, "+ 2. POST /v1/chat/completions: two?")
    code, lines = diff([one, two], [one])
    assert (code, lines[1]) == (1, "- 2. POST /v1/chat/completions: two?")


def test_other_endpoints(diff: Files) -> None:
    uri = "https://api.example.org/things"
    old = interaction(None, '{"stars": 3, "id": 1}', uri=uri)
    assert diff([old], [interaction(None, '{"id": 2, "stars": 3}', uri=uri)])[0] == 0
    code, lines = diff([old], [interaction(None, '{"stars": 4}', uri=uri)])
    assert code == 1
    assert "body.stars: recorded 3, sent 4" in lines[1]
    code, lines = diff([old], [interaction(None, "{}", uri=f"{uri}/7")])
    assert (code, [line[0] for line in lines]) == (1, ["-", "+"])


def test_quiet_says_what_differs_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.yaml", interaction(asked(), answered()))
    assert main(["diff", "--quiet", str(path), str(path)]) == 0
    assert capsys.readouterr().out == ""


def test_trouble_is_not_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.yaml", interaction(asked(), answered()))
    assert main(["diff", str(path), str(tmp_path / "none.yaml")]) == 2
    assert "There is no cassette" in capsys.readouterr().err
