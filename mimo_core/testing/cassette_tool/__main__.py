"""The command `mimo-cassette`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_EXTRA = 'mimo-cassette needs more than is installed ({}): pip install "mimo-core[testing]"\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """The program.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        0; 1 where something differs or was found; 2 on trouble, with one line that says which.
    """
    try:
        from mimo_core.testing.cassette_tool.command import run

        return run(arguments)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("mimo_core"):
            raise
        sys.stderr.write(_EXTRA.format(error.name))
        return 2


if __name__ == "__main__":
    sys.exit(main())
