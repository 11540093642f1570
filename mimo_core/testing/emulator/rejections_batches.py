"""What the service refuses of files and batches: of a request at once, of a file's lines later.

A request is refused with a `Rejection`. Lines are looked at when the batch is `validating`, as at
OpenAI: a batch with a wrong one is `failed`, and says why in `errors` (`LineProblem`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mimo_core.testing.emulator.batch_files import Form
from mimo_core.testing.emulator.faults import INVALID_KEY, error_body
from mimo_core.testing.emulator.policy import Rejection, param_incorrect
from mimo_core.testing.emulator.sources import SOURCES

BATCH_MODELS = ("mimo-v2.6-pro", "mimo-v2.6-flash")
ENDPOINTS = ("/v1/chat/completions", "/anthropic/v1/messages")
"""The vendor's page names `/v1/responses` too, which the emulator does not speak."""
WINDOW = "24h"
MAX_BYTES = 128_000_000
"""The page says 128 MB; the smaller of the two readings."""
MAX_LINES = 50_000
_MOST_PROBLEMS = 20
_KEYS_OF_PLANS = ("tp-", "ttp-")


class LineProblem(NamedTuple):
    """Why a batch fails before it begins."""

    rule: str
    """A key of `SOURCES`."""
    message: str
    line: int | None = None
    """Counted from 1."""
    param: str | None = None

    @property
    def record(self) -> dict[str, Any]:
        """One entry of `errors.data`, in OpenAI's shape; the codes are the emulator's."""
        SOURCES[self.rule]
        return {
            "code": self.rule.replace(" ", "_"),
            "line": self.line,
            "message": self.message,
            "param": self.param,
        }


def plan_key_rejection(headers: Mapping[str, str]) -> Rejection | None:
    """Batches take no key of a Token Plan."""
    _, _, bearer = headers.get("authorization", "").partition(" ")
    key = headers.get("api-key", bearer.strip())
    return Rejection("batch key", 401, INVALID_KEY) if key.startswith(_KEYS_OF_PLANS) else None


def upload_rejection(form: Form | None, max_bytes: int, *, cut: bool) -> Rejection | None:
    """What is no upload of a file of lines.

    Args:
        form: the body; None where it is no form.
        max_bytes: of the file.
        cut: whether the body was so large that it was not kept as a whole.
    """
    if cut:
        return _too_large(max_bytes)
    if form is None or form.content is None:
        return param_incorrect("upload form", "a multipart/form-data body with a file is needed")
    if form.fields.get("purpose") != "batch":
        return param_incorrect("upload purpose", "purpose must be batch")
    if not form.content.size:
        return param_incorrect("upload empty", "the file is empty")
    if form.content.size > max_bytes:
        return _too_large(max_bytes)
    return None


def _too_large(max_bytes: int) -> Rejection:
    said = f"the file is larger than {max_bytes} bytes"
    return Rejection("upload size", 413, error_body("413", "Payload Too Large", said))


def create_rejection(body: Mapping[str, Any]) -> Rejection | None:
    """What is wrong with the body of `POST /batches`, its file apart."""
    if body.get("endpoint") not in ENDPOINTS:
        return param_incorrect("batch endpoint", f"endpoint must be one of {', '.join(ENDPOINTS)}")
    if body.get("completion_window") != WINDOW:
        return param_incorrect("batch window", f"completion_window must be {WINDOW}")
    return None


def unknown(what: str, id: object) -> Rejection:
    """404 for a `file` or a `batch` that is not there."""
    said = f"No such {what}: {id}"
    return Rejection(f"{what} unknown", 404, error_body("404", "Not Found", said))


def line_problems(
    lines: Iterable[bytes], endpoint: str, max_lines: int
) -> tuple[int, list[LineProblem]]:
    """How many lines a file has, and why the batch cannot begin.

    Args:
        lines: of the input file, without their ends.
        endpoint: the batch's.
        max_lines: of one batch.
    """
    total, problems = 0, list[LineProblem]()
    seen: set[str] = set()
    first_model: Any = None
    for number, line in enumerate(lines, 1):
        total = number
        if number > max_lines:
            problems.append(LineProblem("batch lines", f"more than {max_lines} lines", number))
            break
        given = read_line(line)
        if given is None:
            problems.append(LineProblem("batch line", "the line is not a JSON object", number))
        else:
            model = given["body"].get("model") if isinstance(given.get("body"), dict) else None
            first_model = first_model or model
            found = list(_of_line(given, endpoint, seen, first_model))
            problems += [LineProblem(rule, said, number, param) for rule, said, param in found[:1]]
        if len(problems) >= _MOST_PROBLEMS:
            break
    return total, problems


def read_line(line: bytes) -> dict[str, Any] | None:
    """The object in a line, or None where it holds none: JSON has no NaN and no mark first."""
    try:
        given = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _of_line(
    given: dict[str, Any], endpoint: str, seen: set[str], first_model: Any
) -> Iterator[tuple[str, str, str]]:
    """Rule, sentence and parameter of what is wrong with a line."""
    id, body = given.get("custom_id"), given.get("body")
    if not isinstance(id, str) or not id:
        yield "batch custom_id", "custom_id must be a text", "custom_id"
    elif id in seen:
        yield "batch custom_id", f"custom_id {id} stands in the file before", "custom_id"
    else:
        seen.add(id)
    if given.get("method") != "POST":
        yield "batch method", "method must be POST", "method"
    if given.get("url") != endpoint:
        yield "batch url", f"url must be the batch's endpoint, {endpoint}", "url"
    if not isinstance(body, dict):
        yield "batch line body", "body must be an object", "body"
        return
    if body.get("model") not in BATCH_MODELS:
        yield "batch model", f"batches serve {' and '.join(BATCH_MODELS)}", "body.model"
    if body.get("model") != first_model:
        yield "batch models", f"the file began with model {first_model}", "body.model"
    if body.get("stream"):
        yield "batch stream", "a batch has no streams", "body.stream"
