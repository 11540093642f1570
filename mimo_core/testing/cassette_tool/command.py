"""The command line of `mimo-cassette`: what is asked for, and the exit code.

Each subcommand imports what it needs itself: `check` runs before every commit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mimo_core.testing.errors import CassetteError


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        0; 1 where something differs or was found; 2 on trouble.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # an encoding that lacks a sign must not end it
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except CassetteError as error:
        sys.stderr.write(f"mimo-cassette: {error}\n")
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except (OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"mimo-cassette: {error}. Check the path.\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mimo-cassette",
        description="Look at cassettes, compare them, check them, and make pages of them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    show = commands.add_parser("show", help="a conversation to read in a terminal")
    show.add_argument("file", help="the cassette")
    show.add_argument("--full", action="store_true", help="fold nothing")
    show.set_defaults(run=_show)

    diff = commands.add_parser(
        "diff", help="what differs by meaning; exit code 1 where something does"
    )
    diff.add_argument("first", metavar="A", help="the old cassette (its side: recorded)")
    diff.add_argument("second", metavar="B", help="the new cassette (its side: sent)")
    diff.add_argument("--events", action="store_true", help="compare streams event by event too")
    diff.add_argument("--quiet", action="store_true", help="leave out what is the same")
    diff.set_defaults(run=_diff)

    check = commands.add_parser(
        "check", help="keys, provenance, retired models, broken files; exit code 1 for findings"
    )
    check.add_argument(
        "paths", nargs="*", default=["."], help="cassettes, or folders of them (default: .)"
    )
    check.add_argument(
        "--ignore", metavar="KINDS", default="", help="kinds to leave out, e.g. model,audio"
    )
    check.add_argument(
        "--strict", action="store_true", help="exit code 1 for remarks too, not only for errors"
    )
    check.set_defaults(run=_check)

    html = commands.add_parser("html", help="one page that needs no network")
    html.add_argument("file", help="the cassette")
    html.add_argument("-o", "--output", metavar="OUT", help="the page; - for stdout")
    html.add_argument(
        "--force", action="store_true", help="replace a file that mimo-cassette did not make"
    )
    html.set_defaults(run=_html)
    return parser


def _show(options: argparse.Namespace) -> int:
    from mimo_core.testing.cassette_tool.loading import load
    from mimo_core.testing.cassette_tool.show import show

    show(load(options.file), sys.stdout, full=options.full)
    return 0


def _diff(options: argparse.Namespace) -> int:
    from mimo_core.testing.cassette_tool.diff import compare
    from mimo_core.testing.cassette_tool.words import visible

    found = compare(options.first, options.second, events=options.events)
    lines = [f"--- recorded: {options.first}", f"+++ sent: {options.second}"]
    lines += [one.text for one in found if not (options.quiet and one.kind == "same")]
    differs = any(one.kind != "same" for one in found)
    if differs or not options.quiet:
        sys.stdout.write(visible("\n".join(lines)) + "\n")
    return 1 if differs else 0


def _check(options: argparse.Namespace) -> int:
    from mimo_core.testing.cassette_tool.check import check
    from mimo_core.testing.cassette_tool.findings import KINDS
    from mimo_core.testing.cassette_tool.words import line

    ignored = frozenset(filter(None, options.ignore.replace(" ", "").split(",")))
    if unknown := sorted(ignored - set(KINDS)):
        raise CassetteError(f"--ignore {unknown[0]}: it can be {', '.join(KINDS)}.")
    errors = remarks = 0
    for found in check(options.paths, ignored):
        sys.stdout.write(line(str(found), 1000) + "\n")
        errors += not found.finding.is_remark
        remarks += found.finding.is_remark
    if errors or remarks:
        sys.stderr.write(f"mimo-cassette: {errors} errors, {remarks} remarks\n")
    return 1 if errors or (options.strict and remarks) else 0


def _html(options: argparse.Namespace) -> int:
    from mimo_core.testing.cassette_tool.loading import load
    from mimo_core.testing.cassette_tool.page import page_of, write_page

    page = page_of(load(options.file))
    if options.output == "-":
        sys.stdout.write(page)
        return 0
    target = Path(options.output or Path(options.file).with_suffix(".html").name)
    if target.exists() and target.samefile(options.file):
        raise CassetteError(f"{target} is the cassette itself. Name another file with -o.")
    write_page(target, page, force=options.force)
    sys.stderr.write(f"mimo-cassette: {target}\n")
    return 0
