"""`mimo-cassette html`: the page as text, and the file that it is written to."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mimo_core.testing.cassette_tool.__main__ import main
from mimo_core.testing.cassette_tool.loading import load
from mimo_core.testing.cassette_tool.page import page_of, timeline_of
from tests.conftest import KEY
from tests.testing.hostile_cassettes import hostile
from tests.testing.written_cassettes import answered, asked, interaction, streamed, write

CASSETTES = Path(__file__).resolve().parents[2] / "cassettes"
_VOID = {"meta", "link", "br"}


class Elements(HTMLParser):
    """The elements of a page and their attributes; every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def page(path: Path) -> str:
    return page_of(load(path))


def test_whose_answers_stands_at_the_top() -> None:
    head = page(CASSETTES / "chat" / "plain.yaml").partition("<main>")[0]
    assert '<span class="badge b-emulator">emulator</span>' in head
    assert "no model has run" in head


def test_a_hostile_cassette_adds_no_element(tmp_path: Path) -> None:
    """Scripts, styles and links are the page's own, and no attribute is a handler or a style."""
    elements = Elements(page(hostile(tmp_path / "a.yaml"))).found
    tags = [tag for tag, _ in elements]
    assert tags.count("script") == tags.count("style") == tags.count("link") == 1
    assert not {"img", "iframe", "base", "object", "embed", "form"} & set(tags)
    for _, attributes in elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert (attributes.get("href") or "#").startswith(("#exchange-", "#", "data:,"))
        assert "src" not in attributes


def test_nothing_may_be_loaded() -> None:
    elements = Elements(page(CASSETTES / "chat" / "plain.yaml")).found
    policy = next(
        attributes["content"]
        for _, attributes in elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_credential_and_no_home_folder_is_in_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.yaml",
        interaction(asked(), answered(f"It is {KEY}."), sent_headers={"api-key": [KEY]}),
        interaction(asked(), streamed(KEY[:9], KEY[9:])),
    )
    text = page(path)
    assert KEY not in text
    assert KEY[:9] not in text
    assert str(tmp_path) not in text
    assert "<title>a.yaml</title>" in text


def test_long_texts_are_folded_and_whole(tmp_path: Path) -> None:
    long = "word " * 1000 + "the end"
    text = page(write(tmp_path / "a.yaml", interaction(asked(), answered(long))))
    answer = text.partition("Answer ")[2]
    assert re.search(r"[\d,]+ characters more", answer)
    assert "the end</span></details>" in answer


def test_a_time_line_by_bytes(tmp_path: Path) -> None:
    """An event that two pieces cut stands below both."""
    first, *rest = streamed("Hello")
    path = write(tmp_path / "a.yaml", interaction(asked(), [first[:30], first[30:], *rest]))
    stream = load(path).exchanges[0].answer.stream
    assert stream is not None
    line = timeline_of(stream)
    assert (line.unit, line.end) == ("bytes", len(first + "".join(rest)))
    assert "No times were recorded" in line.says
    assert line.events[0].width == pytest.approx(
        line.pieces[0].width + line.pieces[1].width, abs=0.1
    )
    assert line.events[0].title == "event 1 (text, in pieces 1 to 2): Hello"
    assert line.pieces[0].title == "piece 1: 30 bytes, event 1"
    assert line.events[-1].x + line.events[-1].width == pytest.approx(1000, abs=0.1)


def test_a_time_line_by_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", interaction(asked(), streamed("Hi"), times=[100, 300, 400]))
    stream = load(path).exchanges[0].answer.stream
    assert stream is not None
    line = timeline_of(stream)
    assert (line.unit, line.end) == ("ms", 400)
    assert [round(box.x) for box in line.pieces] == [250, 750, 998]
    assert [round(box.width) for box in line.events] == [500, 250, 1]
    assert line.pieces[0].title.endswith("; after 100 ms")


def test_times_of_another_number_of_pieces_are_not_used(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", interaction(asked(), streamed("Hi"), times=[100]))
    stream = load(path).exchanges[0].answer.stream
    assert stream is not None
    assert timeline_of(stream).unit == "bytes"


def test_a_stream_without_pieces_says_so(tmp_path: Path) -> None:
    given = interaction(asked(), streamed("Hi"))
    del given["response"]["body"]["pieces"]
    assert "How the stream was cut was not recorded" in page(write(tmp_path / "a.yaml", given))


# The file

PLAIN = str(CASSETTES / "chat" / "plain.yaml")


def test_the_page_is_named_after_the_cassette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["html", PLAIN]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["plain.html"]


def test_a_page_of_ours_is_replaced_and_another_file_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "page.html"
    assert main(["html", PLAIN, "-o", str(target)]) == 0
    assert main(["html", PLAIN, "-o", str(target)]) == 0
    target.write_text("<p>mine</p>")
    capsys.readouterr()
    assert main(["html", PLAIN, "-o", str(target)]) == 2
    assert "left as it is" in capsys.readouterr().err
    assert target.read_text() == "<p>mine</p>"
    assert main(["html", PLAIN, "-o", str(target), "--force"]) == 0
    assert target.read_text().startswith("<!DOCTYPE html>")


def test_the_cassette_itself_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.yaml", interaction(asked(), answered()))
    before = path.read_bytes()
    assert main(["html", str(path), "-o", str(path)]) == 2
    assert main(["html", str(path), "-o", str(path), "--force"]) == 2
    assert path.read_bytes() == before
    assert "is the cassette" in capsys.readouterr().err


def test_on_trouble_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["html", PLAIN, "-o", str(tmp_path)]) == 2
    assert main(["html", PLAIN, "-o", str(tmp_path / "no" / "page.html")]) == 2
    assert main(["html", str(tmp_path / "none.yaml"), "-o", str(tmp_path / "page.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 3
    assert list(tmp_path.iterdir()) == []


def test_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["html", PLAIN, "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
