"""`python -m mimo_core.testing.emulator`: another name of the command `mimo-fake`."""

from __future__ import annotations

import sys

from mimo_core.testing.fake_command.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
