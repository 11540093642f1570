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

from mimo_core.files import replacing
from mimo_core.gateways import serves_mimo
from mimo_core.testing.cassettes.cleaning import (
    MiMoRequest,
    as_text,
    clean_response,
    is_clean,
)
from mimo_core.testing.cassettes.edits import rewrite
from mimo_core.testing.cassettes.matching import FOREIGN
from mimo_core.testing.cassettes.provenance import (
    EMULATOR_SERVER,
    Provenance,
    emulator_uri,
    host_of,
)
from mimo_core.testing.cassettes.redaction import clean_uri, key_edits
from mimo_core.testing.cassettes.vcrpy import (
    CASSETTE_FORMAT_VERSION,
    CassetteNotFoundError,
    FilesystemPersister,
    Request,
    convert_to_bytes,
    convert_to_unicode,
    yamlserializer,
)
from mimo_core.testing.errors import CassetteError

if TYPE_CHECKING:
    from mimo_core.testing.cassettes.cleaning import Scrub
    from mimo_core.testing.cassettes.ignoring import MatchRule
    from mimo_core.testing.cassettes.vcrpy import Serializer

FOREIGN_MARK = "foreign"
"""What stands beside an exchange of a file of ours that is none of MiMo's."""


class MiMoPersister:
    """Loads and saves cassettes for vcrpy: MiMo's exchanges without keys, others as vcrpy does.

    A file without any exchange of MiMo's is loaded and saved by the persister that was there.

    Args:
        provenance: for what is saved; None derives it from the hosts that answered.
        note: what the cassette shows, for a derived provenance.
        base: the persister that was there; None for vcrpy's own.
        whole: all that is said over HTTP is MiMo's, whatever the address.
        scrub: a user's own redaction: given a body, an address or a line of a stream, the text
            that may stand in the file. Ours comes before and after it.
        keep_audio: keep sound as long as it came; else about 740 bytes of it are kept.
        rule: what is left out when requests are compared.

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
        base: Any = None,
        whole: bool = False,
        scrub: Scrub | None = None,
        keep_audio: bool = False,
        rule: MatchRule | None = None,
    ) -> None:
        self._provenance = provenance
        self._note = note
        self._base: Any = FilesystemPersister if base is None else base
        self._extra_paths: Sequence[str] = getattr(base, "extra_paths", ())  # pytest-recording's
        self.whole = whole
        self.scrub = scrub
        self.rule = rule
        self._keep_audio = keep_audio

    def load_cassette(
        self, cassette_path: Any, serializer: Serializer
    ) -> tuple[list[Request], list[dict[str, Any]]]:
        """Requests and responses of the cassette and of the further ones."""
        named = dict.fromkeys((str(cassette_path), *self._extra_paths))
        paths = [path for path in map(Path, named) if path.is_file()]
        if not self.whole and not any(map(_has_provenance, paths)):
            requests, responses = self._base.load_cassette(cassette_path, serializer)
            return [_foreign(request) for request in requests], responses
        loaded = [_load(path, serializer) for path in paths]
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
        if not any(map(is_clean, requests)):
            self._base.save_cassette(path, cassette_dict, serializer)
            return
        # Any answer may repeat the key of another request of the file.
        secrets = frozenset[str]().union(*(getattr(r, "secrets", None) or () for r in requests))
        interactions = [
            self._interaction(request, response, secrets)
            if is_clean(request)
            else _others_interaction(request, response)
            for request, response in zip(requests, responses, strict=True)
        ]
        before = _document(path, serializer)
        old = Provenance.of(before, path)
        if old is not None and old.kind == "vendor" and self._provenance is None:
            raise published(path)
        ours = [one for one in interactions if not one.get(FOREIGN_MARK)]
        hosts = [host_of(interaction["request"]["uri"]) for interaction in ours]
        note = self._note or (old.note if old else "")
        new = self._provenance or Provenance.of_recording(hosts, note)
        if old == replace(new, date=old.date if old else "") and (
            before["interactions"] == interactions
        ):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(dump(new, interactions, serializer).encode())

    def _interaction(
        self, request: MiMoRequest, response: Mapping[str, Any], secrets: frozenset[str]
    ) -> dict[str, Any]:
        """One exchange as it stands in the file, without its own secrets and the given ones."""
        emulated = EMULATOR_SERVER in response["headers"].get("server", [])
        known = secrets | (request.secrets or frozenset())
        answer = clean_response(
            response, known, emulated=emulated, scrub=self.scrub, keep_audio=self._keep_audio
        )
        body = request.body
        if isinstance(body, bytes):  # another request's key, which this one's prompt may say
            body, _ = rewrite(body, [], key_edits(body, secrets))
        uri = clean_uri(request.uri, secrets)
        return {
            "request": {
                "method": request.method,
                "uri": emulator_uri(uri) if emulated else uri,
                "body": as_text(body) if body else body,
                "headers": {name: [value] for name, value in request.headers.items()},
            },
            "response": answer,
        }


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


def _has_provenance(path: Path) -> bool:
    """Whether a file is one of ours. What cannot be read is the base's to complain about."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return any(line.startswith(("provenance:", '"provenance"')) for line in file)
    except OSError:
        return False


def _load(path: Path, serializer: Serializer) -> tuple[list[Request], list[dict[str, Any]]]:
    document = _document(path, serializer)
    provenance = Provenance.of(document, path)
    # Without provenance it is somebody else's cassette: vcrpy's own default holds.
    match = provenance.match if provenance else FOREIGN
    requests: list[Request] = []
    responses: list[dict[str, Any]] = []
    for number, one in enumerate(document["interactions"], start=1):
        try:
            foreign = bool(one.get(FOREIGN_MARK))
            requests.append(Request(**one["request"]) if foreign else _recorded(one, match))
            responses.append(convert_to_bytes(one["response"]))
            _check_response(one["response"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CassetteError(
                f"{path}: interaction {number} is not one ({type(error).__name__}: {error}). "
                "Record it again."
            ) from error
    return requests, responses


def _check_response(response: Mapping[str, Any]) -> None:
    """Raise one of Python's errors for what cannot be played."""
    body, code = response["body"], response["status"]["code"]
    if type(code) is not int:
        raise TypeError(f"the status is {code!r}")
    _ = response["headers"].items(), body["string"]
    for name in ("pieces", "times"):
        if any(type(length) is not int for length in body.get(name) or ()):
            raise TypeError(f"{name} are not whole numbers")
    if not isinstance(body.get("broken") or {}, dict):
        raise TypeError("broken is not a mapping")


def _recorded(interaction: Mapping[str, Any], match: str) -> MiMoRequest:
    """A request of a file, as vcrpy represents it."""
    recorded = MiMoRequest(**interaction["request"])
    recorded.match = match
    return recorded


def _foreign(request: Request) -> Request:
    """A request of a file that is not ours. MiMo's are compared as vcrpy compares by default."""
    if not serves_mimo(request.uri):
        return request
    recorded = MiMoRequest(request.method, request.uri, request.body, request.headers)
    recorded.match = FOREIGN
    return recorded


def _others_interaction(request: Request, response: Mapping[str, Any]) -> dict[str, Any]:
    """An exchange that is none of MiMo's, as vcrpy would have written it."""
    return {
        "request": convert_to_unicode(request._to_dict()),
        "response": convert_to_unicode(response),
        FOREIGN_MARK: True,
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
        for name in ("pieces", "times") if isinstance(body, dict) else ():
            if name in body:
                body[name] = _Pieces(body[name])
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
