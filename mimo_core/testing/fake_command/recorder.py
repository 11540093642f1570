"""What a proxy has heard, written into a cassette while it goes on: whole files, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mimo_core.testing.cassettes.cleaning import MiMoRequest, clean_request
from mimo_core.testing.cassettes.persister import MiMoPersister
from mimo_core.testing.cassettes.vcrpy import Request, yamlserializer


class Recorder:
    """Keeps exchanges and writes them from a thread of its own.

    The file is written anew after an exchange, as a whole. While that takes its time, further
    exchanges are collected, so that long recordings do not slow the proxy down.

    Args:
        path: the cassette.
        note: what it shows.
        trouble: called with one line where it could not be written.

    Attributes:
        failed: whether the last attempt to write failed.
    """

    def __init__(self, path: Path, *, note: str, trouble: Callable[[str], None]) -> None:
        self.failed = False
        self._path = path
        self._persister = MiMoPersister(note=note, whole=True)
        self._trouble = trouble
        self._requests: list[MiMoRequest] = []
        self._responses: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._unsaved = self._stopping = False
        self._writer = threading.Thread(target=self._write_on, name="mimo-fake writes", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._writer.start()

    def add(self, request: Request, response: dict[str, Any]) -> None:
        """Keep an exchange: the request as it was sent, the response as vcrpy represents it."""
        cleaned = clean_request(request)
        with self._changed:
            self._requests.append(cleaned)
            self._responses.append(response)
            self._unsaved = True
            self._changed.notify()

    @property
    def count(self) -> int:
        """How many exchanges there are."""
        return len(self._requests)

    def stop(self) -> None:
        """Write what is left, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._writer.join()

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unsaved or self._stopping)
                if not self._unsaved:
                    return
                self._unsaved = False
                exchanges: dict[str, list[Any]] = {
                    "requests": list(self._requests),
                    "responses": list(self._responses),
                }
            self._write(exchanges)

    def _write(self, exchanges: dict[str, list[Any]]) -> None:
        try:
            self._persister.save_cassette(self._path, exchanges, yamlserializer)
            self._persister.check_saved()
        except Exception as error:  # whatever it was, the proxy goes on, and the user hears of it
            self.failed = True
            self._trouble(f"{self._path} was not written: {error}")
        else:
            self.failed = False
