"""A sample of the wrong inputs of `tests/wrong_inputs.py`; `make fuzz` tries 15,000."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from hypothesis import settings

from mimo_core import MiMoError
from mimo_core.testing import FakeMiMo
from tests import wrong_inputs

# Sixty examples in `make test`, two thousand in `make fuzz` (tests/conftest.py).
COUNT = 15_000 if settings().max_examples > 1000 else 1500


@pytest.mark.slow
def test_wrong_inputs_of_any_argument(
    mimo: FakeMiMo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLM_USER_PATH", os.fspath(tmp_path))
    monkeypatch.setenv("MIMO_BASE_URL", mimo.named_base_url)
    outcome = wrong_inputs.run(mimo, COUNT, seed=1)
    assert outcome.tried == COUNT
    assert outcome.answered > COUNT // 50  # the strange values are not all that comes
    assert (outcome.raw, outcome.nameless, outcome.long, outcome.leaked) == ([], [], [], [])


class TestTheJudge:
    """What it is there for is seen: an error of each kind counts."""

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (KeyError("x"), "raw"),
            (MiMoError("Something is wrong."), "nameless"),
            (click.ClickException("stop " + "x" * 2000), "long"),
        ],
    )
    def test_it_sees(self, error: Exception, kind: str) -> None:
        def fail() -> None:
            raise error

        outcome = wrong_inputs.Outcome()
        wrong_inputs.try_one(outcome, "request", "stop", 5, fail)
        kinds = ("raw", "nameless", "long", "leaked")
        assert [len(getattr(outcome, name)) for name in kinds] == [name == kind for name in kinds]
