"""The pictures of a terminal show what a run shows, say that no model has run, and load nothing."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET

import pytest
from rich.text import Text

from scripts.site import terminal
from scripts.site.running import reader
from scripts.site.terminal import PICTURES, SCENES, THEMES, TITLE, Scene, words_of

NAMES = [f"{name}-{scheme}.svg" for name in SCENES for scheme in THEMES]
SVG = {name: (PICTURES / name).read_text("utf-8") for name in NAMES}
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
needs_a_terminal = pytest.mark.skipif(os.name != "posix", reason="there is no pty")


@pytest.mark.skipif("MIMO_DOCS" not in os.environ, reason="`make docs-check` runs the commands")
@needs_a_terminal
@pytest.mark.parametrize("name", SCENES)
def test_a_picture_is_what_a_run_shows_now(name: str) -> None:
    """If it fails after a change of what is shown: `make docs`."""
    scene = SCENES[name]
    shown = terminal.recorded(scene)
    made = {
        f"{name}-{scheme}.svg": terminal.picture(shown, scene, scheme, name) for scheme in THEMES
    }
    assert terminal.stale(made) == []
    assert len(shown.plain) > 300


def test_there_is_no_other_picture() -> None:
    assert sorted(path.name for path in PICTURES.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_says_that_no_model_has_run(name: str) -> None:
    svg = SVG[name]
    title = ET.fromstring(svg).find(f"{{{SVG_NAMESPACE}}}title")
    assert title is not None
    assert TITLE in (title.text or "")
    assert TITLE in words_of(svg)
    assert "no model has run" in TITLE
    for command in SCENES[name.partition("-")[0]].commands:
        assert f"$ {command}" in words_of(svg)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_loads_and_runs_nothing(name: str) -> None:
    svg = SVG[name]
    assert len(svg.encode()) < 60_000
    assert re.findall(r"\w+://[^\s\"']+", svg) == [SVG_NAMESPACE]
    assert set(re.findall(r"url\((.)", svg)) == {"#"}
    assert "@import" not in svg
    allowed = {"svg", "title", "style", "defs", "clipPath", "rect", "g", "text", "circle"}
    parts = list(ET.fromstring(svg).iter())
    assert {part.tag.removeprefix(f"{{{SVG_NAMESPACE}}}") for part in parts} <= allowed
    assert not [
        key for part in parts for key in part.attrib if key.startswith("on") or "href" in key
    ]


def luminance(color: str) -> float:
    """WCAG 2's relative luminance of `#rrggbb`."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(x * weight for x, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_read(name: str) -> None:
    """Dimmed reasoning too: a contrast of 4.5, which WCAG asks of small text."""
    colors = set(re.findall(r"{ fill: (#[0-9a-f]{6})", SVG[name]))
    (background,) = set(re.findall(r'<rect fill="(#[0-9a-f]{6})" stroke', SVG[name]))
    assert len(colors) >= 3  # the prompt, the text, the reasoning
    for color in colors:
        dark, light = sorted((luminance(color), luminance(background)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, color


@needs_a_terminal
def test_what_a_terminal_shows_keeps_its_colours_and_a_failure_is_told() -> None:
    with reader() as person:
        command = r"test -t 0 && test -t 1 && printf '\033[2mdim\033[0m\n'"
        assert person.shows(command, 40) == "\x1b[2mdim\x1b[0m\n"
        assert person.shows("stty size", 40) == "50 40\n"
        with pytest.raises(RuntimeError, match="ended with 3: no"):
            person.shows("echo no; exit 3", 40)


@needs_a_terminal
def test_a_program_that_moves_the_cursor_is_not_pictured() -> None:
    with pytest.raises(ValueError, match="moved the cursor"):
        terminal.recorded(Scene("a bar", (r"printf '50 %%\r100 %%\n'",)))


def test_a_picture_that_shows_something_else_is_stale() -> None:
    other = terminal.picture(Text("$ llm -m mimo 'Something else'"), SCENES["llm"], "light", "llm")
    assert terminal.stale({"llm-light.svg": other, "llm-dark.svg": SVG["llm-dark.svg"]}) == [
        "llm-light.svg"
    ]
    assert terminal.stale({"none.svg": other}) == ["none.svg"]
