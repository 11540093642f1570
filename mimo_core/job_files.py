"""The file of a job: an SQLite database that is made, recognised and locked. What stands in it is
its subclasses' (`mimo_core.batches`, and hosts with jobs of another kind)."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, ClassVar

from mimo_core.errors import InvalidRequestError
from mimo_core.files import open_regular


class JobFile:
    """Opens a job's file, or makes it. Threads of one process may share it.

    A subclass sets the class attributes.

    Attributes:
        path: of the file, as it was given.
        application: by which files of this kind are told from others (`PRAGMA application_id`).
        version: of the tables.
        tables: statements that make them.
        error: what is raised.
        no_job: what is said of a file of another kind, after its path.
        other_version: what is said of a file of another version, after its path.
    """

    application: ClassVar[int]
    version: ClassVar[int]
    tables: ClassVar[tuple[str, ...]]
    error: ClassVar[type[InvalidRequestError]] = InvalidRequestError
    no_job: ClassVar[str]
    other_version: ClassVar[str]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """
        Args:
            path: of the file. It is made for its owner's eyes alone: prompts stand in it.

        Raises:
            InvalidRequestError: what stands there is no such job, or cannot be used.
        """
        self.path = os.fspath(path)
        self._mutex = threading.RLock()
        with self._said(self.path):
            # SQLite keeps ":memory:" nowhere. And the lock has one name, whatever link or folder
            # the file is opened by.
            self._real = os.path.realpath(self.path)
            with suppress(FileExistsError):
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
        if self._is_empty():
            with self.transaction():
                if self._is_empty():  # nobody was faster
                    self._make()
        if self._pragma("application_id") != self.application:
            raise self.error(f"{self.path} {self.no_job}", param="path")
        if self._pragma("user_version") != self.version:
            raise self.error(f"{self.path} {self.other_version}", param="path")

    def _is_empty(self) -> bool:
        return self._pragma("application_id") == 0 and self._pragma("schema_version") == 0

    def _make(self) -> None:
        """Make the tables; a subclass may add what stands in them from the beginning."""
        for table in self.tables:
            self._db.execute(table)
        self._db.execute(f"PRAGMA application_id = {self.application}")
        self._db.execute(f"PRAGMA user_version = {self.version}")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _problem(self, error: sqlite3.DatabaseError | OSError) -> str:
        """What is said of SQLite's or the system's error, after the path."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _said(self, path: str) -> Iterator[None]:
        """SQLite's errors as ours, with the path."""
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            raise self.error(f"{path} {self._problem(error)}", param="path") from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done in it is committed at its end, or nothing.

        Raises:
            InvalidRequestError: the file cannot be written.
        """
        with self._mutex, self._said(self.path):
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
            InvalidRequestError: another one does (code `job_in_use`).
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
            raise self.error(
                f"Another program works on {self.path} at this moment. Try again when it is done.",
                param="path",
                code="job_in_use",
            ) from error

    def read(self, sql: str, *values: Any) -> list[Any]:
        """The rows of a question that has few.

        Args:
            sql: the question.
            values: of its placeholders.

        Raises:
            InvalidRequestError: the file cannot be read.
        """
        with self._mutex, self._said(self.path):
            return self._db.execute(sql, values).fetchall()
