"""Connections of our own, made when first used: one pool for each process or event loop, and for
each set of what decides how they are made (`PoolSettings`, and the environment).

Everybody with the same settings shares a pool. It is closed when its last user has gone: at once by
`close()`, a moment later where they were only dropped, for many programs make a model anew for
every call.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from _thread import start_new_thread
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from mimo_core._http.own_client import (
    PoolSettings,
    environment,
    is_ready,
    make_ready,
    new_client,
)
from mimo_core.errors import InvalidRequestError
from mimo_core.threads import in_thread

LINGER = 2.0  # seconds that a pool outlives the last user who did not close it
_EARLY = 0.1  # seconds by which a timer may end too soon
_DEFAULT = PoolSettings()


class Pool:
    """An HTTP client of ours, and who uses it."""

    __slots__ = ("__weakref__", "client", "hold", "is_open", "pid", "unused_since", "users")

    def __init__(self, client: Any) -> None:
        self.client = client
        self.users: set[int] = set()  # by id: changing a set is safe while garbage is collected
        self.is_open = True
        self.pid = os.getpid()
        self.unused_since: float | None = None
        self.hold: AsyncGenerator[None, None] | None = None

    def leave(self, user: object) -> bool:
        """Take a user away. Returns whether that was the last one."""
        self.users.discard(id(user))
        if not self.users:
            self.unused_since = time.monotonic()
        return not self.users

    def is_due(self) -> bool:
        """Whether nobody has used it for long enough."""
        since = self.unused_since
        return not self.users and since is not None and time.monotonic() - since >= LINGER - _EARLY


_lock = threading.RLock()  # held while a synchronous pool gets or loses a user
_pools: dict[Any, Pool] = {}
_inherited: list[Pool] = []  # a parent process's: its connections are to be left alone
_is_reaping = False  # whether a thread looks for synchronous pools that nobody uses
_async_pools: dict[tuple[asyncio.AbstractEventLoop, Any], Pool] = {}


def _begin_anew() -> None:
    """In a forked child: no thread but this one is left, and the connections are its parent's."""
    global _lock, _pools, _is_reaping
    _lock = threading.RLock()
    _inherited.extend(_pools.values())
    _pools, _is_reaping = {}, False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class SyncClients:
    """The `httpx2.Client` to use now: one for each process, safe to share between threads.

    Args:
        settings: what decides which pool it is.
    """

    def __init__(self, settings: PoolSettings = _DEFAULT) -> None:
        self._settings = settings
        self._pool: Pool | None = None

    def get(self) -> Any:
        pool = self._pool
        if pool is None or not pool.is_open or pool.pid != os.getpid():
            pool = self._join()
        return pool.client

    def _join(self) -> Pool:
        key = self._settings, environment(self._settings)
        with _lock:
            pool = self._pool
            if pool is not None and pool.is_open and pool.pid == os.getpid():
                return pool  # another thread was first
            pool = _pools.get(key)
            if pool is None or not pool.is_open:
                pool = _pools[key] = Pool(new_client("Client", self._settings))
            pool.users.add(id(self))
            self._pool = pool
            return pool

    def close(self) -> None:
        """Close the connections, unless somebody else uses them too."""
        with _lock:
            pool, self._pool = self._pool, None
            # A forked child leaves its parent's connections alone.
            is_last = pool is not None and pool.pid == os.getpid() and pool.leave(self)
        if is_last and pool is not None:
            _close([pool])

    def __del__(self, suppress: Any = suppress) -> None:
        # Garbage is collected anywhere, also while another thread holds a lock that this one waits
        # for: nothing here takes one.
        with suppress(Exception):  # at the interpreter's end, parts of it are gone
            pool = self._pool
            if pool is not None and pool.pid == os.getpid() and pool.leave(self) and pool.is_open:
                _reap_later()

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # A copy, or a worker that gets it pickled, uses the pool of its own process.
        return partial(type(self), self._settings), ()


