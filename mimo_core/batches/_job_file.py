"""The file of a job of batches: its tables, and the address that it belongs to."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from mimo_core.errors import InvalidRequestError
from mimo_core.job_files import JobFile

_SAID = {
    sqlite3.SQLITE_NOTADB: "is no job of batches",
    sqlite3.SQLITE_CORRUPT: "is damaged; take a copy of it from before, if there is one",
}
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


class BatchJobFile(JobFile):
    """The file of a job of batches. What stands in its tables is `_store`'s."""

    application = 0x4D694D6F  # "MiMo"
    version = 1
    tables = _TABLES
    no_job = "is no job of batches, so it was not touched. Give another path."
    other_version = (
        "was made by another version of mimo-core. Update it, or go on with the version that made "
        "it."
    )

    def __init__(self, path: str | os.PathLike[str], address: str) -> None:
        """
        Args:
            path: as for `JobFile`.
            address: the base URL of the batches; a job belongs to one.

        Raises:
            InvalidRequestError: as `JobFile` says, or the job belongs to another address.
        """
        self._address = address
        super().__init__(path)

    def _prepare(self) -> None:
        super()._prepare()
        if self.fact("address") != self._address and not self._move(self._address):
            raise InvalidRequestError(
                f"{self.path} belongs to {self.fact('address')}, not to {self._address}. Set "
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

    def _make(self) -> None:
        super()._make()
        facts = {"address": self._address, "id": secrets.token_hex(6), "meta": "{}"}
        self._db.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())

    def _problem(self, error: sqlite3.DatabaseError | OSError) -> str:
        if isinstance(error, OSError):
            return f"cannot be used: {error.strerror}."
        said = _SAID.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "cannot be used")
        return f"{said}: {error}."

    def fact(self, name: str) -> str:
        """What is known of the whole job."""
        return str(self.read("SELECT value FROM facts WHERE name = ?", name)[0][0])


def address_in(path: str | os.PathLike[str]) -> str | None:
    """The address that a job's file names; None where there is no such job. Nothing is changed."""
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as db:
            row = db.execute("SELECT value FROM facts WHERE name = 'address'").fetchone()
    except sqlite3.Error:
        return None
    return row and str(row[0])
