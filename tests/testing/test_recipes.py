"""Every block of docs/testing-recipes.md, as a file of a project whose tests are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mimo_core.testing import FakeMiMo
from tests.conftest import KEY, LEAN

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow  # processes, as a reader would start them

PAGE = (Path(__file__).parents[2] / "docs" / "testing-recipes.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(?:python|ini)\n# (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
RECIPES = re.findall(r"^## \d+\. (.*)$", PAGE, re.MULTILINE)
QUIET = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider", *LEAN)
RECORDED = ("test_recorded.py", "test_differs.py", "test_recorded_fixture.py")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """The project that the page describes."""
    for name in ("MIMO_API_KEY", "MIMO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, text in BLOCKS:
        file = pytester.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    return pytester


def test_the_recipes_run(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMiMo(keys=[KEY]) as service, monkeypatch.context() as recording:
        recording.setenv("MIMO_API_KEY", KEY)
        recording.setenv("MIMO_BASE_URL", service.named_base_url)
        done = project.runpytest_subprocess(*QUIET, "--record-mode=rewrite", *RECORDED)
        done.assert_outcomes(passed=4)
        assert len(service.requests) == 4
    cassettes = sorted(project.path.rglob("*.yaml"))
    assert [path.name for path in cassettes] == [
        "test_a_new_id_and_the_time.yaml",
        "test_recorded_answer.yaml",
        "weather.yaml",
    ]
    assert all(KEY not in path.read_text("utf-8") for path in cassettes)

    files = [name for name, _ in BLOCKS if name.startswith("test_")]
    done = project.runpytest_subprocess(*QUIET, "-rA", *files, "shared")
    tests = sum(text.count("\ndef test_") + text.count("\nasync def test_") for _, text in BLOCKS)
    done.assert_outcomes(passed=tests + 1)  # that in shared/ has two cases
    for name in (*files, "shared/test_shared.py"):
        assert f"PASSED {name}::" in done.stdout.str()


def test_the_report_of_faults_is_the_one_on_the_page(project: pytest.Pytester) -> None:
    (printed,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = project.runpytest_subprocess(*QUIET, "--mimo-faults", "test_faults.py")
    done.assert_outcomes(passed=1)
    assert printed in done.stdout.str()


def test_no_recipe_is_left_out() -> None:
    assert len(RECIPES) >= 10
    assert len(BLOCKS) == PAGE.count("```python\n") + PAGE.count("```ini\n")
    for number, name in enumerate(RECIPES, 1):
        place = re.sub(r"[^\w\- ]", "", f"{number}. {name}".lower()).replace(" ", "-")
        assert re.search(rf"{number}\. \[{re.escape(name)}\]\(#{place}\)", PAGE.replace("\n", " "))
