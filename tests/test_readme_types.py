"""The programs of README and of the site pass mypy in strict mode and pyright, as in an editor.

So does ordinary use of the public names (`public_api_use.py`), there in pyright's strict mode too,
and mistakes in their use are found (`public_api_misuse.py`).
`make types` runs it, beside mypy over the sources; `make test` leaves it out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import PROGRAMS as OF_THE_SITE
from tests.test_readme import PROGRAMS as OF_THE_README

pytestmark = [
    pytest.mark.slow,  # two type checkers read LangChain, for up to half a minute
    pytest.mark.skipif(
        not os.environ.get("MIMO_TYPES"), reason="MIMO_TYPES=1 has to ask for it: make types"
    ),
]

# What the checkers say about LangGraph's types, not about ours: `stream(stream_mode="messages")`
# is typed as giving dicts, and the shorthand `("user", "…")` for a message is not in its types.
OF_LANGGRAPH = (
    'Cannot access attribute "text" for class "str"',
    'No overload variant of "stream" of "Pregel"',
    'Argument of type "dict[str, list[tuple[str, str]]]"',
)
USES = ("public_api_use.py", "public_api_misuse.py")
# What mypy has read of LangChain, for the next run; apart from `make types`, whose options differ.
CACHE = str(Path(__file__).parents[1] / ".mypy_cache" / "readme")
PROGRAMS = [*OF_THE_README, *(str(program.values[0]) for program in OF_THE_SITE)]
CHECKERS = {
    "mypy": [
        *("mypy", "--strict", "--no-error-summary", "--hide-error-context"),
        *("--cache-dir", CACHE),
    ],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_what_a_user_writes_is_typed(checker: str, tmp_path: Path) -> None:
    for number, program in enumerate(PROGRAMS):
        (tmp_path / f"program_{number}.py").write_text(program, "utf-8")
    for name in USES:
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = done.stdout.splitlines()
    errors = [line for line in lines if "error:" in line or " - error" in line]
    assert [line for line in errors if not any(known in line for known in OF_LANGGRAPH)] == []
    assert done.returncode == bool(errors), done.stdout + done.stderr
