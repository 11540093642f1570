"""What a job's file holds: every step is committed before the request that it announces."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mimo_core.batches._job_file import BatchJobFile
from mimo_core.batches._records import Batch
from mimo_core.batches._rows import Part, Row, custom_id_of, kept, line_size, numbers_of, packed
from mimo_core.errors import InvalidRequestError
from mimo_core.gateways import Endpoint

_ROWS = 500
_PIECE = 64 * 1024


class Store(BatchJobFile):
    """The requests of a job and the parts in which they are sent."""

    # ------------------------------------------------------------------ requests

    def add(
        self,
        requests: Iterable[tuple[Mapping[str, Any], str]],
        meta: Mapping[str, Any],
        endpoint: Endpoint,
    ) -> None:
        """Keep the requests, all or none; where they are kept already, compare.

        Args:
            requests: each with its note.
            meta: what the caller wants to know again.
            endpoint: of the server that will answer.

        Raises:
            InvalidRequestError: one cannot be sent, or others stand there.
        """
        with self.transaction() as db:
            if self.count():
                self._compare(requests, endpoint)
                return
            db.executemany(
                "INSERT INTO requests (position, model, body, digest, note) VALUES (?, ?, ?, ?, ?)",
                kept(requests, endpoint),
            )
            if not self.count():
                raise InvalidRequestError("There is no request to send.", param="requests")
            db.execute("UPDATE facts SET value = ? WHERE name = 'meta'", (json.dumps(dict(meta)),))

    def _compare(
        self, requests: Iterable[tuple[Mapping[str, Any], str]], endpoint: Endpoint
    ) -> None:
        known = (row.digest for row in self.rows())
        count = 0
        for position, _, _, digest, _ in kept(requests, endpoint):
            if next(known, None) != digest:
                raise InvalidRequestError(
                    f"{self.path} was made of other requests: number {position + 1} differs. Give "
                    "another path, or the same requests as before.",
                    param="requests",
                )
            count += 1
        if count != self.count():
            raise InvalidRequestError(
                f"{self.path} was made of {self.count():,} requests, and these are {count:,}. "
                "Give another path, or the same requests as before.",
                param="requests",
            )

    def count(self) -> int:
        """The number of requests."""
        return int(self.read("SELECT count(*) FROM requests")[0][0])

    def counts(self) -> dict[str, int]:
        """The number of requests in each state."""
        return dict(self.read("SELECT state, count(*) FROM requests GROUP BY state"))

    def rows(self, where: str = "1", *values: Any) -> Iterator[Row]:
        """The requests in their order, one in memory at a time; nobody waits for a slow reader.

        Args:
            where: a condition in SQL.
            values: of its placeholders.
        """
        last = -1
        while found := self.read(
            f"SELECT position FROM requests WHERE position > ? AND {where}"
            f" ORDER BY position LIMIT {_ROWS}",
            last,
            *values,
        ):
            for (last,) in found:
                yield Row._make(self.read("SELECT * FROM requests WHERE position = ?", last)[0])

    def request_of(self, row: Row) -> Any:
        """What a row asks. Raises `InvalidRequestError` where the file was damaged there."""
        try:
            return json.loads(row.body)
        except ValueError as error:
            raise InvalidRequestError(
                f"{self.path} is damaged: request {row.position + 1} cannot be read. Take a copy "
                "of it from before, if there is one.",
                param="path",
            ) from error

    def again(self, where: str, values: Iterable[tuple[Any, ...]] = ((),)) -> int:
        """Let requests wait anew, as a further attempt.

        Args:
            where: a condition in SQL.
            values: of its placeholders; it holds for each of them.

        Returns:
            How many wait now.
        """
        change = (
            "UPDATE requests SET state = 'waiting', attempt = attempt + 1, part = NULL,"
            f" answer = NULL, said = NULL WHERE {where}"
        )
        with self.transaction() as db:
            return sum(db.execute(change, one).rowcount for one in values)

    def give_up_waiting(self, said: str) -> None:
        """What was never sent is not going to be."""
        with self.transaction() as db:
            db.execute(
                "UPDATE requests SET state = 'unanswered', said = ?, part = NULL"
                " WHERE state = 'waiting'",
                (said,),
            )
            db.execute("DELETE FROM parts WHERE state IN ('planned', 'uploaded')")

    # ------------------------------------------------------------------ parts

    def plan(self) -> None:
        """Put what waits into parts: of one model each, and no larger than a batch may be."""
        with self.transaction() as db:
            waiting = db.execute(
                "SELECT position, attempt, model, length(body) FROM requests"
                " WHERE state = 'waiting' AND part IS NULL ORDER BY model, position"
            ).fetchall()
            for positions in packed(waiting):
                id = db.execute(
                    "INSERT INTO parts (name, lines) VALUES ('', ?)", (len(positions),)
                ).lastrowid
                db.execute(
                    "UPDATE parts SET name = ? WHERE id = ?",
                    (f"mimo-job-{self.fact('id')}-{id}.jsonl", id),
                )
                db.executemany(
                    "UPDATE requests SET part = ? WHERE position = ?",
                    ((id, position) for position in positions),
                )

    def parts(self, where: str = "1") -> list[Part]:
        """The parts, in the order in which they were planned."""
        return [
            Part._make(row) for row in self.read(f"SELECT * FROM parts WHERE {where} ORDER BY id")
        ]

    def note(self, part: Part, **values: Any) -> Part:
        """Commit what is new of a part."""
        names = ", ".join(f"{name} = ?" for name in values)
        with self.transaction() as db:
            db.execute(f"UPDATE parts SET {names} WHERE id = ?", (*values.values(), part.id))
            if values.get("state") == "created":
                db.execute("UPDATE requests SET state = 'sent' WHERE part = ?", (part.id,))
        return part._replace(**values)

    def note_batch(self, part: Part, batch: Batch) -> Part:
        """Commit what the service says of a part's batch."""
        return self.note(
            part,
            status=batch.status,
            completed=batch.completed,
            failed=batch.failed,
            output_file_id=batch.output_file_id,
            error_file_id=batch.error_file_id,
        )

    def source(self, part: Part) -> PartSource:
        """The lines of a part, to be uploaded."""
        return PartSource(self, part)

    def keep_lines(self, part: Part, lines: Iterable[tuple[str, bytes, bool]]) -> int:
        """Commit the results that are there.

        Args:
            part: that has ended.
            lines: each result's `custom_id`, its line, and whether it is an answer.

        Returns:
            How many requests of the part have a result now.
        """
        unknown = 0
        with self.transaction() as db:
            for custom_id, line, is_answer in lines:
                unknown += not self._keep(db, part, custom_id, line, is_answer)
            db.execute("UPDATE parts SET unknown = ? WHERE id = ?", (unknown, part.id))
            return int(
                db.execute(
                    "SELECT count(*) FROM requests WHERE part = ?"
                    " AND state IN ('answered', 'failed')",
                    (part.id,),
                ).fetchone()[0]
            )

    def no_more(self, part: Part, state: str, said: str) -> None:
        """Commit that a part's results are fetched, and what became of requests without one.

        Args:
            part: that has ended.
            state: of what has no result.
            said: why.
        """
        with self.transaction() as db:
            db.execute(
                "UPDATE requests SET state = ?, said = ? WHERE part = ? AND state = 'sent'",
                (state, said, part.id),
            )
            db.execute("UPDATE parts SET state = 'fetched' WHERE id = ?", (part.id,))

    def give_up(self, part: Part, said: str) -> None:
        """Commit that nobody can tell what became of a part that was sent."""
        with self.transaction() as db:
            db.execute(
                "UPDATE requests SET state = 'lost', said = ?"
                " WHERE part = ? AND state IN ('waiting', 'sent')",
                (said, part.id),
            )
            db.execute("UPDATE parts SET state = 'fetched' WHERE id = ?", (part.id,))

    def counted(self, what: str) -> int:
        """Count that something is done. Returns how often it was, this time included."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO facts VALUES (?, 0)", (what,))
            db.execute("UPDATE facts SET value = value + 1 WHERE name = ?", (what,))
            return int(self.fact(what))

    def forget(self, what: str) -> None:
        """It was not done, as it turned out."""
        with self.transaction() as db:
            db.execute("DELETE FROM facts WHERE name = ?", (what,))

    def _keep(
        self, db: sqlite3.Connection, part: Part, custom_id: str, line: bytes, is_answer: bool
    ) -> bool:
        """Whether the line belongs to a request. Of two, an answer is kept rather than an error."""
        position, attempt = numbers_of(custom_id)
        found = db.execute(
            "SELECT digest, state FROM requests WHERE position = ? AND attempt = ? AND part = ?",
            (position, attempt, part.id),
        ).fetchone()
        if found is None or custom_id != custom_id_of(position, attempt, found[0]):
            return False
        if found[1] in {"sent", "lost"} or (found[1] == "failed" and is_answer):
            db.execute(
                "UPDATE requests SET state = ?, answer = ?, said = NULL WHERE position = ?",
                ("answered" if is_answer else "failed", line, position),
            )
        return True


class PartSource:
    """The input file of a part, made while it is read: it never stands anywhere as a whole."""

    def __init__(self, store: Store, part: Part) -> None:
        self._store, self._part = store, part
        rows = store.read(
            "SELECT position, attempt, length(body) FROM requests WHERE part = ?", part.id
        )
        self._size = sum(line_size(*row) for row in rows)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        piece = bytearray()
        for row in self._store.rows("part = ?", self._part.id):
            piece += row.line
            if len(piece) >= _PIECE:
                yield bytes(piece)
                piece.clear()
        if piece:
            yield bytes(piece)
