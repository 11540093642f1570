"""Which models there are, and what their registration costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import llm
import pytest

from mimo_core.models import MODELS
from mimo_core.testing import FakeMiMo

from .conftest import mimo_with

_IMPORT = """
import sys
import llm, llm.cli, llm.parts, pydantic
for name in [name for name in sys.modules if name.partition(".")[0] in ("llm_mimo", "mimo_core")]:
    del sys.modules[name]
before = set(sys.modules)
import llm_mimo
{then}
print(*sorted(set(sys.modules) - before))
"""
_REGISTER = """
found = []
llm_mimo.register_models(lambda model, async_model=None, aliases=(): found.append(model))
assert len(found) >= 13
"""


def _new_modules(then: str = "") -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT.format(then=then)],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.slow
def test_importing_it_brings_in_nothing_else() -> None:
    assert _new_modules() == {"llm_mimo"}


@pytest.mark.slow
def test_registering_the_models_brings_in_little() -> None:
    new = _new_modules(_REGISTER)
    assert {name.partition(".")[0] for name in new} == {"llm_mimo", "mimo_core"}
    assert {name for name in new if name.startswith("mimo_core")} == {
        "mimo_core",
        "mimo_core.media",  # data only, as the table of models
        "mimo_core.models",
    }


def test_every_model_is_there_sync_and_async(run: Any) -> None:
    ids = {model.model.model_id for model in llm.get_models_with_aliases() if _ours(model)}
    async_ids = {
        model.async_model.model_id for model in llm.get_models_with_aliases() if _ours(model)
    }
    assert ids == async_ids == set(MODELS)
    listed = run.ok("models", "-q", "mimo").stdout
    assert all(f"Xiaomi MiMo: {id}" in listed for id in MODELS)
    assert "mimo-v2.6-pro (aliases: mimo)" in listed
    assert "mimo-v2.6-flash (aliases: mimo-flash)" in listed
    assert llm.get_model("mimo-v2.5-pro").model_id == "mimo-v2.5-pro"


def _ours(model: Any) -> bool:
    return type(model.model).__module__.startswith("llm_mimo")


def test_features(run: Any) -> None:
    chat, speech = llm.get_model("mimo"), llm.get_model("mimo-v2.5-tts")
    assert (chat.can_stream, chat.supports_tools, chat.supports_schema) == (True, True, True)
    assert (speech.can_stream, speech.supports_tools, speech.supports_schema) == (False,) * 3
    assert not speech.supports_conversation
    assert not llm.get_model("mimo-v2.5-asr").supports_conversation


def test_without_a_key_and_without_a_network_they_are_listed(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIMO_API_KEY")
    monkeypatch.setenv("MIMO_BASE_URL", "http://127.0.0.1:9")
    assert "mimo-v2-flash" in run.ok("models").stdout


def test_the_commands_table(run: Any) -> None:
    head, *rows = run.ok("mimo", "models").stdout.splitlines()
    columns = "id kind inputs context output thinking voices xiaomi"
    assert head.split() == columns.split()
    assert len(rows) == len(MODELS)
    assert "1,048,576" in rows[0]
    assert "131,072" in rows[0]
    (speech,) = (row for row in rows if row.startswith("mimo-v2.5-tts "))
    assert "mimo_default, 冰糖, 茉莉, 苏打, 白桦, Mia, Chloe, Milo, Dean" in speech
    as_json = json.loads(run.ok("mimo", "models", "--json").stdout)
    flash = next(row for row in as_json if row["id"] == "mimo-v2-flash")
    assert flash == {
        "id": "mimo-v2-flash",
        "kind": "chat",
        "inputs": ["text"],
        "context": 262_144,
        "output": 131_072,
        "thinking": "off by default",
        "voices": [],
        "xiaomi": "until 2026-06-30, then mimo-v2.6-flash",
    }


class TestRefresh:
    @mimo_with(extra_models=["mimo-v9", "gpt-9"])
    def test_it_adds(self, run: Any, mimo: FakeMiMo, mode: tuple[str, ...]) -> None:
        result = run.ok("mimo", "refresh")
        assert "Added mimo-v9 (" in result.stdout
        assert "Skipped 1" in result.stderr
        run.ok("-m", "mimo-v9", "Hi", *mode)
        assert mimo.last_request.model == "mimo-v9"
        assert run.ok("mimo", "refresh").stdout == "No new models.\n"
        assert "mimo-v9" in run.ok("mimo", "models").stdout

    @mimo_with(extra_models=["mimo-v9", "gpt-9"])
    def test_it_keeps_what_was_added_by_hand(self, run: Any, mimo: FakeMiMo) -> None:
        run.ok("mimo", "refresh", "--add", "MaaS_Mimo_V2.5_pro_20260423")
        assert not mimo.requests
        run.ok("mimo", "refresh")
        listed = run.ok("models", "-q", "mimo").stdout
        assert "MaaS_Mimo_V2.5_pro_20260423" in listed
        assert "mimo-v9" in listed

    @mimo_with(extra_models=["mimo-v9", "gpt-9"])
    @pytest.mark.parametrize("broken", ["{", "[]", '{"models": 7}', '{"models": [null]}', "\xff"])
    def test_a_broken_list_is_ignored(
        self, run: Any, mimo: FakeMiMo, user_path: Path, broken: str
    ) -> None:
        path = user_path / "mimo_models.json"
        path.write_text(broken, encoding="latin-1")
        result = run.ok("models", "-q", "mimo")
        assert "Xiaomi MiMo: mimo-v2.5-pro" in result.stdout
        assert result.stderr.count("llm mimo refresh") == 1
        run.ok("mimo", "refresh")
        assert json.loads(path.read_bytes()) == {"models": ["mimo-v9"]}

    @mimo_with(keys=["another"])
    def test_no_list_there(self, run: Any, mimo: FakeMiMo) -> None:
        assert "Invalid API Key" in run.fails("mimo", "refresh")

    @pytest.mark.parametrize("id", ["", " ", "two words", "\x1b[31mred"])
    def test_what_cannot_be_an_id_is_refused(
        self, run: Any, mimo: FakeMiMo, user_path: Path, id: str
    ) -> None:
        run.ok("mimo", "refresh", "--add", "mimo-v9")
        error = run.fails("mimo", "refresh", "--add", "mimo-v10", "--add", id)
        assert "is not the id of a model" in error
        assert json.loads((user_path / "mimo_models.json").read_bytes()) == {"models": ["mimo-v9"]}
        assert not mimo.requests

    def test_blanks_around_an_id_are_left_out(self, run: Any, mimo: FakeMiMo) -> None:
        assert "Added mimo-v9 (" in run.ok("mimo", "refresh", "--add", " mimo-v9 ").stdout

    def test_it_removes(self, run: Any, mimo: FakeMiMo) -> None:
        run.ok("mimo", "refresh", "--add", "mimo-v9", "--add", "mimo-v10")
        result = run.ok("mimo", "refresh", "--remove", "mimo-v9")
        assert result.stdout.startswith("Removed mimo-v9 (")
        assert not mimo.requests
        listed = run.ok("models", "-q", "mimo").stdout
        assert "mimo-v9" not in listed
        assert "mimo-v10" in listed
        error = run.fails("mimo", "refresh", "--remove", "mimo-v9")
        assert "'mimo-v9' is not in the list, which is mimo-v10" in error

    def test_a_key_that_nobody_would_see(self, run: Any, mimo: FakeMiMo) -> None:
        result = run("mimo", "refresh", "--add", "mimo-v9", "--key", "sk-abcdefgh")
        assert result.exit_code == 2
        assert "leave --key out" in " ".join(result.stderr.split())
