"""README's tables are those that the code gives."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

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
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if "<!-- options:" not in readme:
        pytest.skip("README.md has no tables yet")
    assert script.stale(readme) == []


def test_they_go_between_their_markers(script: ModuleType) -> None:
    readme = "".join(
        f"text\n<!-- {name}:start -->\nold\n<!-- {name}:end -->\nmore \\1 text\n"
        for name in script.tables()
    )
    assert script.stale(readme) == list(script.tables())
    updated = script.updated(readme)
    assert script.stale(updated) == []
    assert updated.count("more \\1 text") == len(script.tables())
    assert script.updated(updated) == updated


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
