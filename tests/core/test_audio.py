"""What audio files say of themselves, byte by byte, and base64 in pieces."""

from __future__ import annotations

import base64
import io
import struct

import pytest

from mimo_core.audio import (
    AudioDecoder,
    audio_format,
    audio_seconds,
    decode_audio,
    encode_file,
    joined,
    wav_header,
)
from mimo_core.errors import InvalidResponseError

# MPEG 1 Layer III, 128 kbit/s, 44.1 kHz: 417 bytes and 1152 samples
FRAME = bytes([0xFF, 0xFB, 0x90, 0x00]) + bytes(413)


def frame(version: int, bitrate: int, rate: int, padding: int = 0) -> bytes:
    """The four bytes that begin a frame of Layer III."""
    return bytes([0xFF, 0xE2 | version << 3, bitrate << 4 | rate << 2 | padding << 1, 0])


@pytest.mark.parametrize(
    ("data", "format_"),
    [
        (b"RIFF\x00\x00\x00\x00WAVE", "wav"),
        (b"RF64\x00\x00\x00\x00WAVE", "wav"),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
        (b"RIFX\x00\x00\x00\x00WAVE", None),
        (b"ID3", "mp3"),
        (b"ID3\x04\x00", "mp3"),
        (FRAME, "mp3"),
        (FRAME[:4], "mp3"),
        (FRAME[:3], None),
        (b"\xfe\xfb\x90\x00", None),
        (b"\xff\x1b\x90\x00", None),
        (bytes([0xFF, 0xE0 | 3 << 3, 0x90, 0]), None),  # no layer
        (bytes([0xFF, 0xE4 | 3 << 3, 0x90, 0]), None),  # Layer II
        (frame(1, 9, 0), None),  # a version that there is not
        (frame(3, 0, 0), None),
        (frame(3, 15, 0), None),
        (frame(3, 9, 3), None),
        (frame(3, 1, 0), "mp3"),
        (frame(3, 14, 2), "mp3"),
        (b"", None),
    ],
)
def test_what_a_file_is(data: bytes, format_: str | None) -> None:
    assert audio_format(data) == format_


@pytest.mark.parametrize(
    ("version", "bitrate", "rate", "padding", "size", "seconds"),
    [
        (3, 9, 0, 0, 417, 1152 / 44_100),
        (3, 9, 0, 1, 418, 1152 / 44_100),
        (3, 1, 1, 0, 96, 1152 / 48_000),
        (3, 14, 2, 0, 1440, 1152 / 32_000),
        (2, 8, 0, 0, 208, 576 / 22_050),
        (2, 1, 1, 0, 24, 576 / 24_000),
        (0, 8, 2, 0, 576, 576 / 8_000),
        (0, 14, 1, 1, 961, 576 / 12_000),
    ],
)
def test_how_long_an_mp3_is(
    version: int, bitrate: int, rate: int, padding: int, size: int, seconds: float
) -> None:
    one = frame(version, bitrate, rate, padding).ljust(size, b"\x00")
    assert audio_seconds(one * 3, "mp3") == pytest.approx(3 * seconds)
    assert audio_seconds(one + b"\x00" + one, "mp3") == pytest.approx(seconds)


def test_what_stands_before_an_mp3_is_passed_over() -> None:
    for size, sizes in ((5, b"\x00\x00\x00\x05"), (0x82, b"\x00\x00\x01\x02")):
        tag = b"ID3\x04\x00\x00" + sizes + bytes(size)
        assert audio_seconds(tag + FRAME, "mp3") == pytest.approx(1152 / 44_100)
    large = b"ID3\x04\x00\x00" + b"\x01\x01\x00\x00" + bytes((1 << 21) + (1 << 14))
    assert audio_seconds(large + FRAME, "mp3") == pytest.approx(1152 / 44_100)
    assert audio_seconds(b"ID3\x04\x00\x00\x00\x00\x00", "mp3") is None
    assert audio_seconds(b"ID3\x04\x00\x00\x00\x00\x00\x00", "mp3") is None
    assert audio_seconds(b"", "mp3") is None


