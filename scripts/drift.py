"""How true the emulator is: `make drift` asks the service what the cassettes asked the emulator.

First the doctor asks what is believed of the service (`mimo_core/doctor/facts.py`), unless
cassettes are named. Then every request of every cassette that the emulator answered is sent to
MIMO_BASE_URL (Xiaomi's where that is not set) with MIMO_API_KEY. Printed is where the answers
differ in shape or in what they refuse, field by field; what a model says is not compared. The exit
code is 1 where they differ.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mimo_core import MiMoError
from mimo_core.doctor import Settings, cost_of, doctor
from mimo_core.gateways import Endpoint
from mimo_core.testing.cassettes.payloads import restore_large
from mimo_core.testing.cassettes.persister import read
from mimo_core.testing.cassettes.provenance import Provenance
from scripts.scenarios.catalog import all_scenarios
from scripts.scenarios.media import media

CASSETTES = Path(__file__).resolve().parent.parent / "cassettes"
# Fields whose value is part of the shape: a word out of a few.
WORDS = frozenset(
    {"finish_reason", "native_finish_reason", "stop_reason", "object", "role", "type"}
)
# The service's wording of an error. Where only the fact is published, ours is a guess.
ERROR_FIELDS = ("code", "message", "param", "type")
ABSENT = "absent"


@dataclass
class Answer:
    """What is compared of a response.

    Attributes:
        status: of HTTP.
        error: the fields of the `error` object.
        shape: by path, the types (of `WORDS`, the values) that were seen there.
        order: in streams, which parts came after which.
    """

    status: int
    error: dict[str, Any] = field(default_factory=dict)
    shape: dict[str, set[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    """The program.

    Returns:
        0 if nothing differs, 1 if something does, 2 if the key or the service is missing.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="cassettes only, e.g. 'errors/*'")
    parser.add_argument("--cassettes", type=Path, default=CASSETTES)
    options = parser.parse_args(arguments)
    try:
        endpoint = Endpoint.resolve()
        endpoint.require_key()
    except MiMoError as error:
        say(f"{error} The cassettes can only be compared with a service that answers.")
        return 2
    code = 0 if options.names else facts(endpoint)
    if code > 1:
        return code
    say(f"Comparing the emulator's cassettes with {endpoint.base_url}")
    drifted = compared = 0
    with httpx2.Client(timeout=600) as client:
        for name, document in cassettes(options.cassettes, options.names or ["*"], endpoint):
            try:
                found = list(compare(document, client, endpoint))
            except httpx2.HTTPError as error:
                say(f"{name}: no answer from {endpoint.base_url}: {error}")
                return 2
            compared += 1
            drifted += bool(found)
            say(f"{name}: {'differs' if found else 'same'}")
            for line in found:
                say(f"  {line}")
    say(f"{drifted} of {compared} cassettes differ.")
    return 1 if drifted else code


def facts(endpoint: Endpoint) -> int:
    """What the doctor finds out of the service, with its exit code."""
    settings = Settings(api_key=endpoint.api_key, base_url=endpoint.base_url)
    say(f"Asking {endpoint.base_url} what is believed of it: {cost_of(settings)}.")
    code = doctor(settings, yes=True, say=say, warn=say)
    say("")
    return code


