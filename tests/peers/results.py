"""What was found, in docs/peers.json: read, compared, written."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
import re
from dataclasses import dataclass
from typing import Any

import pytest

from mimo_core.files import replacing
from scripts.peer_table import FOUND, PEERS, ROWS
from tests.peers.contestant import Cell

_PAIR = re.compile(r"\[\s+(\".*\"),\s+(\".*\")\s+\]")  # a cell stands in one line
OURS = ("ChatMiMo", "llm-mimo")


def versions() -> dict[str, str]:
    """The versions of everything that the table names, as they are installed."""
    names = dict.fromkeys(name for peer in PEERS for name in peer.packages)
    return {name: importlib.metadata.version(name) for name in names}


@dataclass
class Results:
    """The outcomes of the file, and whether what is found now is to replace them."""

    told: dict[str, Any]
    write: bool

    @classmethod
    def load(cls, *, write: bool) -> Results:
        """Read the file; where it is to be written it need not be there."""
        if write and not FOUND.exists():
            return cls({"outcomes": {}}, write)
        return cls(json.loads(FOUND.read_text(encoding="utf-8")), write)

    def hand_in(self, row: str, name: str, cell: Cell) -> None:
        """Compare an outcome with the file's, or note it for the file.

        Ours have to work, whatever the file says.
        """
        if name in OURS and cell.verdict in ("no", "not shown"):
            pytest.fail(f"{name}, {row}: {cell.verdict}: {cell.says}")
        outcomes = self.told["outcomes"].setdefault(row, {})
        if self.write:
            outcomes[name] = [cell.verdict, cell.says]
            return
        assert outcomes.get(name) == [cell.verdict, cell.says], (
            f"{name} behaves otherwise than docs/peers.json says. If that is so: make peers WRITE=1"
        )

    def close(self) -> None:
        """Write the file, where it is to be written: rows and clients in the table's order."""
        if not self.write:
            return
        outcomes = {
            row.key: {
                peer.title: self.told["outcomes"][row.key][peer.title]
                for peer in PEERS
                if peer.title in self.told["outcomes"].get(row.key, {})
            }
            for row in ROWS
        }
        told = {
            "date": datetime.date.today().isoformat(),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "versions": versions(),
            "outcomes": outcomes,
        }
        text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
        text = _PAIR.sub(r"[\1, \2]", text)
        with replacing(FOUND) as file:
            file.write(text.encode())
