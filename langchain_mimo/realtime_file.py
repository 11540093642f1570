"""The file of a realtime job: SQLite. What is asked is noted before, what is answered at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from langchain_mimo.errors import MiMoInvalidRequestError
from langchain_mimo.rate_limits import Sent
from mimo_core.batches import JobStatus
from mimo_core.job_files import JobFile

_TABLES = (
    # state: waiting | asked | answered | failed | stopped
    "CREATE TABLE requests (position INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'waiting', asked INTEGER NOT NULL DEFAULT 0, answer TEXT)",
    "CREATE INDEX requests_state ON requests (state, position)",
    "CREATE TABLE sent (position INTEGER NOT NULL, at REAL NOT NULL, tokens INTEGER NOT NULL)",
)
_MINUTE = 60.0


class RealtimeFile(JobFile):
    """The file of a realtime job."""

    application = 0x4D694D52  # "MiMR", by which it is told from a job of batches
    version = 1
    tables = _TABLES
    error = MiMoInvalidRequestError
    no_job = other_version = (
        "is no job of the realtime engine (of this version), so it was not touched. Give another "
        "path; each engine has files of its own."
    )

    def _problem(self, error: sqlite3.DatabaseError | OSError) -> str:
        said = error.strerror if isinstance(error, OSError) else error
        return f"cannot be used as a job's file: {said}."

    def add(self, digests: Sequence[str]) -> None:
        """Keep the requests; where some are kept, compare.

        Args:
            digests: of each, in their order.

        Raises:
            MiMoInvalidRequestError: others stand there.
        """
        with self.transaction() as db:
            known = [
                digest for (digest,) in self.read("SELECT digest FROM requests ORDER BY position")
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
        with self.transaction() as db:
            db.execute("UPDATE requests SET state = 'waiting' WHERE state = 'asked'")
        found = self.read("SELECT position FROM requests WHERE state = 'waiting' ORDER BY position")
        return [position for (position,) in found]

    def sent_since(self, time: float) -> list[Sent]:
        """What was sent a minute before `time`, or later; what is older is forgotten."""
        with self.transaction() as db:
            db.execute("DELETE FROM sent WHERE at <= ?", (time - _MINUTE,))
        # A clock that was set back sends nothing to the future.
        found = self.read("SELECT at, tokens FROM sent WHERE at <= ? ORDER BY at", time)
        return [Sent(*row) for row in found]

    def note_asked(self, position: int, at: float, tokens: int) -> None:
        """Commit that a request is about to be sent."""
        with self.transaction() as db:
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
        with self.transaction() as db:
            db.execute(
                "UPDATE requests SET state = ?, answer = ? WHERE position = ?",
                (state, None if state == "waiting" else answer, position),
            )
            if tokens is not None:
                db.execute("UPDATE sent SET tokens = ? WHERE position = ?", (tokens, position))

    def stop(self) -> None:
        """What waits is not going to be sent."""
        with self.transaction() as db:
            db.execute("UPDATE requests SET state = 'stopped' WHERE state IN ('waiting', 'asked')")

    def again(self, positions: Iterable[int] | None) -> int:
        """Let requests wait anew. Returns their number."""
        with self.transaction() as db:
            change = "UPDATE requests SET state = 'waiting', answer = NULL WHERE "
            if positions is None:
                return db.execute(f"{change} state IN ('failed', 'stopped')").rowcount
            where = "position = ? AND state NOT IN ('waiting', 'asked')"
            return sum(db.execute(change + where, (int(one),)).rowcount for one in positions)

    def status(self) -> JobStatus:
        """How many are in which state."""
        counts = dict(self.read("SELECT state, count(*) FROM requests GROUP BY state"))
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
        return int(self.read("SELECT count(*) FROM requests WHERE asked > 1")[0][0])

    def answers(self) -> Iterator[tuple[int, str, str | None]]:
        """Position, state and answer of what has ended, one in memory at a time."""
        ended = self.read(
            "SELECT position FROM requests WHERE state IN ('answered', 'failed', 'stopped')"
            " ORDER BY position"
        )
        for (position,) in ended:
            yield from self.read(
                "SELECT position, state, answer FROM requests WHERE position = ?", position
            )
