"""Console commands that need the extra `testing`, and say so where it is not installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

_EXTRA = '{} needs more than is installed ({}): pip install "mimo-core[testing]"\n'


def replay(arguments: Sequence[str] | None = None) -> int:
    """The command `mimo-replay`.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        The exit code of the command that it runs; 2 if the cassette or the command could not be
        used, or the extra `testing` is not installed, with one line that says so.
    """

    def load() -> Callable[[Sequence[str] | None], int]:
        from mimo_core.testing.cassettes.replay import main

        return main

    return _with_extra("mimo-replay", load, arguments)


def _with_extra(
    name: str,
    load: Callable[[], Callable[[Sequence[str] | None], int]],
    arguments: Sequence[str] | None,
) -> int:
    """Run a command whose modules need the extra. What the command itself lacks is its own."""
    try:
        main = load()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("mimo_core"):
            raise
        sys.stderr.write(_EXTRA.format(name, error.name))
        return 2
    return main(arguments)
