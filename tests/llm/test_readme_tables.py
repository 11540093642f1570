"""The tables of README and docs/ are those that the code gives."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from scripts.cost_table import ROWS, cost_table
from scripts.server_table import named_tests

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "readme_tables", ROOT / "scripts" / "readme_tables.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_are_not_stale(script: ModuleType) -> None:
    assert script.stale(script.pages_of()) == []
    assert set(script.PAGES) == set(script.tables())


def test_they_go_between_their_markers(script: ModuleType) -> None:
    pages = dict.fromkeys(script.PAGES.values(), "")
    for name, page in script.PAGES.items():
        pages[page] += f"text\n<!-- {name}:start -->\nold\n<!-- {name}:end -->\nmore \\1 text\n"
    assert script.stale(pages) == list(script.tables())
    updated = script.updated(pages)
    assert script.stale(updated) == []
    assert "".join(updated.values()).count("more \\1 text") == len(script.tables())
    assert script.updated(updated) == updated


def test_a_table_without_markers_is_stale(script: ModuleType) -> None:
    pages = {**script.pages_of(), "docs/servers.md": "no markers"}
    assert script.stale(script.updated(pages)) == ["servers"]


def test_they_hold_every_option(script: ModuleType) -> None:
    tables = script.tables()
    assert "`temperature`" in tables["options:chat"]
    assert "`fps`" in tables["options:video"]
    assert "`temperature`" not in tables["options:video"]
    assert "`optimize_text_preview`" in tables["options:speech"]
    assert "`language`" in tables["options:transcription"]
    assert "`force_search`" in tables["websearch"]
    assert "`mimo-v2.5-pro`" in tables["models"]


def test_every_cell_of_the_servers_names_a_test_that_is_there() -> None:
    for named in named_tests():
        file, _, function = named.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {function or 'test_'}", text, re.MULTILINE), named


def test_the_costs_are_from_the_lowest_to_the_highest_run_of_the_report() -> None:
    said, work = list(ROWS), list(ROWS.values())
    report = "\n".join(
        [
            "Measured 2030-01-02 on x86_64, two cores.",
            "",
            "| work | against | run 1 | run 2 | target | |",
            "|---|---|---|---|---|---|",
            *(
                f"| {name} | ChatOpenAI | 0.204 | 0.196 | ≤ 0.2 | **missed** 1 of 2 |"
                for name in work
            ),
            f"| {work[0]} | ChatMistralAI | 0.5 | 0.5 | ≤ 0.6 | met |",
            "",
            "| work | others |",
        ]
    )
    table = cost_table(report)
    told = table.replace("\n", " ")
    assert f"2030-01-02; of {len(work) + 1} targets" in told
    assert f"sets itself {len(work)} were missed" in told
    assert f"| {said[0]} | 0.2 | 0.5 |\n" in table
    assert f"| {said[1]} | 0.2 | – |\n" in table
    with pytest.raises(KeyError, match=work[0]):
        cost_table(report.replace(work[0], "another row"))
