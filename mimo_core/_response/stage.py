"""How far the reading of one answer has come."""

from enum import Enum, auto


class Stage(Enum):
    """How far the reading of one answer has come."""

    WAITING = auto()
    """Nothing has been given out: the request can be sent again."""
    STARTED = auto()
    COMPLETE = auto()
    """The last chunk has been given out."""
    FAILED = auto()
    """`close` will raise why."""


# Every event asks for them, and an attribute of an Enum class takes ten times as long to read.
WAITING, STARTED, COMPLETE, FAILED = Stage
