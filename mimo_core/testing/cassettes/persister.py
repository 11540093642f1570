"""The file: plain vcrpy YAML that a person can read, with its provenance at the top.

What vcrpy does not know (`provenance`, and `pieces`, `broken`, `note` beside a response's
`string`) it ignores when it loads the file without this library.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mimo_core.testing.cassettes.cleaning import (
    MiMoRequest,
    as_text,
    clean_request,
    clean_response,
    is_clean,
)
from mimo_core.testing.cassettes.matching import FOREIGN
from mimo_core.testing.cassettes.provenance import (
    EMULATOR_SERVER,
    Provenance,
    emulator_uri,
    host_of,
)
from mimo_core.testing.cassettes.vcrpy import (
    CASSETTE_FORMAT_VERSION,
    CassetteNotFoundError,
    FilesystemPersister,
    Request,
    convert_to_bytes,
    yamlserializer,
)
from mimo_core.testing.errors import CassetteError

if TYPE_CHECKING:
    from mimo_core.testing.cassettes.vcrpy import Serializer


class MiMoPersister:
    """Loads and saves cassettes for vcrpy.

    Args:
        provenance: for what is saved; None derives it from the hosts that answered.
        note: what the cassette shows, for a derived provenance.
        extra_paths: further cassettes to play from, as pytest-recording has them.

    Attributes:
        error: why the last save failed. It is kept and not raised, because an exception at that
            point would keep vcrpy from taking its patches back; whoever opened the cassette has to
            call `check_saved` afterwards.
    """

    error: Exception | None = None

    def __init__(
        self,
        provenance: Provenance | None = None,
        *,
        note: str = "",
        extra_paths: Sequence[str] = (),
    ) -> None:
        self._provenance = provenance
        self._note = note
        self._extra_paths = extra_paths

    def load_cassette(
        self, cassette_path: Any, serializer: Serializer
    ) -> tuple[list[MiMoRequest], list[dict[str, Any]]]:
        """Requests and responses of the cassette and of the further ones."""
        paths = dict.fromkeys((str(cassette_path), *self._extra_paths))
        loaded = [_load(Path(path), serializer) for path in paths if Path(path).is_file()]
        if not loaded:
            raise CassetteNotFoundError
        return (
            [request for requests, _ in loaded for request in requests],
            [response for _, responses in loaded for response in responses],
        )

    def save_cassette(
        self, cassette_path: Any, cassette_dict: dict[str, list[Any]], serializer: Serializer
    ) -> None:
        """Write the file, unless it would differ by its date only."""
        try:
            self._save(Path(cassette_path), cassette_dict, serializer)
        except Exception as error:
            self.error = error

    def check_saved(self) -> None:
        """Raise the error of a save, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error

    def _save(
        self, path: Path, cassette_dict: dict[str, list[Any]], serializer: Serializer
    ) -> None:
        requests, responses = cassette_dict["requests"], cassette_dict["responses"]
        if not all(map(is_clean, requests)):
            # Recorded with a configuration of the user's own: vcrpy saves it as ever.
            FilesystemPersister.save_cassette(path, cassette_dict, serializer)
            return
        # Any answer may repeat the key of another request of the file.
        secrets = frozenset[str]().union(
            *(clean_request(request).secrets or () for request in requests)
        )
        interactions = [
            _interaction(request, response, secrets)
            for request, response in zip(requests, responses, strict=True)
        ]
        before = _document(path, serializer)
        old = Provenance.of(before, path)
        if old is not None and old.kind == "vendor" and self._provenance is None:
            raise published(path)
        hosts = [host_of(interaction["request"]["uri"]) for interaction in interactions]
        note = self._note or (old.note if old else "")
        new = self._provenance or Provenance.of_recording(hosts, note)
        if old == replace(new, date=old.date if old else "") and (
            before["interactions"] == interactions
        ):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump(new, interactions, serializer), encoding="utf-8", newline="\n")


def published(path: Path) -> CassetteError:
    """The error for recording over a cassette of published answers."""
    return CassetteError(
        f"{path} holds published answers and is not recorded over. Name another file."
    )


def read(path: str | Path) -> dict[str, Any]:
    """Read a cassette as it stands in the file.

    Args:
        path: the YAML file.

    Returns:
        Its `version`, `provenance` and `interactions`.

    Raises:
        CassetteError: the file is missing or is not a cassette.
    """
    path = Path(path)
    if not path.is_file():
        raise CassetteError(f"There is no cassette {path}. Record it, or correct the path.")
    return _document(path, yamlserializer)


def _document(path: Path, serializer: Serializer) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = serializer.deserialize(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CassetteError(f"{path} is not a cassette: {reason}. Record it again.") from error
    if not isinstance(document, dict) or not isinstance(document.get("interactions"), list):
        raise CassetteError(f"{path} is not a cassette: it has no interactions. Record it again.")
    return document


def _load(path: Path, serializer: Serializer) -> tuple[list[MiMoRequest], list[dict[str, Any]]]:
    document = _document(path, serializer)
    provenance = Provenance.of(document, path)
    # Without provenance it is somebody else's cassette: vcrpy's own default holds.
    match = provenance.match if provenance else FOREIGN
    requests = [_recorded(one["request"], match) for one in document["interactions"]]
    return requests, [convert_to_bytes(one["response"]) for one in document["interactions"]]


def _recorded(request: Mapping[str, Any], match: str) -> MiMoRequest:
    """A request of a file, as vcrpy represents it."""
    recorded = MiMoRequest(**request)
    recorded.match = match
    return recorded


def _interaction(
    request: Request, response: Mapping[str, Any], secrets: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """One exchange as it stands in the file, without its own secrets and the given ones."""
    sent = clean_request(request)
    emulated = EMULATOR_SERVER in response["headers"].get("server", [])
    answer = clean_response(response, secrets | (sent.secrets or frozenset()), emulated=emulated)
    body = sent.body
    return {
        "request": {
            "method": sent.method,
            "uri": emulator_uri(sent.uri) if emulated else sent.uri,
            "body": as_text(body) if body else body,
            "headers": {name: [value] for name, value in sent.headers.items()},
        },
        "response": answer,
    }


class _Pieces(list[int]):
    """Lengths, written on one line."""


class _Dumper(yaml.SafeDumper):
    """Block style for bodies, so that JSON and events stand in the file as they are."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if re.search("[\r\x85\u2028\u2029\ufeff]", text):
        style = '"'  # YAML's reader turns other line breaks into \n where they are not escaped
    elif ("\n" in text or len(text) > 80) and not text[:1].isspace():
        style = "|"  # which cannot tell leading space from indent
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_pieces(dumper: yaml.SafeDumper, pieces: _Pieces) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", pieces, flow_style=True)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Pieces, _represent_pieces)


def dump(
    provenance: Provenance,
    interactions: list[dict[str, Any]],
    serializer: Serializer = yamlserializer,
) -> str:
    """The text of a cassette.

    Args:
        provenance: whose answers they are.
        interactions: the exchanges, as `_interaction` makes them.
        serializer: vcrpy's serializer; its YAML is replaced by one that people can read.

    Returns:
        The whole file.
    """
    readable = copy.deepcopy(interactions)
    document = {
        "version": CASSETTE_FORMAT_VERSION,
        "provenance": provenance.as_dict(),
        "interactions": readable,
    }
    if serializer is not yamlserializer:
        return serializer.serialize(document)
    for interaction in readable:
        body = interaction["response"]["body"]
        if "pieces" in body:
            body["pieces"] = _Pieces(body["pieces"])
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
