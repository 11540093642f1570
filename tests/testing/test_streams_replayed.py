"""Streams in cassettes: with the breaks of the wire, lazily, and broken where they broke."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import yaml

from mimo_core import AsyncMiMoClient, MiMoClient, StreamInterruptedError
from mimo_core.testing import (
    CassetteError,
    FakeMiMo,
    Fault,
    NoRecordedAnswer,
    Reply,
    use_cassette,
)
from mimo_core.testing.cassettes.persister import read
from tests.conftest import KEY
from tests.core.peer import Peer

REQUEST = {
    "model": "mimo-v2.5-pro",
    "messages": [{"role": "user", "content": "Say a sentence."}],
    "stream": True,
}
ANSWER = Reply("One sentence, in several pieces.", reasoning="Easy.")
libraries = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
Read = Callable[[Any, str], tuple[list[bytes], Exception | None]]


def read_sync(library: Any, url: str) -> tuple[list[bytes], Exception | None]:
    pieces: list[bytes] = []
    with (
        library.Client(verify=False) as client,
        client.stream("POST", url, json=REQUEST) as response,
    ):
        try:
            pieces.extend(response.iter_raw())
        except library.TransportError as error:
            return pieces, error
    return pieces, None


def read_async(library: Any, url: str) -> tuple[list[bytes], Exception | None]:
    async def read() -> tuple[list[bytes], Exception | None]:
        pieces: list[bytes] = []
        async with (
            library.AsyncClient(verify=False) as client,
            client.stream("POST", url, json=REQUEST) as response,
        ):
            try:
                async for piece in response.aiter_raw():
                    pieces.append(piece)
            except library.TransportError as error:
                return pieces, error
        return pieces, None

    return asyncio.run(read())


readers = pytest.mark.parametrize("read", [read_sync, read_async], ids=["sync", "async"])
FAULTS = {
    "whole": Fault(reply=ANSWER),
    "byte by byte": Fault(reply=Reply("Hé 👋"), byte_by_byte=True, crlf=True, bom=True),
    "cut": Fault(reply=ANSWER, cut="mid_stream"),
    "reset": Fault(reply=ANSWER, cut="mid_stream", reset=True),
    "early end": Fault(reply=ANSWER, cut="mid_stream", clean=True),
    "before the first event": Fault(reply=ANSWER, cut="before_first_event"),
    "error event": Fault(reply=ANSWER, error_event="overloaded"),
}


@libraries
@readers
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_replays_the_breaks_and_the_end(
    library: Any, read: Read, fault: Fault, tmp_path: Path
) -> None:
    path = tmp_path / "stream.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(fault)
        recorded, broken = read(library, f"{mimo.base_url}/chat/completions")
    url = "https://api.xiaomimimo.com/v1/chat/completions"
    for other in (httpx, httpx2):
        for again in (read_sync, read_async):
            with use_cassette(path) as cassette:
                replayed, error = again(other, url)
                assert cassette.all_played
            # The emulator's ids and times are made steady in the file.
            assert [len(piece) for piece in replayed] == [len(piece) for piece in recorded]
            assert type(error).__name__ == type(broken).__name__
            assert str(error) == str(broken)
            if error is not None:
                assert isinstance(error, other.TransportError)
                assert error.request.url == url
    assert (broken is not None) == (fault.cut is not None and not fault.clean)


@pytest.mark.parametrize("clean", [True, False])
def test_a_broken_stream_is_an_interruption_to_the_client(clean: bool, tmp_path: Path) -> None:
    path = tmp_path / "cut.yaml"
    request = {key: value for key, value in REQUEST.items() if key != "stream"}
    errors = []
    for mode in ("all", "none", "none"):
        with FakeMiMo() as mimo, use_cassette(path, record_mode=mode):
            mimo.queue(Fault(reply=ANSWER, cut="mid_stream", clean=clean))
            with MiMoClient(base_url=mimo.base_url) as client:
                with pytest.raises(StreamInterruptedError) as caught:
                    list(client.stream(request))
                errors.append(str(caught.value))
            assert bool(mimo.requests) is (mode == "all")
    assert len(set(errors)) == 1


@libraries
def test_a_replay_is_lazy_and_can_be_closed_early(library: Any, tmp_path: Path) -> None:
    path = tmp_path / "stream.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(Fault(reply=ANSWER, cut="mid_stream"))
        read_sync(library, f"{mimo.base_url}/chat/completions")
    with use_cassette(path), library.Client() as client:
        with client.stream("POST", "https://x/chat/completions", json=REQUEST) as response:
            pieces = response.iter_raw()
            assert next(pieces) == b": PROCESSING\n\n"
            assert next(pieces).startswith(b"data: ")
        assert response.is_closed  # and the error at the end was never met


async def test_other_tasks_run_between_pieces(tmp_path: Path) -> None:
    path = tmp_path / "stream.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(ANSWER)
        async with AsyncMiMoClient(base_url=mimo.base_url) as client:
            async for _ in client.stream(REQUEST):
                pass
    seen: list[str] = []

    async def stream() -> None:
        async with AsyncMiMoClient() as client:
            async for _ in client.stream(REQUEST):
                seen.append("chunk")

    async def other() -> None:
        for _ in range(3):
            seen.append("other")
            await asyncio.sleep(0)

    with use_cassette(path):
        await asyncio.gather(stream(), other())
    assert seen.index("other") < len(seen) - seen[::-1].index("chunk") - 1
    assert seen.count("chunk") > 3

    with use_cassette(path):  # and a cancel is seen
        task = asyncio.create_task(stream())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_while_recording_pieces_arrive_as_they_come(tmp_path: Path) -> None:
    slow = Reply("abcdefgh", chunk_size=1, interval=0.05)
    with FakeMiMo() as mimo, use_cassette(tmp_path / "slow.yaml", record_mode="all"):
        mimo.queue(slow)
        started, times = time.monotonic(), []
        with MiMoClient(base_url=mimo.base_url) as client:
            for _ in client.stream(REQUEST):
                times.append(time.monotonic() - started)
    assert times[-1] - times[0] > 0.2


def test_a_stream_closed_early_ends_there_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "closed.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(Fault(reply=ANSWER, hang_after=4))
        with MiMoClient(base_url=mimo.base_url) as client:
            chunks = client.stream(REQUEST)
            first = next(chunks)
            chunks.close()
        assert mimo.wait_for_disconnect()
    with use_cassette(path), MiMoClient() as client:
        chunks = client.stream(REQUEST)
        assert next(chunks)["choices"] == first["choices"]
        chunks.close()
    with use_cassette(path), MiMoClient() as client, pytest.raises(CassetteError, match="ends"):
        list(client.stream(REQUEST))


def test_a_stream_closed_after_its_end_is_complete(tmp_path: Path) -> None:
    """The openai SDK and others stop reading at [DONE]."""
    path = tmp_path / "done.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"), httpx2.Client() as client:
        url = f"{mimo.base_url}/chat/completions"
        with client.stream("POST", url, json=REQUEST) as response:
            for line in response.iter_lines():
                if line == "data: [DONE]":
                    break
    assert "broken" not in path.read_text()


def test_lengths_that_do_not_fit_play_event_by_event(tmp_path: Path) -> None:
    """Somebody has edited the text of a cassette by hand."""
    path = tmp_path / "edited.yaml"
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(ANSWER)
        before, _ = read_sync(httpx2, f"{mimo.base_url}/chat/completions")
    path.write_text(path.read_text().replace("sentence", "phrase"))
    request = {**REQUEST, "messages": [{"role": "user", "content": "Say a phrase."}]}
    with (
        use_cassette(path),
        httpx2.Client() as client,
        client.stream("POST", "https://x/chat/completions", json=request) as response,
    ):
        pieces = list(response.iter_raw())
    assert len(pieces) == len(before)
    assert all(piece.endswith(b"\n\n") for piece in pieces)


def test_threads_share_the_answers_out(tmp_path: Path) -> None:
    path = tmp_path / "threads.yaml"
    answers = [str(number) for number in range(8)]
    body = {key: value for key, value in REQUEST.items() if key != "stream"}
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(*answers)
        with MiMoClient(base_url=mimo.base_url) as client:
            for _ in answers:
                client.chat(body)
    got: list[str] = []
    with use_cassette(path), MiMoClient() as client:

        def ask() -> None:
            got.append(str(client.chat(body)["choices"][0]["message"]["content"]))

        threads = [threading.Thread(target=ask) for _ in answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(NoRecordedAnswer, match=r"holds 8 answer.* all were given"):
            client.chat(body)
    assert sorted(got) == answers


def test_plain_answers_have_no_pieces(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    body = {key: value for key, value in REQUEST.items() if key != "stream"}
    with FakeMiMo() as mimo, use_cassette(path, record_mode="all"):
        mimo.queue(Fault(reply=ANSWER, byte_by_byte=True))
        with MiMoClient(base_url=mimo.base_url) as client:
            client.chat(body)
    held = yaml.safe_load(path.read_text())["interactions"][0]["response"]["body"]
    assert held.keys() == {"string"}


def test_a_live_stream_keeps_when_its_pieces_came(tmp_path: Path) -> None:
    """The emulator's times would differ at each recording, so they are left out."""
    path = tmp_path / "timed.yaml"
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": %s}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"

    def answer(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head)
        for piece in (event % b"null", event % b'"stop"', b"data: [DONE]\n\n"):
            time.sleep(0.05)
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    asked = {"model": "any", "messages": [{"role": "user", "content": "a"}]}
    with (
        Peer(answer) as peer,
        use_cassette(path, record_mode="all"),
        MiMoClient(KEY, base_url=f"http://127.0.0.1:{peer.port}/v1") as client,
    ):
        list(client.stream(asked))
    body = read(path)["interactions"][0]["response"]["body"]
    assert len(body["times"]) == len(body["pieces"])
    assert body["times"] == sorted(body["times"])
    assert body["times"][-1] - body["times"][0] >= 90  # milliseconds
