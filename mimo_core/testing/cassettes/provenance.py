"""Whose answers a cassette holds: published, emulated, transcribed or live ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from mimo_core.testing.errors import CassetteError

Kind = Literal["vendor", "emulator", "source", "live"]
Match = Literal["exact", "question", "model"]

EMULATOR_SERVER = "FakeMiMo"
"""The `server` header that the emulator sends."""
EMULATOR_HOST = "emulator.localhost"
"""The host that stands in a cassette for the emulator's, whose port changes."""


@dataclass(frozen=True)
class Provenance:
    """Where a cassette's answers come from, as it stands in the file beside them.

    Attributes:
        kind: `vendor` (published by the vendor or a gateway), `emulator` (made by FakeMiMo; no
            model has run), `source` (transcribed from the code of a server, which has not
            answered) or `live` (recorded at a gateway).
        source: where they were published, which host answered, or which file of which version.
        date: of the publication or of the recording, `YYYY-MM-DD`.
        note: what the cassette shows.
        match: which requests the answers are given to. `exact`: the same body by meaning;
            `question`: the same model, `stream` and last user text; `model`: the same model.
    """

    kind: Kind
    source: str = ""
    date: str = ""
    note: str = ""
    match: Match = "exact"

    @classmethod
    def of(cls, document: Mapping[str, Any], path: str | Path = "") -> Provenance | None:
        """Read the provenance of a loaded cassette.

        Args:
            document: the cassette, as `persister.read` gives it.
            path: its file, for error messages.

        Returns:
            The provenance, or None if the cassette does not have one.

        Raises:
            CassetteError: it has a `kind` or a `match` that this version does not know.
        """
        given = document.get("provenance")
        if not isinstance(given, Mapping):
            return None
        known: dict[str, Any] = {
            name: str(given[name]) for name in cls.__dataclass_fields__ if name in given
        }
        if known.get("kind") not in get_args(Kind):
            raise CassetteError(f"{path}: provenance.kind must be one of {get_args(Kind)}.")
        if known.get("match", "exact") not in get_args(Match):
            raise CassetteError(f"{path}: provenance.match must be one of {get_args(Match)}.")
        return cls(**known)

    @classmethod
    def of_recording(cls, hosts: Iterable[str], note: str = "") -> Provenance:
        """The provenance of what these hosts have just answered.

        Args:
            hosts: the hosts of the recorded requests.
            note: what the cassette shows.

        Returns:
            `emulator` or `live`, dated today. One answer of the emulator makes it `emulator`:
            nothing may pass for MiMo's.
        """
        answered = sorted(set(hosts))
        if EMULATOR_HOST in answered:
            source = "FakeMiMo, this project's emulator; no model has run"
            return cls("emulator", source, today(), note)
        return cls("live", ", ".join(answered), today(), note)

    def as_dict(self) -> dict[str, str]:
        """The fields for the file; empty ones are left out."""
        return {name: value for name, value in asdict(self).items() if value}

    def __str__(self) -> str:
        if self.kind == "vendor":
            return f"answers published by {self.source} ({self.date})"
        if self.kind == "emulator":
            return f"answers made by {self.source} ({self.date})"
        if self.kind == "source":
            return f"answers transcribed from {self.source}, which has not answered ({self.date})"
        return f"answers recorded live at {self.source} ({self.date})"


def today() -> str:
    """The date as it stands in a cassette, in UTC."""
    return datetime.now(UTC).date().isoformat()


def host_of(uri: str) -> str:
    """The host of a recorded URI."""
    return urlsplit(uri).hostname or ""


def emulator_uri(uri: str) -> str:
    """The URI of a request to the emulator, without the port of the moment."""
    parts = urlsplit(uri)
    return parts._replace(scheme="http", netloc=EMULATOR_HOST).geturl()
