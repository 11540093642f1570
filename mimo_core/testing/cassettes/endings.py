"""How a recorded answer ended: whole, broken, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

CLOSED = "closed by the client"
"""The `error` of a `broken` answer that the client did not read to its end."""
NO_ANSWER = 0
"""What stands for the status where the connection failed before there was one."""
# The last bytes a complete answer ends in, in either protocol.
_ENDINGS = (b"data: [DONE]", b'"type": "message_stop"', b'"type":"message_stop"')


def is_whole(pieces: Sequence[bytes]) -> bool:
    """Whether a stream that was closed early had said all.

    Args:
        pieces: what was read of it.
    """
    return any(ending in b"".join(pieces[-2:]) for ending in _ENDINGS)