def _close(pools: list[Pool]) -> None:
    """Close synchronous pools, but for those that somebody has come to use since."""
    for pool in pools:
        with _lock:
            if pool.users or not pool.is_open:
                continue
            pool.is_open = False
            for key in [key for key, one in _pools.items() if one is pool]:
                del _pools[key]
        pool.client.close()


def _reap_later() -> None:
    global _is_reaping
    if not _is_reaping:
        _is_reaping = True
        try:
            start_new_thread(_reap, ())  # not `threading.Thread`, whose start takes a lock
        except RuntimeError:  # there are too many: the next one that is dropped tries again
            _is_reaping = False


def _reap() -> None:
    """Close the pools that nobody uses, until there is none."""
    global _is_reaping
    while True:
        time.sleep(LINGER)
        for due in [pool for pool in list(_pools.values()) if pool.is_due()]:
            with suppress(Exception):  # its connections are given up; there is nobody to tell
                _close([due])
        _is_reaping = False
        if all(pool.users for pool in list(_pools.values())) or _is_reaping:
            return  # or another thread has begun since
        _is_reaping = True


@atexit.register
def _close_all() -> None:
    for pool in list(_pools.values()):
        pool.users.clear()
    _close(list(_pools.values()))


class AsyncClients:
    """The `httpx2.AsyncClient` to use now: one for each event loop, closed when its loop ends.

    Args:
        settings: as for `SyncClients`.
    """

    def __init__(self, settings: PoolSettings = _DEFAULT) -> None:
        self._settings = settings
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()

    async def get(self) -> Any:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise InvalidRequestError(
                "AsyncMiMoClient runs on asyncio and uvloop; elsewhere (trio) use MiMoClient in a "
                "thread, or give http_client=httpx2.AsyncClient()."
            ) from error
        pool = self._pools.get(loop)
        if pool is None or not pool.is_open:
            if not is_ready(self._settings):
                await in_thread(partial(make_ready, self._settings))
            pool = await self._join(loop)
        return pool.client

    async def _join(self, loop: asyncio.AbstractEventLoop) -> Pool:
        for (other, _), left in list(_async_pools.items()):
            if other.is_closed():  # by hand, without shutting its generators down
                _forget(left)
        for other, left in list(self._pools.items()):
            if not left.is_open:
                del self._pools[other]  # a pool's connections would keep its loop alive
        key = loop, (self._settings, environment(self._settings))
        pool = _async_pools.get(key)
        hold = None
        # No await until it is stored: two tasks cannot both make one.
        if pool is None or not pool.is_open:
            pool = _async_pools[key] = Pool(new_client("AsyncClient", self._settings))
            hold = pool.hold = _hold(pool)
        pool.users.add(id(self))
        self._pools[loop] = pool
        if hold is not None:
            await anext(hold)  # from now on the loop knows it
        return pool

    async def aclose(self) -> None:
        """Close the running loop's connections, unless somebody else uses them too; those of other
        loops close with their loops."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None and pool.leave(self) and pool.hold is not None:
            await pool.hold.aclose()

    def __del__(self, suppress: Any = suppress) -> None:
        with suppress(Exception):  # as SyncClients
            for loop, pool in list(self._pools.items()):
                if not pool.leave(self) or not pool.is_open:
                    continue
                if loop.is_running():
                    loop.call_soon_threadsafe(loop.call_later, LINGER, _close_unused, pool)
                else:
                    _forget(pool)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return partial(type(self), self._settings), ()  # as SyncClients


def _close_unused(pool: Pool) -> None:
    """In the pool's loop: close it, unless somebody has come to use it since."""
    if pool.is_due():
        _forget(pool)


def _forget(pool: Pool) -> None:
    """Let go of an asynchronous pool. A loop that runs closes it, before its sockets are found by
    the garbage collector: that is what happens to a generator which nobody holds."""
    pool.is_open = False
    for key in [key for key, one in list(_async_pools.items()) if one is pool]:
        _async_pools.pop(key, None)
    pool.hold = None


async def _hold(pool: Pool) -> AsyncGenerator[None, None]:
    """Keeps a pool until its loop shuts its generators down, as `asyncio.run` does."""
    try:
        yield
    finally:
        _forget(pool)
        await pool.client.aclose()
