"""10,000 prompts over a local Dask cluster, resumable whatever dies.

    python examples/scale_out.py                      # on the emulator; with MIMO_API_KEY, for real
    python examples/scale_out.py --kill-a-worker      # to see that it does not matter
    python examples/scale_out.py --prompts 60 --journal answers.sqlite

Needs `pip install 'langchain-mimo' distributed`. On a cluster of several machines, give
`Client` its scheduler's address, and put the journal where all of them can write (a database
server: SQLite on a network share is not safe).

What is promised, and what is not:

- *Nothing is lost.* Each answer is committed to the journal by the worker that got it, before
  anything else happens to it. Dask gives the tasks of a dead worker to the others, and a second run
  of this program asks only for what the journal does not hold.
- *Nothing in the journal is paid for twice.* A prompt is looked up by the hash of everything that
  can change its answer, before it is asked.
- *What was on its way may be.* A worker that is killed between sending a request and committing the
  answer leaves a request that the service may have billed, and it has to be sent again: the API
  documents no idempotency key. That is at most `--concurrency` prompts for each worker that dies;
  the journal notes each request before it is sent, so the last line can say how many they were.
- The transport's own retries (429, 5xx, no connection) are of requests that gave no answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster, as_completed

from langchain_mimo import ChatMiMo, MiMoContentFilterError, MiMoModelError

Item = tuple[str, str]  # key and prompt

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL; -- survives any process; FULL survives a power cut, at 10 ms a commit
CREATE TABLE IF NOT EXISTS asked (key TEXT, worker INTEGER);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, prompt TEXT, answer TEXT, usage TEXT);
"""


class Journal:
    """What was asked and what was answered, in SQLite; threads and processes may write at once."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def missing(self, items: Sequence[Item]) -> list[Item]:
        """The items that have no answer yet."""
        answered = {key for (key,) in self._run("SELECT key FROM answers")}
        return [item for item in items if item[0] not in answered]

    def note_request(self, key: str) -> None:
        self._run("INSERT INTO asked VALUES (?, ?)", key, os.getpid())

    def note_answer(self, item: Item, answer: str, usage: Any) -> None:
        """Committed when this returns: the death of this process does not undo it."""
        self._run(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)", *item, answer, json.dumps(usage)
        )

    def asked_twice(self) -> int:
        """How many prompts were sent more than once, because a worker or the program died."""
        query = "SELECT count(*) FROM (SELECT key FROM asked GROUP BY key HAVING count(*) > 1)"
        return int(self._run(query)[0][0])

    def _run(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(statement, values).fetchall()


def key_of(model: ChatMiMo, where: str, prompt: str) -> str:
    """A hash of the prompt and of everything that can change the answer: the model, its settings,
    and where it is served (so that no answer of the emulator passes for one of MiMo)."""
    about = model._identifying_params | {"base_url": where}
    said = json.dumps([about, prompt], sort_keys=True, default=repr)
    return hashlib.sha256(said.encode()).hexdigest()


def answer(model: ChatMiMo, path: str, items: Sequence[Item], concurrency: int) -> list[str]:
    """Runs on a worker: ask for `items` and write the answers down. Returns what failed."""

    def ask(item: Item) -> str | None:
        key, prompt = item
        journal.note_request(key)
        try:
            message = model.invoke(prompt)
        except MiMoContentFilterError as error:  # the same prompt would be refused again
            journal.note_answer(item, "", {"refused": str(error)})
        except MiMoModelError as error:
            return f"{prompt[:40]!r}: {error}"
        else:
            journal.note_answer(item, message.text, message.usage_metadata)
        return None

    with closing(Journal(path)) as journal, closing(model):
        missing = journal.missing(items)  # a worker that died may have answered some of them
        with ThreadPoolExecutor(concurrency) as pool:
            return [failure for failure in pool.map(ask, missing) if failure]


def spread(model: ChatMiMo, items: Sequence[Item], options: argparse.Namespace) -> list[str]:
    """Give `items` to the workers, `--chunk` at a time. Returns what failed."""
    failures: list[str] = []
    workers = {
        "n_workers": options.workers,
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",
    }
    with LocalCluster(**workers) as cluster, Client(cluster) as client:
        doomed = min(client.run(os.getpid).values()) if options.kill_a_worker else None
        chunks = [items[i : i + options.chunk] for i in range(0, len(items), options.chunk)]
        tasks = [
            # The model goes along pickled; each worker opens its own connections.
            client.submit(answer, model, options.journal, chunk, options.concurrency, pure=False)
            for chunk in chunks
        ]
        for number, task in enumerate(as_completed(tasks), 1):
            failures += task.result()
            if doomed and number * 3 >= len(tasks):
                print(f"killing worker {doomed}", file=sys.stderr)
                os.kill(doomed, signal.SIGKILL)
                doomed = None
    return failures


@contextmanager
def a_model() -> Iterator[tuple[ChatMiMo, str]]:
    """MiMo where there is a key, else the emulator; and where it is served."""
    if os.environ.get("MIMO_API_KEY"):
        model = ChatMiMo(max_retries=5)
        yield model, model._identifying_params["base_url"]
        return
    from mimo_core.testing.emulator import FakeMiMo

    with FakeMiMo() as mimo:
        print("No MIMO_API_KEY: asking the emulator.", file=sys.stderr)
        yield ChatMiMo(api_key="none", base_url=mimo.base_url), "emulator"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--journal", default="scale_out.sqlite")
    parser.add_argument("--workers", type=int, default=4, help="processes")
    parser.add_argument("--concurrency", type=int, default=16, help="requests at once, per worker")
    parser.add_argument("--chunk", type=int, default=100, help="prompts in a task")
    parser.add_argument("--kill-a-worker", action="store_true", help="once a third is done")
    options = parser.parse_args()
    options.journal = str(Path(options.journal).resolve())  # the workers run elsewhere
    prompts = [f"Say something about the number {number}." for number in range(options.prompts)]
    with a_model() as (model, where), closing(Journal(options.journal)) as journal:
        items = [(key_of(model, where, prompt), prompt) for prompt in prompts]
        missing = journal.missing(items)
        print(f"{len(items) - len(missing)} answers are in the journal, {len(missing)} to ask for.")
        failures = spread(model, missing, options) if missing else []
        for failure in failures[:10]:
            print(f"failed: {failure}", file=sys.stderr)
        left = len(journal.missing(items))
        print(
            f"{len(items) - left} of {len(items)} answered, {left} left for the next run; "
            f"{journal.asked_twice()} had to be sent twice."
        )
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
