"""The file of a realtime job: SQLite. What is asked is noted before, what is answered at once."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from langchain_mimo.errors import MiMoInvalidRequestError
from langchain_mimo.rate_limits import Sent
from mimo_core.batches import JobStatus
from mimo_core.files import open_regular

_APPLICATION = 0x4D694D52  # "MiMR", by which it is told from a job of batches
_VERSION = 1
_TABLES = (
    # state: waiting | asked | answered | failed | stopped
    "CREATE TABLE requests (position INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'waiting', asked INTEGER NOT NULL DEFAULT 0, answer TEXT)",
    "CREATE INDEX requests_state ON requests (state, position)",
    "CREATE TABLE sent (position INTEGER NOT NULL, at REAL NOT NULL, tokens INTEGER NOT NULL)",
)
_MINUTE = 60.0


class RealtimeFile:
    """Opens a job's file, or makes it. Threads of one process may share it.

    Args:
        path: of the file.

    Raises:
        MiMoInvalidRequestError: what stands there is no such job.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._mutex = threading.RLock()
        with self._said():
            # As a job of batches: SQLite keeps ":memory:" nowhere, and the lock has one name.
            self._real = os.path.realpath(self.path)
            with suppress(FileExistsError):  # answers stand in it: for its owner's eyes
                os.close(os.open(self._real, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            open_regular(self._real).close()  # to open a pipe would wait for its writer
            self._db = sqlite3.connect(
                self._real, timeout=60, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA synchronous = FULL")  # a power cut undoes nothing
        with self._transaction():
            if self._pragma("application_id") == 0 and self._pragma("schema_version") == 0:
                for table in _TABLES:
                    self._db.execute(table)
                self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {_VERSION}")
        if (self._pragma("application_id"), self._pragma("user_version")) != (
            _APPLICATION,
            _VERSION,
        ):
            raise MiMoInvalidRequestError(
                f"{self.path} is no job of the realtime engine (of this version), so it was not "
                "touched. Give another path; each engine has files of its own.",
                param="path",
            )

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        """SQLite's errors as ours, with the path."""
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise MiMoInvalidRequestError(
                f"{self.path} cannot be used as a job's file: {said}.", param="path"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._mutex, self._said():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process works on the job meanwhile.

        Raises:
            MiMoInvalidRequestError: another one does.
        """
        with self._said():
            lock = sqlite3.connect(f"{self._real}.lock", timeout=0, isolation_level=None)
        with closing(lock):
            with self._said():
                self._lock(lock)
            yield

    def _lock(self, lock: sqlite3.Connection) -> None:
        try:
            lock.execute("BEGIN EXCLUSIVE")  # the system lets go of it with the process
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise MiMoInvalidRequestError(
                f"Another program works on {self.path} at this moment. Try again when it is done.",
                param="path",
                code="job_in_use",
            ) from error

    def _read(self, sql: str, *values: Any) -> list[Any]:
        with self._mutex, self._said():
            return self._db.execute(sql, values).fetchall()

    def add(self, digests: Sequence[str]) -> None:
        """Keep the requests; where some are kept, compare.

        Args:
            digests: of each, in their order.

        Raises:
            MiMoInvalidRequestError: others stand there.
        """
        with self._transaction() as db:
            known = [
                digest for (digest,) in self._read("SELECT digest FROM requests ORDER BY position")
            ]
            if not known:
                db.executemany(
                    "INSERT INTO requests (position, digest) VALUES (?, ?)", enumerate(digests)
                )
            elif known != list(digests):
                pairs = enumerate(zip(known, digests, strict=False))
                common = min(len(known), len(digests))
                number = next((n for n, (old, new) in pairs if old != new), common) + 1
                raise MiMoInvalidRequestError(
                    f"{self.path} was made of other requests: number {number} differs. Give "
                    "another path, or the same requests as before.",
                    param="inputs",
                )

    def waiting(self) -> list[int]:
        """The positions that have no answer, after whoever asked for them is gone."""
        with self._transaction() as db:
            db.execute("UPDATE requests SET state = 'waiting' WHERE state = 'asked'")
        found = self._read(
            "SELECT position FROM requests WHERE state = 'waiting' ORDER BY position"
        )
        return [position for (position,) in found]

    def sent_since(self, time: float) -> list[Sent]:
        """What was sent a minute before `time`, or later; what is older is forgotten."""
        with self._transaction() as db:
            db.execute("DELETE FROM sent WHERE at <= ?", (time - _MINUTE,))
        found = self._read("SELECT at, tokens FROM sent WHERE at <= ? ORDER BY at", time)
        return [
            Sent(*row) for row in found
        ]  # a clock that was set back sends nothing to the future

    def note_asked(self, position: int, at: float, tokens: int) -> None:
        """Commit that a request is about to be sent."""
        with self._transaction() as db:
            db.execute(
                "UPDATE requests SET state = 'asked', asked = asked + 1 WHERE position = ?",
                (position,),
            )
            db.execute("INSERT INTO sent VALUES (?, ?, ?)", (position, at, tokens))

    def note_answer(self, position: int, state: str, answer: str, tokens: int | None) -> None:
        """Commit what came back: the death of this process does not undo it.

        Args:
            position: of the request.
            state: `answered` or `failed`; `waiting` where it says nothing about the request.
            answer: JSON.
            tokens: that it cost; None where nobody said.
        """
        with self._transaction() as db:
            db.execute(
                "UPDATE requests SET state = ?, answer = ? WHERE position = ?",
                (state, None if state == "waiting" else answer, position),
            )
            if tokens is not None:
                db.execute("UPDATE sent SET tokens = ? WHERE position = ?", (tokens, position))

    def stop(self) -> None:
        """What waits is not going to be sent."""
        with self._transaction() as db:
            db.execute("UPDATE requests SET state = 'stopped' WHERE state IN ('waiting', 'asked')")

    def again(self, positions: Iterable[int] | None) -> int:
        """Let requests wait anew. Returns their number."""
        with self._transaction() as db:
            change = "UPDATE requests SET state = 'waiting', answer = NULL WHERE "
            if positions is None:
                return db.execute(f"{change} state IN ('failed', 'stopped')").rowcount
            where = "position = ? AND state NOT IN ('waiting', 'asked')"
            return sum(db.execute(change + where, (int(one),)).rowcount for one in positions)

    def status(self) -> JobStatus:
        """How many are in which state."""
        counts = dict(self._read("SELECT state, count(*) FROM requests GROUP BY state"))
        return JobStatus(
            total=sum(counts.values()),
            waiting=counts.get("waiting", 0),
            sent=counts.get("asked", 0),
            answered=counts.get("answered", 0),
            failed=counts.get("failed", 0),
            unanswered=counts.get("stopped", 0),
            lost=0,
        )

    def asked_again(self) -> int:
        """How many requests were sent more than once."""
        return int(self._read("SELECT count(*) FROM requests WHERE asked > 1")[0][0])

    def answers(self) -> Iterator[tuple[int, str, str | None]]:
        """Position, state and answer of what has ended, one in memory at a time."""
        ended = self._read(
            "SELECT position FROM requests WHERE state IN ('answered', 'failed', 'stopped')"
            " ORDER BY position"
        )
        for (position,) in ended:
            yield from self._read(
                "SELECT position, state, answer FROM requests WHERE position = ?", position
            )
