"""The tables that are made from the code (models, options, servers, …) or from the last benchmark.

    python scripts/readme_tables.py           prints every table
    python scripts/readme_tables.py --write   puts them between their markers in their pages
    python scripts/readme_tables.py --check   exit code 1 where a page is stale

A table stands between `<!-- NAME:start -->` and `<!-- NAME:end -->`, so that a page can be read in
the repository as well as on the site.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import llm

from llm_mimo.options import (
    ChatOptions,
    MediaChatOptions,
    TranscriptionOptions,
    VoiceCloneOptions,
    VoiceDesignOptions,
    VoiceSpeechOptions,
)
from llm_mimo.web_search import WebSearch
from mimo_core.models import MODELS
from scripts.cost_table import cost_table
from scripts.server_table import server_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "models": "docs/llm/chat.md",
    "options:chat": "docs/llm/options.md",
    "options:video": "docs/llm/options.md",
    "options:speech": "docs/llm/options.md",
    "options:transcription": "docs/llm/options.md",
    "websearch": "docs/llm/web-search.md",
    "servers": "docs/servers.md",
    "costs": "README.md",
}
"""Table -> the file that it stands in."""

_INPUTS = ("text", "image", "audio", "video")
_BLOCK = r"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)"


def tables() -> dict[str, str]:
    """Each table as Markdown, by the name of its markers."""
    chat = _options(ChatOptions)
    return {
        "models": _models(),
        "options:chat": _table(("option", "type", "meaning"), chat),
        "options:video": _table(
            ("option", "type", "meaning"),
            [row for row in _options(MediaChatOptions) if row not in chat],
        ),
        "options:speech": _speech(),
        "options:transcription": _table(
            ("option", "type", "meaning"), _options(TranscriptionOptions)
        ),
        "websearch": _web_search(),
        "servers": server_table(),
        "costs": cost_table((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")),
    }


def stale(pages: Mapping[str, str]) -> list[str]:
    """The names of the tables that their page of `pages` (by path) has otherwise, or not at all."""
    return [
        name
        for name, table in tables().items()
        if f"<!-- {name}:start -->\n{table}<!-- {name}:end -->" not in pages[PAGES[name]]
    ]


def updated(pages: Mapping[str, str]) -> dict[str, str]:
    """`pages` with every table that its page has markers for."""
    new = dict(pages)
    for name, table in tables().items():
        page = new[PAGES[name]]
        block = re.search(_BLOCK.format(name=re.escape(name)), page, re.DOTALL)
        if block is not None:
            new[PAGES[name]] = page[: block.end(1)] + table + page[block.start(2) :]
    return new


def pages_of(folder: Path = ROOT) -> dict[str, str]:
    """The pages of `folder` that hold tables, by path."""
    return {page: (folder / page).read_text(encoding="utf-8") for page in set(PAGES.values())}


def _models() -> str:
    rows = []
    for info in MODELS.values():
        thinking = "on by default" if info.thinking_default else "off by default"
        rows.append(
            (
                f"`{info.id}`",
                info.kind,
                ", ".join(name for name in _INPUTS if name in info.inputs),
                f"{info.context_window:,}" if info.context_window else "–",
                f"{info.max_output:,}" if info.kind != "asr" else "–",
                thinking if info.thinking else "no",
            )
        )
    return _table(("model", "kind", "input", "context", "most output", "thinking"), rows)


def _options(kind: type[llm.Options]) -> list[tuple[str, ...]]:
    properties = kind.model_json_schema()["properties"]
    # What all models share comes first in the class and is the least interesting.
    names = sorted(properties, key=lambda name: name == "timeout")
    return [
        (f"`{name}`", _type(properties[name]), properties[name]["description"]) for name in names
    ]


def _type(schema: dict[str, object]) -> str:
    kinds = schema.get("anyOf", [schema])
    assert isinstance(kinds, list)
    given = next(kind for kind in kinds if kind.get("type") != "null")
    if "enum" in given:
        return " \\| ".join(f"`{choice}`" for choice in given["enum"])
    names = {"array": "text or list", "string": "text"}
    return names.get(given["type"], str(given["type"]))


def _speech() -> str:
    families: dict[str, type[llm.Options]] = {
        "built-in voices": VoiceSpeechOptions,
        "voice design": VoiceDesignOptions,
        "voice clone": VoiceCloneOptions,
    }
    seen: dict[tuple[str, ...], list[str]] = {}
    for family, kind in families.items():
        for row in _options(kind):
            seen.setdefault(row, []).append(family)
    rows = [
        (name, type, "all" if len(where) == len(families) else ", ".join(where), meaning)
        for (name, type, meaning), where in seen.items()
    ]
    # First what makes the difference.
    rows.sort(key=lambda row: row[2] == "all")
    return _table(("option", "type", "models", "meaning"), rows)


def _web_search() -> str:
    lines = (inspect.getdoc(WebSearch) or "").splitlines()
    rows = []
    for line in lines:
        names, separator, meaning = line.partition(": ")
        if separator:
            rows.append((", ".join(f"`{name}`" for name in names.split(", ")), meaning))
    return _table(("argument", "meaning"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="tables of the pages")
    parser.add_argument("--write", action="store_true", help="update the pages")
    parser.add_argument("--check", action="store_true", help="exit code 1 where one is stale")
    options = parser.parse_args()
    pages = pages_of()
    if options.write:
        for page, text in updated(pages).items():
            if text != pages[page]:
                (ROOT / page).write_text(text, encoding="utf-8")
        pages = pages_of()
    if options.write or options.check:
        for name in (names := stale(pages)):
            sys.stderr.write(
                f"{PAGES[name]}: the table {name} is stale or its markers are missing. "
                "Run: make tables\n"
            )
        return int(bool(names))
    for name, table in tables().items():
        sys.stdout.write(f"<!-- {name}:start -->\n{table}<!-- {name}:end -->\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
