"""The tables of README.md that are made from the code: models, options, arguments of WebSearch.

    python scripts/readme_tables.py           prints every table
    python scripts/readme_tables.py --write   puts them between their markers in README.md
    python scripts/readme_tables.py --check   exit code 1 where README.md is stale

A table stands between `<!-- NAME:start -->` and `<!-- NAME:end -->`.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Sequence
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
from scripts.server_table import server_table

README = Path(__file__).parent.parent / "README.md"
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
    }


def stale(readme: str) -> list[str]:
    """The names of the tables that differ from those in `readme`, or are not in it."""
    return [
        name
        for name, table in tables().items()
        if f"<!-- {name}:start -->\n{table}<!-- {name}:end -->" not in readme
    ]


def updated(readme: str) -> str:
    """`readme` with every table that it has markers for."""
    for name, table in tables().items():
        block = re.search(_BLOCK.format(name=re.escape(name)), readme, re.DOTALL)
        if block is not None:
            readme = readme[: block.end(1)] + table + readme[block.start(2) :]
    return readme


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
    parser = argparse.ArgumentParser(description="README tables made from the code")
    parser.add_argument("--write", action="store_true", help="update README.md")
    parser.add_argument("--check", action="store_true", help="exit code 1 where it is stale")
    options = parser.parse_args()
    readme = README.read_text(encoding="utf-8")
    if options.write:
        README.write_text(updated(readme), encoding="utf-8")
    elif options.check:
        if names := stale(readme):
            sys.stderr.write(
                f"README.md is stale: {', '.join(names)}. "
                "Run: python scripts/readme_tables.py --write\n"
            )
            return 1
    else:
        for name, table in tables().items():
            sys.stdout.write(f"<!-- {name}:start -->\n{table}<!-- {name}:end -->\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
