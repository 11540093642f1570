"""`SSEParser`: any cut of a stream into pieces gives the same payloads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mimo_core._response.sse import SSEParser


def payloads(*pieces: bytes) -> list[bytes]:
    parser = SSEParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", []),
        (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
        (b"data: one\r\rdata: two\r\r", [b"one", b"two"]),
        (b"data: one\r\n\ndata: two\n\r\n", [b"one", b"two"]),
        (b"\xef\xbb\xbfdata: one\n\n", [b"one"]),
        (b"data:one\n\n", [b"one"]),
        (b"data:  one\n\n", [b" one"]),  # one space belongs to the field, no more
        (b"data: one\ndata: two\n\n", [b"one\ntwo"]),
        (b"data\ndata: two\n\n", [b"\ntwo"]),
        (b"data:\n\n", [b""]),
        (b": PROCESSING\n\n: PROCESSING\n\ndata: one\n\n", [b"one"]),
        (b"data: one\n: in between\ndata: two\n\n", [b"one\ntwo"]),
        (b"event: delta\nid: 7\nretry: 10\ndata: one\n\n", [b"one"]),
        (b"database: no\nda\n\ndata: one\n\n", [b"one"]),
        (b"data: one\n\n\n\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data: last without a blank line", [b"last without a blank line"]),
        (b"data: last without a blank line\n", [b"last without a blank line"]),
        (b"\xef\xbb", []),  # a BOM that breaks off
        (b"\xef", []),
    ],
)
def test_reads_what_the_standard_and_the_wild_send(stream: bytes, expected: list[bytes]) -> None:
    assert payloads(stream) == expected


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\ufeff"])
def test_a_unicode_line_end_inside_data_ends_no_line(mark: str) -> None:
    text = f'{{"content":"a{mark}b"}}'.encode()
    assert payloads(b"data: " + text + b"\n\n") == [text]


def test_the_bom_is_skipped_at_the_start_only() -> None:
    bom = b"\xef\xbb\xbf"
    assert payloads(b"data: " + bom + b"\n\n" + bom + b"data: two\n\n") == [bom]


_LINES = st.sampled_from(
    [
        b"data: one",
        b"data:two",
        b"data",
        b"data:",
        b": comment",
        b"event: x",
        b"dat",
        b"",
        b"",
        b"data: \xe2\x80\xa8 \xf0\x9f\x98\x8a",
        b"\xef\xbb\xbfdata: x",
    ]
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(
    lines=st.lists(st.tuples(_LINES, _ENDS), max_size=14),
    bom=st.booleans(),
    ended=st.booleans(),
    data=st.data(),
)
def test_any_cut_into_pieces_gives_the_same_events(
    lines: list[tuple[bytes, bytes]], bom: bool, ended: bool, data: st.DataObject
) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines)
    if not ended:
        stream = stream.rstrip(b"\r\n")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert payloads(*pieces) == payloads(stream)
    assert payloads(*(bytes([byte]) for byte in stream)) == payloads(stream)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b and b"\r" not in b)))
def test_what_was_put_in_comes_out(values: list[bytes]) -> None:
    stream = b"".join(b"data: " + value + b"\n\n" for value in values)
    assert payloads(stream) == values


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(stream: bytes) -> None:
    assert payloads(stream) == payloads(*(bytes([byte]) for byte in stream))


def test_one_event_of_4_mib_in_small_pieces_is_copied_once_and_not_at_each_piece() -> None:
    """Linear by construction: pieces of an unfinished line are kept apart until its end comes."""
    parser = SSEParser()
    size = 4096
    for _ in range(1024):
        assert parser.feed(b"x" * size) == []
    assert [len(piece) for piece in parser._head] == [size] * 1024

    parser = SSEParser()
    parser.feed(b"data: ")
    for _ in range(1024):
        parser.feed(b"x" * size)
    assert [len(event) for event in parser.feed(b"\n\n")] == [size * 1024]
    assert parser._head == []
    assert parser.feed(b"data: next\n\n") == [b"next"]