def cassettes(
    folder: Path, names: list[str], endpoint: Endpoint
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The emulator's cassettes that this gateway can be asked about."""
    at = {scenario.name: scenario.at for scenario in all_scenarios()}
    known = endpoint.gateway.name if endpoint.gateway else ""
    here = "cloudsway" if known == "cloudsway" else "xiaomi"
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        document = read(path)
        provenance = Provenance.of(document, path)
        if provenance is None or provenance.kind != "emulator":
            continue
        if not any(fnmatch(name, wanted) for wanted in names):
            continue
        if at.get(name, here) != here:
            why = f"asks for {at[name]}" if at[name] else "shows what cannot be asked for"
            say(f"{name}: skipped, it {why}")
            continue
        yield name, document


def compare(document: dict[str, Any], client: httpx2.Client, endpoint: Endpoint) -> Iterator[str]:
    """The differences of one cassette, a line each."""
    for number, interaction in enumerate(document["interactions"], 1):
        request, recorded = interaction["request"], interaction["response"]
        body = recorded["body"]["string"]
        emulated = answer_of(
            recorded["status"]["code"], body.encode() if isinstance(body, str) else body
        )
        response = send(request, client, endpoint)
        live = answer_of(response.status_code, response.content)
        for line in differences(emulated, live):
            yield f"request {number}: {line}"


def send(request: dict[str, Any], client: httpx2.Client, endpoint: Endpoint) -> httpx2.Response:
    """The recorded request, at this gateway and with its own media and key."""
    path = urlsplit(request["uri"]).path.replace(
        "YOUR-ENDPOINT-PATH", os.environ.get("CLOUDSWAY_ENDPOINT_PATH", "YOUR-ENDPOINT-PATH")
    )
    root = urlsplit(endpoint.base_url)
    body = request["body"]
    content = None
    if body:
        payload = json.loads(restore_large(body, dict(media())))
        content = json.dumps(payload, ensure_ascii=False).encode()
    return client.request(
        request["method"],
        f"{root.scheme}://{root.netloc}{path}",
        content=content,
        headers={"content-type": "application/json", **endpoint.headers()},
    )


def answer_of(status: int, body: bytes) -> Answer:
    """What is compared of a response with this body."""
    answer = Answer(status)
    text = body.decode("utf-8", "replace").lstrip("\ufeff")
    payloads = [_json(text)] if _json(text) is not None else list(_events(text, answer.order))
    if not payloads and status != 200:
        answer.error = {"body": text[:80]}
    for payload in payloads:
        error = payload.get("error") if isinstance(payload, dict) else None
        if isinstance(error, dict):
            answer.error = {name: error.get(name) for name in ERROR_FIELDS}
        else:
            _add_shape(payload, "", answer.shape)
    return answer


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _events(text: str, order: list[str]) -> Iterator[Any]:
    """The payloads of a stream; `order` gets what kind of thing came when, repeats left out."""
    for line in text.splitlines():
        kind, payload = "", None
        if line.startswith(":"):
            kind = "comment"
        elif line.startswith("data:"):
            payload = _json(line[5:])
            kind = "[DONE]" if line[5:].strip() == "[DONE]" else _kind(payload)
        if kind and order[-1:] != [kind]:
            order.append(kind)
        if payload is not None:
            yield payload


def _kind(payload: Any) -> str:
    """What a stream's event brings."""
    if not isinstance(payload, dict):
        return "no object"
    if "type" in payload:  # the messages protocol names its events
        block = payload.get("content_block") or payload.get("delta") or {}
        return " ".join(filter(None, (payload["type"], block.get("type"))))
    choices = payload.get("choices") or []
    delta = choices[0].get("delta", {}) if choices else {}
    brought = [name for name, value in delta.items() if value and name != "role"]
    if choices and choices[0].get("finish_reason"):
        brought.append("finish_reason")
    if payload.get("usage"):
        brought.append("usage")
    return " + ".join(brought) or ("role" if delta.get("role") else "nothing")


def _add_shape(value: Any, path: str, shape: dict[str, set[str]]) -> None:
    """Note the types below `value`; members of lists share one path."""
    if isinstance(value, dict):
        for name, member in value.items():
            _add_shape(member, f"{path}.{name}" if path else name, shape)
        return
    if isinstance(value, list):
        shape.setdefault(path, set()).add("list")
        for member in value:
            _add_shape(member, f"{path}[]", shape)
        return
    word = path.rpartition(".")[2] in WORDS and isinstance(value, str)
    shape.setdefault(path, set()).add(repr(value) if word else _type(value))


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else type(value).__name__


def differences(emulated: Answer, live: Answer) -> Iterator[str]:
    """Where two answers differ, a line each."""
    if emulated.status != live.status:
        yield f"status: emulator {emulated.status}, live {live.status}"
    for name in dict.fromkeys([*emulated.error, *live.error]):
        mine, theirs = emulated.error.get(name), live.error.get(name)
        if (mine or "") != (theirs or ""):
            yield f"error.{name}: emulator {mine!r}, live {theirs!r}"
    if bool(emulated.error) != bool(live.error):
        return  # an answer and an error have no field in common
    for path in sorted(emulated.shape.keys() | live.shape.keys()):
        seen = emulated.shape.get(path, {ABSENT}), live.shape.get(path, {ABSENT})
        if seen[0] != seen[1]:
            mine, theirs = (" or ".join(sorted(types)) for types in seen)
            yield f"{path}: emulator {mine}, live {theirs}"
    if emulated.order != live.order:
        yield f"order: emulator {', '.join(emulated.order)}; live {', '.join(live.order)}"


def say(line: str) -> None:
    """One line on stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
