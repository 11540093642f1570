"""A user's file is replaced whole, or stays as it was."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from mimo_core.files import open_regular, replacing


def test_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new.wav"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["new.wav"]


def test_an_old_one_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def fail_half_way() -> None:
        with replacing(path) as file:
            file.write(b"ne")
            raise error("cut")

    with pytest.raises(error):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.wav"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_what_is_not_a_file_is_written_directly() -> None:
    with replacing("/dev/null") as file:
        file.write(b"x")
    assert not os.path.isfile("/dev/null")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "none" / "a.wav"):
        pass


class TestWhatIsRead:
    def test_a_file_and_a_link_to_it(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"content")
        (tmp_path / "link").symlink_to("a")
        for name in ("a", "link"):
            with open_regular(tmp_path / name) as file:
                assert os.fstat(file.fileno()).st_size == 7
                assert file.read() == b"content"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are Unix's")
    def test_nothing_else_is_opened(self, tmp_path: Path) -> None:
        """Opening the pipe would wait for a writer; here it returns at once."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("pipe")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "socket"))
            for path in (tmp_path / "pipe", tmp_path / "link", tmp_path / "socket", "/dev/zero"):
                with pytest.raises(OSError, match="Not a regular file"):
                    open_regular(path)
        with pytest.raises(IsADirectoryError):
            open_regular(tmp_path)

    def test_a_pipe_that_takes_the_files_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the look at the file and its opening."""
        (tmp_path / "a").write_bytes(b"content")
        os.mkfifo(tmp_path / "pipe")
        seen = os.stat(tmp_path / "a")
        monkeypatch.setattr("mimo_core.files.os.stat", lambda path: seen)
        with pytest.raises(OSError, match="Not a regular file"):
            open_regular(tmp_path / "pipe")

    @pytest.mark.parametrize("path", ["a\0b", "\ud800", "missing", "x" * 5000])
    def test_what_can_be_no_name(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(OSError) as caught:
            open_regular(tmp_path / path)
        assert caught.value.strerror
