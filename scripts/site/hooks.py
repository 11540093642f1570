"""mkdocs calls this: generated pages are added, tables and outputs put where pages ask for them."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File, Files

from scripts.site.outputs import with_outputs
from scripts.site.pages import generated_pages, with_tables


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made from the code."""
    for name, text in generated_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where a page says `<!-- table: NAME -->`, and what its blocks print."""
    return with_outputs(with_tables(markdown))
