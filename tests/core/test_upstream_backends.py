"""On the day when httpcore2 has a backend of its own that is as good as ours, ours is deleted.

The checks are the programs of docs/upstream/httpcore2, as upstream gets them.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpcore2
import pytest

from mimo_core._http.network.asyncio_backend import AsyncioBackend

FOLDER = Path(__file__).parents[2] / "docs" / "upstream" / "httpcore2"
CHECKS = ["blocked_loop", "ipv6_uvloop", "lost_slots", "tls_write_timeout"]
# ruff: noqa: ASYNC109  # httpcore2's signatures have a timeout
NOT_NATIVE = {"AsyncNetworkBackend", "AnyIOBackend", "AsyncMockBackend"}  # of httpcore2 2.16


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModuleType]]:
    pytest.importorskip("uvloop")
    monkeypatch.syspath_prepend(FOLDER)
    yield [importlib.import_module(name) for name in CHECKS]
    for name in ("common", *CHECKS):
        sys.modules.pop(name, None)


def problems(backend: Any, checks: list[ModuleType]) -> dict[str, str]:
    """What is wrong with a backend, by the program that found it."""
    found = {check.__name__: check.problem(backend) for check in checks}
    return {name: problem for name, problem in found.items() if problem}


def as_good_as_ours(package: Any, checks: list[ModuleType]) -> list[str]:
    """The native asyncio backends that a package exports and that pass all checks."""
    return [
        name
        for name, kind in vars(package).items()
        if isinstance(kind, type)
        and issubclass(kind, httpcore2.AsyncNetworkBackend)
        and name not in NOT_NATIVE
        and not problems(kind, checks)
    ]


class StreamsBackend(httpcore2.AsyncNetworkBackend):
    """What one writes first: asyncio's streams, and their own TLS."""

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        try:
            return _Stream(*await asyncio.open_connection(host, port))
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> Any:
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._reader.at_eof() if info == "is_readable" else None


def test_httpcore2_has_none_yet(checks: list[ModuleType]) -> None:
    """When this fails: delete mimo_core/_http/network/asyncio_*.py, and use what it names."""
    assert as_good_as_ours(httpcore2, checks) == []


@pytest.mark.slow
def test_ours_passes_and_would_be_noticed(checks: list[ModuleType]) -> None:
    assert as_good_as_ours(SimpleNamespace(AsyncioBackend=AsyncioBackend), checks) == [
        "AsyncioBackend"
    ]


@pytest.mark.slow
def test_a_backend_that_fails_is_none(checks: list[ModuleType]) -> None:
    two = [check for check in checks if check.__name__ in ("blocked_loop", "tls_write_timeout")]
    with contextlib.redirect_stderr(None):
        assert problems(StreamsBackend, two).keys() == {"blocked_loop", "tls_write_timeout"}
