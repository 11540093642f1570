"""Write the table of `cassettes/README.md`; `--check` only tells whether it is out of date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.cassettes.provenance import Provenance
from mimo_core.testing.errors import CassetteError

CASSETTES = Path(__file__).resolve().parent.parent / "cassettes"
BEGIN, END = "<!-- table: make tables -->\n", "<!-- end of table -->\n"
KINDS = {
    "vendor": "published",
    "emulator": "**emulator**",
    "source": "transcribed",
    "live": "live",
}


def main() -> int:
    """The exit code is 1 where `--check` finds an old table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--folder", type=Path, default=CASSETTES)
    options = parser.parse_args()
    readme = options.folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    new = with_table(text, options.folder)
    if text == new:
        return 0
    if options.check:
        sys.stderr.write(f"{readme} is out of date: run scripts/cassette_table.py.\n")
        return 1
    readme.write_text(new, encoding="utf-8")
    return 0


def with_table(text: str, folder: Path) -> str:
    """The README's text with a new table between its two markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the README lacks the lines {BEGIN!r} and {END!r}")
    return before + begin + "".join(rows(folder)) + end + after


def rows(folder: Path) -> Iterator[str]:
    """The table, line by line."""
    yield "\n| cassette | answers | from | date | requests | given to | shows |\n"
    yield "|---|---|---|---|---:|---|---|\n"
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).as_posix()
        document = read(path)
        provenance = Provenance.of(document, path)
        if provenance is None:
            raise CassetteError(f"{name} does not say whose answers it holds: add a provenance.")
        cells = (
            f"[{name}]({name})",
            KINDS[provenance.kind],
            provenance.source,
            provenance.date,
            str(len(document["interactions"])),
            provenance.match,
            provenance.note,
        )
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"
    yield "\n"


if __name__ == "__main__":
    sys.exit(main())
