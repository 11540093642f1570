"""The table of other clients is what `make peers` found, whole, and names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts import peer_table
from scripts.peer_table import PEERS, ROWS

ROOT = Path(__file__).parents[1]
TOLD = peer_table.found()
VERDICTS = {"yes", "partly", "no", "not shown", "does not apply"}
OURS = ("ChatMiMo", "llm-mimo")


def test_every_file_has_the_table_that_was_found() -> None:
    """If it fails: `python -m scripts.peer_table --write`."""
    assert peer_table.PAGE in peer_table.texts()
    assert peer_table.stale() == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_each_cell_was_found_by_the_test_that_the_row_names(row: peer_table.Row) -> None:
    """If it fails: `make peers WRITE=1`."""
    cells = TOLD["outcomes"][row.key]
    assert list(cells) == [peer.title for peer in PEERS]
    for verdict, says in cells.values():
        assert verdict in VERDICTS
        assert says
    assert {cells[name][0] for name in OURS} <= {"yes", "partly", "does not apply"}
    source = (ROOT / "tests" / "peers" / row.file).read_text(encoding="utf-8")
    functions = {x.name for x in ast.parse(source).body if isinstance(x, ast.FunctionDef)}
    assert f"test_{row.key}" in functions


def test_the_versions_are_those_of_the_lock() -> None:
    """If it fails, the lock was renewed: `make peers WRITE=1`, and look at what has changed."""
    lock = (ROOT / "requirements" / "peers.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock, re.MULTILINE))
    assert TOLD["versions"] == {name: locked[name] for name in TOLD["versions"]}
    assert TOLD["versions"].keys() == {name for peer in PEERS for name in peer.packages}


def test_a_stale_table_is_written_anew_and_the_rest_kept() -> None:
    text = "before\n<!-- peers:start -->\nold\n<!-- peers:end -->\nafter\n"
    made = peer_table.updated(text, "| new |\n")
    assert made == "before\n<!-- peers:start -->\n| new |\n<!-- peers:end -->\nafter\n"


def test_a_client_of_which_nothing_was_shown_is_no_column_but_named() -> None:
    table = peer_table.short_table(TOLD).replace("<br>", "")
    head = table.splitlines()[0]
    for peer in PEERS:
        shown = {cells[peer.title][0] for cells in TOLD["outcomes"].values()} != {"not shown"}
        assert (f"| {peer.title} |" in head) == shown
        assert peer.title in table
