"""Where the examples' answers come from: MiMo with a key, the emulator's script without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mimo_core.testing import FakeMiMo, Reply


@contextmanager
def answers(*replies: Reply) -> Iterator[None]:
    """Nothing with MIMO_API_KEY; else the emulator answers `replies`, and the last line says so.

    Args:
        replies: one for each request, in order.
    """
    if os.environ.get("MIMO_API_KEY"):
        yield
        return
    before = os.environ.copy()
    with FakeMiMo() as mimo:
        mimo.queue(*replies)
        os.environ |= {"MIMO_API_KEY": "sk-emulator", "MIMO_BASE_URL": mimo.base_url}
        try:
            yield
        finally:
            os.environ.clear()
            os.environ |= before
    print("[answered by the emulator: no model has run]")
