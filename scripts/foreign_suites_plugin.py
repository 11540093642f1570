"""Loaded into a foreign suite (`pytest -p`): httpcore2 connects with our network backends.

Under trio, and where a test gives a backend of its own, nothing changes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

import httpcore2
from httpcore2._backends.auto import AutoBackend

from mimo_core._http.network.asyncio_backend import AsyncioBackend, serves
from mimo_core._http.network.socket_backend import SocketBackend

_made = {"async": 0, "sync": 0}  # connections, so that a report can say that ours were used


class _Auto(AutoBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            ours = serves(asyncio.get_running_loop())
        except RuntimeError:  # trio's loop is not asyncio's
            ours = False
        connect = AsyncioBackend().connect_tcp if ours else super().connect_tcp
        _made["async"] += ours
        return await connect(host, port, timeout, local_address, socket_options)


class _Sync(SocketBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore2.NetworkStream:
        _made["sync"] += 1
        return super().connect_tcp(*args, **kwargs)


def pytest_configure() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(("httpcore2._async.", "httpcore2._sync.")):
            for attribute, ours in (("AutoBackend", _Auto), ("SyncBackend", _Sync)):
                if hasattr(module, attribute):
                    setattr(module, attribute, ours)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"ours connected {_made['async']} async, {_made['sync']} sync")
