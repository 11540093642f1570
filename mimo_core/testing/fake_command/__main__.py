"""The command `mimo-fake`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_EXTRA = 'mimo-fake needs more than is installed ({}): pip install "mimo-core[testing]"\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. The plain emulator and JSON scripts do without the extra `testing`.

    Args:
        arguments: the command line without the program's name; None takes `sys.argv`.

    Returns:
        0; 1 where the port is taken, a strict script was not kept to or a cassette could not be
        written; 2 where an option or a file cannot be used, with one line that says why.
    """
    try:
        from mimo_core.testing.fake_command.command import run

        return run(arguments)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("mimo_core"):
            raise
        sys.stderr.write(_EXTRA.format(error.name))
        return 2


if __name__ == "__main__":
    sys.exit(main())