def test_pcm_is_24_kHz_mono() -> None:
    assert audio_seconds(bytes(24_000), "pcm") == 0.5
    assert audio_seconds(bytes(96_000), "pcm16") == 2.0


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


def wav(*chunks: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WAVE" + b"".join(chunks)


FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 100, 200, 2, 16))  # 200 bytes a second


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (wav(FMT, chunk(b"data", bytes(300))), 1.5),
        (wav(FMT, chunk(b"data", b"")), 0),
        (wav(FMT, chunk(b"data", bytes(100), size=0xFFFFFFFF)), 0.5),
        (wav(FMT, chunk(b"data", bytes(400), size=200)), 1),
        (wav(chunk(b"LIST", bytes(4)), FMT, chunk(b"data", bytes(200))), 1),
        (wav(chunk(b"LIST", bytes(3)) + b"\x00", FMT, chunk(b"data", bytes(200))), 1),
        (wav(FMT, chunk(b"LIST", bytes(1)) + b"\x00", chunk(b"data", bytes(200))), 1),
        (wav(chunk(b"data", bytes(4)), FMT, chunk(b"data", bytes(200))), 1),
        (wav(chunk(b"data", bytes(200))), None),
        (wav(FMT), None),
        (wav(FMT, b"data\x00\x00\x00"), None),
        (wav(chunk(b"fmt ", bytes(11)), b""), None),
        (wav(), None),
        (b"RIFX\x00\x00\x00\x00WAVE" + FMT + chunk(b"data", bytes(200)), None),
    ],
)
def test_how_long_a_wav_is(data: bytes, seconds: float | None) -> None:
    assert audio_seconds(data, "wav") == seconds


def test_the_header_of_a_wav() -> None:
    header = wav_header(48_000)
    assert len(header) == 44
    fields = struct.unpack("<4sI4s4sIHHIIHH4sI", header)
    expected = (16, 1, 1, 24_000, 48_000, 2, 16)
    assert fields == (b"RIFF", 48_036, b"WAVE", b"fmt ", *expected, b"data", 48_000)
    assert audio_seconds(header + bytes(48_000), "wav") == 1
    assert wav_header(0)[40:] == bytes(4)
    assert wav_header()[4:8] == b"\xff\xff\xff\xff"
    assert wav_header()[40:] == struct.pack("<I", 0xFFFFFFFF - 36)


@pytest.mark.parametrize("cut", range(9))
def test_base64_may_be_cut_anywhere(cut: int) -> None:
    text = base64.b64encode(b"abcdef").decode()
    decoder = AudioDecoder()
    data = decoder.feed(text[:cut]) + decoder.feed(text[cut:])
    assert data + decoder.close() == b"abcdef"
    assert decoder.close() == b""


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", b"abcd"])
def test_padding_may_be_left_out(data: bytes) -> None:
    padded = base64.b64encode(data).decode()
    assert decode_audio(padded) == data
    assert decode_audio(padded.rstrip("=")) == data
    assert decode_audio(f" {padded[:2]}\n{padded[2:]} ") == data
    assert decode_audio(padded + padded) == data + data


@pytest.mark.parametrize("text", ["$$$$", "QUJ", "A", "A===", "====", "QQ==="])
def test_what_is_not_base64(text: str) -> None:
    if text == "QUJ":
        assert decode_audio(text) == b"AB"
        return
    with pytest.raises(InvalidResponseError, match="The audio in the answer is not base64"):
        decode_audio(text)


def test_pieces_with_padding_become_one_text() -> None:
    assert joined(["QUJD", "REVG"]) == "QUJDREVG"
    assert joined(["QUJD", "RA=="]) == "QUJDRA=="
    assert joined(["QQ==", "Qg=="]) == base64.b64encode(b"AB").decode()
    assert joined([]) == ""


@pytest.mark.parametrize("size", [0, 1, 3, 196_608, 196_609, 400_000])
def test_a_file_as_base64(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    text = encode_file(io.BytesIO(data), "data:audio/wav;base64,")
    assert text == "data:audio/wav;base64," + base64.b64encode(data).decode()
    assert encode_file(io.BytesIO(data)) == base64.b64encode(data).decode()
    assert decode_audio(base64.b64encode(data).decode()) == data
