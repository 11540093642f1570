"""What a newcomer runs first asks a model that is served today."""

import re
from pathlib import Path

from mimo_core.models import DEFAULT_MODEL

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
# Ids that Xiaomi switched off, or announced to: to be named, but not what one starts with.
ENDED = re.compile(r"\bmimo-v2(\.5)?(-pro|-omni|-flash)?(?![\w.-])")


def test_the_first_command_of_the_readme() -> None:
    first = re.search(r"^llm -m (\S+)", README, re.MULTILINE)
    assert first is not None
    assert first[1] == DEFAULT_MODEL


def test_no_command_or_program_of_the_readme_or_the_site_asks_a_model_that_ended() -> None:
    pages = [README, *(page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md"))]
    fence = re.compile(r"^```(?:sh|bash|console|python)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
    blocks = [text for page in pages for text in fence.findall(page)]
    assert len(blocks) > 60
    for text in blocks:
        assert not ENDED.findall(text), text


def test_no_example_asks_a_model_that_ended() -> None:
    for path in (ROOT / "examples").glob("*.*"):
        if path.suffix in (".py", ".sh"):
            named = {found[0] for found in ENDED.finditer(path.read_text())}
            # The demo replays an answer that the vendor published: it is that model's.
            assert named <= ({"mimo-v2.5-pro"} if path.name == "demo.py" else set()), path


def test_what_ended_can_be_told() -> None:
    for id in ("mimo-v2.5-pro", "mimo-v2.5", "mimo-v2-flash"):
        assert ENDED.fullmatch(id)
    for id in ("mimo-v2.6-pro", "mimo-v2.5-tts", "mimo-v2.5-asr", "mimo-v2.6-pro-ultraspeed"):
        assert not ENDED.search(id)
