"""What an account would be charged for: how often each line was answered. Kept on the disk."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mimo_core.testing.emulator.batch_files import Spool
from mimo_core.testing.emulator.received import content_text


class Bill:
    """Counts lines by their bodies; each body is kept once, whatever its size."""

    def __init__(self) -> None:
        self._texts = Spool()
        self._places: dict[bytes, tuple[int, int]] = {}
        self._times: Counter[bytes] = Counter()

    def add(self, body: dict[str, Any]) -> None:
        """A line with this body was answered."""
        text = json.dumps(body, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(text).digest()
        if digest not in self._places:
            self._places[digest] = self._texts.add(text), len(text)
        self._times[digest] += 1

    def by_body(self) -> Counter[str]:
        """By the body as JSON, with its names in order."""
        return Counter(dict(self._entries()))

    def by_prompt(self) -> Counter[str]:
        """By the text of the last user message."""
        counted: Counter[str] = Counter()
        for text, times in self._entries():
            messages = json.loads(text).get("messages") or []
            users = [one for one in messages if one.get("role") == "user"]
            counted[content_text(users[-1].get("content")) if users else ""] += times
        return counted

    def _entries(self) -> Iterator[tuple[str, int]]:
        for digest, times in self._times.items():
            text = self._texts.read(*self._places[digest])
            yield text.decode("utf-8", "surrogatepass"), times
