"""The file of a job: SQLite, made, recognised, locked. What stands in it is `_store`'s."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from mimo_core.errors import InvalidRequestError
from mimo_core.files import open_regular

_SAID = {
    sqlite3.SQLITE_NOTADB: "is no job of batches",
    sqlite3.SQLITE_CORRUPT: "is damaged; take a copy of it from before, if there is one",
}
_APPLICATION = 0x4D694D6F  # "MiMo", by which SQLite files are told apart
_VERSION = 1
_TABLES = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # state: waiting | sent | answered | failed | unanswered | lost
    "CREATE TABLE requests (position INTEGER PRIMARY KEY, model TEXT NOT NULL, body BLOB NOT NULL,"
    " digest TEXT NOT NULL, note TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',"
    " attempt INTEGER NOT NULL DEFAULT 1, part INTEGER, answer BLOB, said TEXT)",
    "CREATE INDEX requests_part ON requests (part, position)",
    "CREATE INDEX requests_state ON requests (state, model, position)",
    # state: planned | uploaded | creating | created | fetched
    "CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, lines INTEGER NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'planned', file_id TEXT, batch_id TEXT, status TEXT,"
    " completed INTEGER, failed INTEGER, output_file_id TEXT, error_file_id TEXT,"
    " created_at REAL, unknown INTEGER NOT NULL DEFAULT 0)",
)


class JobFile:
    """Opens a job's file, or makes it.

    Args:
        path: of the file.
        address: the base URL of the batches; a job belongs to one.

    Raises:
        InvalidRequestError: what stands there is no job, or one of another address.
    """

    def __init__(self, path: str | os.PathLike[str], address: str) -> None:
        self.path = os.fspath(path)
        self._mutex = threading.RLock()
        with self._said():
            # SQLite keeps ":memory:" nowhere. And the lock has one name, whatever link or folder
            # the file is opened by.
            self._real = os.path.realpath(self.path)
            with suppress(FileExistsError):  # prompts stand in it: for its owner's eyes
                os.close(os.open(self._real, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            open_regular(self._real).close()  # to open a pipe would wait for its writer
            self._db = sqlite3.connect(
                self._real, timeout=60, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(address)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, address: str) -> None:
        self._db.execute("PRAGMA synchronous = FULL")  # a power cut undoes nothing
        if self._pragma("application_id") == 0 and self._pragma("schema_version") == 0:
            with self.transaction():
                if self._pragma("schema_version") == 0:  # nobody was faster
                    self._make(address)
        if self._pragma("application_id") != _APPLICATION:
            raise InvalidRequestError(
                f"{self.path} is no job of batches, so it was not touched. Give another path.",
                param="path",
            )
        if self._pragma("user_version") != _VERSION:
            raise InvalidRequestError(
                f"{self.path} was made by another version of mimo-core. Update it, or go on with "
                "the version that made it.",
                param="path",
            )
        if self.fact("address") != address and not self._move(address):
            raise InvalidRequestError(
                f"{self.path} belongs to {self.fact('address')}, not to {address}. Set "
                "batch_base_url to the former, or give another path.",
                param="batch_base_url",
            )

    def _move(self, address: str) -> bool:
        """Whether the job belongs to another address now: as long as no batch was asked for."""
        with self.transaction() as db:
            asked = "SELECT 1 FROM parts WHERE state NOT IN ('planned', 'uploaded')"
            if db.execute(asked).fetchone():
                return False
            db.execute("UPDATE parts SET state = 'planned', file_id = NULL")
            db.execute("UPDATE facts SET value = ? WHERE name = 'address'", (address,))
        return True

    def _make(self, address: str) -> None:
        for table in _TABLES:
            self._db.execute(table)
        self._db.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {_VERSION}")
        facts = {"address": address, "id": secrets.token_hex(6), "meta": "{}"}
        self._db.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _said(self, path: str | None = None) -> Iterator[None]:
        """SQLite's errors as ours, with the path."""
        path = path or self.path
        try:
            yield
        except sqlite3.DatabaseError as error:
            said = _SAID.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "cannot be used")
            raise InvalidRequestError(f"{path} {said}: {error}.", param="path") from error
        except OSError as error:
            raise InvalidRequestError(
                f"{path} cannot be used: {error.strerror}.", param="path"
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it, or nothing."""
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
        """No other process works on the job meanwhile; one that reads may.

        Raises:
            InvalidRequestError: another one does.
        """
        path = f"{self._real}.lock"
        with self._said(path):
            lock = sqlite3.connect(path, timeout=0, isolation_level=None)
        with closing(lock):
            with self._said(path):
                self._lock(lock)
            yield

    def _lock(self, lock: sqlite3.Connection) -> None:
        try:
            lock.execute("BEGIN EXCLUSIVE")  # the system lets go of it with the process
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise InvalidRequestError(
                f"Another program works on {self.path} at this moment. Try again when it is done.",
                param="path",
                code="job_in_use",
            ) from error

    def read(self, sql: str, *values: Any) -> list[Any]:
        """The rows of a question that has few."""
        with self._mutex, self._said():
            return self._db.execute(sql, values).fetchall()

    def fact(self, name: str) -> str:
        """What is known of the whole job."""
        return str(self.read("SELECT value FROM facts WHERE name = ?", name)[0][0])
