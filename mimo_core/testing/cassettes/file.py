"""The file: plain vcrpy YAML that a person can read, with its provenance at the top.

What vcrpy does not know (`provenance`, and `pieces`, `broken`, `note` beside a response's
`string`) it ignores when it loads the file without this library.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from vcr.filters import decode_response  # type: ignore[import-untyped]
from vcr.persisters.filesystem import (  # type: ignore[import-untyped]
    CassetteNotFoundError,
    FilesystemPersister,
)
from vcr.request import Request  # type: ignore[import-untyped]
from vcr.serialize import CASSETTE_FORMAT_VERSION  # type: ignore[import-untyped]
from vcr.serializers import yamlserializer  # type: ignore[import-untyped]
from vcr.serializers.compat import convert_to_bytes  # type: ignore[import-untyped]

from mimo_core.testing.cassettes.edits import Edit, json_of, pretty, rewrite
from mimo_core.testing.cassettes.payloads import name_large, shorten
from mimo_core.testing.cassettes.provenance import (
    EMULATOR_SERVER,
    Provenance,
    emulator_uri,
    host_of,
)
from mimo_core.testing.cassettes.redaction import (
    clean_text,
    clean_uri,
    key_edits,
    request_headers,
    response_headers,
    secrets_in,
)
from mimo_core.testing.errors import CassetteError

# What changes from one run of the emulator to the next and means nothing.
_EMULATOR_IDS = re.compile(rb'(?<=")((?:chatcmpl-|audio_|msg_)?)([0-9a-f]{24,32})(?=")')
_EMULATOR_TIME = re.compile(rb'"created": (\d{10})\b')
_FIXED_TIME = b"1767225600"  # 2026-01-01T00:00:00Z


def clean_request(request: Any) -> Any:
    """vcrpy's `before_record_request`: the request without keys and large payloads.

    It is applied to the recorded requests and to the one that looks for its answer, so that both
    are compared as they would stand in the file. What it took for keys it leaves in
    `request.mimo_secrets`, which is never written.
    """
    secrets = getattr(request, "mimo_secrets", frozenset()) | secrets_in(request.headers)
    uri = clean_uri(request.uri, secrets)
    body = request.body
    if isinstance(body, bytes) and body:
        body, _ = rewrite(body, [], key_edits(body, secrets))
        body = name_large(body)
        payload = json_of(body)
        body = body if payload is None else pretty(payload)
    cleaned = Request(request.method, uri, body, request_headers(request.headers))
    cleaned.mimo_secrets = secrets
    cleaned.mimo_match = getattr(request, "mimo_match", None)
    return cleaned


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

    def load_cassette(self, cassette_path: Any, serializer: Any) -> tuple[list[Any], list[Any]]:
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
        self, cassette_path: Any, cassette_dict: dict[str, list[Any]], serializer: Any
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

    def _save(self, path: Path, cassette_dict: dict[str, list[Any]], serializer: Any) -> None:
        requests, responses = cassette_dict["requests"], cassette_dict["responses"]
        if not all(hasattr(request, "mimo_secrets") for request in requests):
            # Recorded with a configuration of the user's own: none of our business.
            FilesystemPersister.save_cassette(path, cassette_dict, serializer)
            return
        interactions = [
            _interaction(request, response)
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
    """The cassette as it stands in the file: `version`, `provenance`, `interactions`.

    Raises:
        CassetteError: it is not there, or is no cassette.
    """
    path = Path(path)
    if not path.is_file():
        raise CassetteError(f"There is no cassette {path}. Record it, or correct the path.")
    return _document(path, yamlserializer)


def _document(path: Path, serializer: Any) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = serializer.deserialize(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CassetteError(f"{path} is no cassette: {reason}. Record it again.") from error
    if not isinstance(document, dict) or not isinstance(document.get("interactions"), list):
        raise CassetteError(f"{path} is no cassette: it has no interactions. Record it again.")
    return document


def _load(path: Path, serializer: Any) -> tuple[list[Any], list[Any]]:
    document = _document(path, serializer)
    provenance = Provenance.of(document, path)
    requests = [Request._from_dict(one["request"]) for one in document["interactions"]]
    for request in requests:
        # Without provenance it is somebody else's cassette: vcrpy's own default holds.
        request.mimo_match = provenance.match if provenance else "vcr"
    return requests, [convert_to_bytes(one["response"]) for one in document["interactions"]]


def _interaction(request: Any, response: dict[str, Any]) -> dict[str, Any]:
    """One exchange as it stands in the file."""
    sent = clean_request(request)
    answer = copy.deepcopy(response)
    emulated = EMULATOR_SERVER in answer["headers"].get("server", [])
    _decode(answer)
    _clean(answer, sent.mimo_secrets, emulated=emulated)
    body = sent.body
    return {
        "request": {
            "method": sent.method,
            "uri": emulator_uri(sent.uri) if emulated else sent.uri,
            "body": _as_text(body) if body else body,
            "headers": {name: [value] for name, value in sent.headers.items()},
        },
        "response": answer,
    }


def _decode(answer: dict[str, Any]) -> None:
    """Undo a compression: nobody could read it, nor look for keys in it. In place."""
    answer["headers"] = {name.lower(): values for name, values in answer["headers"].items()}
    if answer["headers"].get("content-encoding", ["identity"]) == ["identity"]:
        return
    answer |= decode_response(answer)
    answer["body"].pop("pieces", None)  # they were the breaks of the compressed bytes
    if encoding := answer["headers"].get("content-encoding"):
        raise CassetteError(
            f"An answer is compressed with {encoding[0]}, which cannot be searched for keys; "
            "ask for `accept-encoding: identity`."
        )


def _clean(answer: dict[str, Any], secrets: frozenset[str], *, emulated: bool) -> None:
    """The answer without keys, with large payloads shortened. In place."""
    answer["headers"] = response_headers(answer["headers"], secrets)
    if isinstance(status := answer.get("status"), dict) and status.get("message"):
        status["message"] = clean_text(str(status["message"]), secrets)
    held = answer["body"]
    body = held.get("string") or b""
    body = body.encode() if isinstance(body, str) else body
    pieces = held.get("pieces") or []
    body, pieces = rewrite(body, pieces, key_edits(body, secrets))
    shortened = shorten(body)
    body, pieces = rewrite(body, pieces, shortened.edits)
    if emulated:
        body, pieces = rewrite(body, pieces, _steady(body))
    answer["body"] = {"string": _as_text(body)}
    if len(pieces) > 1 and _is_stream(answer["headers"]):
        answer["body"]["pieces"] = pieces  # of other bodies they are the accident of a moment
    for name in ("broken", "note"):
        if held.get(name):
            answer["body"][name] = held[name]
    if shortened.note:
        answer["body"]["note"] = shortened.note


def _is_stream(headers: dict[str, list[str]]) -> bool:
    return any("event-stream" in value for value in headers.get("content-type", ()))


def _steady(body: bytes) -> list[Edit]:
    """Edits that give an emulator's answer the same ids and time at each recording.

    Ids of tool calls (`call_…`, `toolu_…`) stay: later requests repeat them.
    """
    edits = [Edit(*match.span(1), _FIXED_TIME) for match in _EMULATOR_TIME.finditer(body)]
    for match in _EMULATOR_IDS.finditer(body):
        edits.append(Edit(*match.span(2), b"0" * (len(match.group(2)))))
    return edits


def _as_text(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


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
    provenance: Provenance, interactions: list[dict[str, Any]], serializer: Any = yamlserializer
) -> str:
    """The text of a cassette."""
    readable = copy.deepcopy(interactions)
    document = {
        "version": CASSETTE_FORMAT_VERSION,
        "provenance": provenance.as_dict(),
        "interactions": readable,
    }
    if serializer is not yamlserializer:
        return str(serializer.serialize(document))
    for interaction in readable:
        body = interaction["response"]["body"]
        if "pieces" in body:
            body["pieces"] = _Pieces(body["pieces"])
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
