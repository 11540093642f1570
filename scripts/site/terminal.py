"""The pictures of a terminal, docs/pictures/*.svg, made from real runs on the emulator.

    python -m scripts.site.terminal           # says which are stale, and ends with 1 if one is
    python -m scripts.site.terminal --write   # makes them again

A command is run in a terminal of its own, and what it showed becomes an SVG by rich: no font, style
or picture of another host. Each says in its title that no model has run.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import xml.etree.ElementTree as ET
from html import escape
from typing import NamedTuple

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from mimo_core.testing import Reply
from scripts.site.running import ROOT, reader

PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 80
TITLE = "answered by an emulator: no model has run"
_PROMPT = "bold green"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")

_LIGHT = TerminalTheme(
    (255, 255, 255),
    (17, 20, 24),
    [
        *((36, 41, 47), (207, 34, 46), (17, 99, 41), (122, 82, 0)),
        *((9, 105, 218), (130, 80, 223), (21, 110, 117), (87, 96, 106)),
    ],
)
_DARK = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [
        *((110, 118, 129), (255, 123, 114), (63, 185, 80), (210, 153, 34)),
        *((88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)),
    ],
)
THEMES = {"light": _LIGHT, "dark": _DARK}

# Rich's own form without its fonts, which come from another host, and with a title for readers who
# hear it. The window's edge is to be seen on a white page too.
_FORM = """\
<svg class="rich-terminal" role="img" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>THE TITLE</title>
<style>
.{unique_id}-matrix {{
font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 16px; font-family: system-ui, sans-serif; }}
.rich-terminal > rect {{ stroke: #8c959f; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Scene(NamedTuple):
    """What one picture shows.

    Args:
        says: the picture in words, for who does not see it.
        commands: for bash, in their order.
        replies: what the emulator answers; none where the program starts one of its own.
        in_clone: whether they run in this repository, and not in an empty folder.
    """

    says: str
    commands: tuple[str, ...]
    replies: tuple[Reply, ...] = ()
    in_clone: bool = False


SCENES = {
    "llm": Scene(
        "llm asks MiMo three times: the reasoning is dimmed, then comes the answer",
        (
            "llm -m mimo 'Three names for a pet pelican'",
            "llm -c 'The shortest of them?' -u",
            "llm -m mimo -R 'Invent a good dog' --schema 'name, age int, breed'",
        ),
        (
            Reply(
                "1. Captain Gulp\n2. Scoop\n3. Bill",
                reasoning="A pelican is known for its bill, so a joke about it is welcome. "
                "Short names are easy to call across a pond.",
            ),
            Reply("Bill, with four letters.", reasoning="Scoop has five letters, Bill has four."),
            Reply(
                json={"name": "Biscuit", "age": 4, "breed": "Border Collie"},
                reasoning="A name, an age, a breed.",
            ),
        ),
    ),
    "agent": Scene(
        "A LangChain agent on MiMo answers two questions: its reasoning, a call of its tool, and "
        "what it remembers",
        ("python examples/agent_memory.py",),
        in_clone=True,
    ),
}


def recorded(scene: Scene) -> Text:
    """The commands of a scene and what they showed."""
    whole = Text()
    with reader(*scene.replies) as person:
        if not scene.replies:
            del person.environment["MIMO_API_KEY"], person.environment["MIMO_BASE_URL"]
        for command in scene.commands:
            shown = person.shows(command, COLUMNS, ROOT if scene.in_clone else None)
            if strange := re.search(r"[\x00-\x09\x0b-\x1f]", _STYLE.sub("", shown)):
                raise ValueError(f"{command!r} moved the cursor: {strange[0]!r}. Choose another.")
            whole.append("$ ", style=_PROMPT).append(command, style="bold")
            whole.append("\n").append_text(Text.from_ansi(shown.rstrip("\n"))).append("\n\n")
    whole.rstrip()
    return whole


def picture(shown: Text, scene: Scene, scheme: str, name: str) -> str:
    """The SVG of what was shown.

    Args:
        shown: the text with its colours.
        scene: what it is of.
        scheme: a key of `THEMES`.
        name: begins the ids in it, which are the page's where an SVG is put into one.
    """
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(shown, overflow="fold", highlight=False)
    console.print()  # rich makes no clip path for the last line, and cuts its letters below
    title = escape(f"{scene.says} ({TITLE})")
    made = console.export_svg(
        title=TITLE,
        theme=THEMES[scheme],
        code_format=_FORM.replace("THE TITLE", title.replace("{", "{{").replace("}", "}}")),
        unique_id=f"{name}-{scheme}",
    )
    return "\n".join(line.strip() for line in made.splitlines() if line.strip()) + "\n"


def words_of(svg: str) -> str:
    """The words that an SVG shows, line by line of the terminal, each blank once."""
    shown = [part.text or "" for part in ET.fromstring(svg).iter() if part.tag.endswith("}text")]  # noqa: S314  # our own file
    return " ".join(" ".join(shown).split())


def pictures() -> dict[str, str]:
    """File name -> the SVG that a run gives now."""
    made = {}
    for name, scene in SCENES.items():
        shown = recorded(scene)
        for scheme in THEMES:
            made[f"{name}-{scheme}.svg"] = picture(shown, scene, scheme, name)
    return made


def stale(made: dict[str, str]) -> list[str]:
    """The files that do not show what a run shows now."""
    return [
        name
        for name, svg in made.items()
        if not (PICTURES / name).exists()
        or words_of((PICTURES / name).read_text("utf-8")) != words_of(svg)
    ]


def main() -> int:
    """The command."""
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("--write", action="store_true", help="make those again that are stale")
    options = given.parse_args()
    made = pictures()
    found = stale(made)
    if not options.write:
        sys.stdout.write("".join(f"{name} is stale: add --write\n" for name in found))
        return 1 if found else 0
    PICTURES.mkdir(exist_ok=True)
    for name in found:
        (PICTURES / name).write_text(made[name], encoding="utf-8", newline="\n")
        sys.stdout.write(f"docs/pictures/{name} was made again.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
