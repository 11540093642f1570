"""Scripts as files: answers by order (`queue`) and by what is asked (`when`), in YAML or JSON.

    queue:                                   # for the requests to come, first in, first out
      - Hello!                               # a text
      - text: Hello!                         # any field of `Reply`
        reasoning: The user greets.
        chunk_size: 4
      - tool_calls: [{name: get_weather, arguments: {city: Paris}}]
      - fault: rate_limit                    # a name of `ERRORS`
      - fault: {error: overloaded, retry_after: 1}       # any field of `Fault` but `edit`
      - fault: {reply: {text: Half of it.}, cut: mid_stream}
      - raw: {any: JSON}                     # the body, as it is
    when:                                    # looked at first; each answer is given once
      - content: weather                     # a part of the last user message
        turn: 1
        answer: {tool_calls: [{name: get_weather, arguments: {city: Paris}}]}
      - result_of: get_weather
        answer: [It rains., {fault: server}]
        repeat: true                         # the last answer, from then on
      - content: {regex: "^(hi|hello)"}
        answer: Hello!
    batches:                                 # how the batches to come go on
      - expired                              # a state: at once
      - {states: [in_progress, completed], seconds: 0.5}     # any field of `BatchPlan`
    batch_faults:                            # what goes wrong: `FakeMiMo.batches.fail`
      - {request: upload, fault: server}
      - {request: create, fault: {cut: before_headers}, happens: false, times: 2}

`when` takes `content`, `system` and `model` (a text or a regular expression), `tool`, `result_of`,
`turn`, `stream` and `protocol`, as `FakeMiMo.when` does. `audio` is base64.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from mimo_core.files import open_regular
from mimo_core.testing.emulator import BatchPlan, FakeMiMo, Fault, Reply
from mimo_core.testing.emulator.batches import OPERATIONS
from mimo_core.testing.emulator.matchers import Matcher
from mimo_core.testing.emulator.script import Answerable

_Kind = TypeVar("_Kind")

_LISTS = ("queue", "when", "batches", "batch_faults")
_FAULT_FIELDS = ("request", "fault", "happens", "times")
_TEXTS = ("content", "system", "model")
_NAMES = "`queue`, `when`, `batches` and `batch_faults`"
_ANSWERS = ("answer", "repeat")


class ScriptError(ValueError):
    """A script cannot be used: one line that names the place in it."""


@dataclass(frozen=True)
class _Rule:
    conditions: dict[str, Any]
    answers: list[Answerable]
    repeat: bool


@dataclass(frozen=True)
class ScriptFile:
    """A script that has been read and checked."""

    queue: list[Answerable]
    rules: list[_Rule]
    batches: list[BatchPlan]
    batch_faults: list[dict[str, Any]]
    """Arguments of `FakeBatches.fail`."""

    def apply(self, mimo: FakeMiMo) -> None:
        """Add the answers to those that the emulator has."""
        mimo.queue(*self.queue)
        for rule in self.rules:
            mimo.when(**rule.conditions).answer(*rule.answers, repeat=rule.repeat)
        mimo.batches.queue(*self.batches)
        for fault in self.batch_faults:
            mimo.batches.fail(**fault)


def read(path: str | Path) -> ScriptFile:
    """Read a script from a file: `.json`, or YAML.

    Args:
        path: the file.

    Returns:
        The script.

    Raises:
        ScriptError: the file cannot be read, or is not a script.
    """
    try:
        with open_regular(path) as file:
            raw = file.read()
    except OSError as error:
        raise ScriptError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return parse(raw, is_json=str(path).endswith(".json"))
    except ScriptError as error:
        raise ScriptError(f"{path}: {error}") from error


def parse(raw: bytes, *, is_json: bool) -> ScriptFile:
    """Read a script from its bytes.

    Args:
        raw: the text, in UTF-8.
        is_json: whether it is JSON; YAML otherwise, which needs the extra `testing`.

    Returns:
        The script.

    Raises:
        ScriptError: it is not a script.
    """
    document = _json(raw) if is_json else _yaml(raw)
    if not isinstance(document, Mapping):
        raise ScriptError(f"a script is a mapping with {_NAMES}")
    if unknown := [name for name in document if name not in _LISTS]:
        raise ScriptError(f"{unknown[0]}: a script has {_NAMES} only")
    queue, rules, plans, faults = (_list(document.get(name), name) for name in _LISTS)
    return ScriptFile(
        [_answer(said, f"queue[{number}]") for number, said in enumerate(queue)],
        [_rule(given, f"when[{number}]") for number, given in enumerate(rules)],
        [_plan(given, f"batches[{number}]") for number, given in enumerate(plans)],
        [_trouble(given, f"batch_faults[{number}]") for number, given in enumerate(faults)],
    )


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ScriptError(f"not JSON: {error}") from error


def _yaml(raw: bytes) -> Any:
    import yaml  # of the extra `testing`

    try:
        return yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ScriptError(f"not YAML: {' '.join(str(error).split())}") from error


def _list(given: Any, where: str) -> list[Any]:
    if given is not None and not isinstance(given, list):
        raise ScriptError(f"{where}: must be a list")
    return given or []


def _answer(said: Any, where: str) -> Answerable:
    if isinstance(said, str):
        return said
    if not isinstance(said, Mapping):
        raise ScriptError(f"{where}: an answer is a text or a mapping, not {said!r}")
    if "raw" in said:
        if not isinstance(said["raw"], Mapping) or len(said) > 1:
            raise ScriptError(f"{where}: `raw` is a mapping, the JSON body, and stands alone")
        return dict(said["raw"])
    if "fault" in said:
        if len(said) > 1:
            raise ScriptError(f"{where}: `fault` stands alone; its answer goes into `fault.reply`")
        return _fault(said["fault"], f"{where}.fault")
    return _made(Reply, _fields(Reply, said, where), where)


def _fault(given: Any, where: str) -> Fault:
    if isinstance(given, str):
        given = {"error": given}
    if not isinstance(given, Mapping):
        raise ScriptError(f"{where}: a fault is a name or a mapping, not {given!r}")
    fields = dict(given)
    reply = fields.pop("reply", None)
    known = _fields(Fault, fields, where)
    if reply is not None:
        known["reply"] = _answer(reply, f"{where}.reply")
    if isinstance(known.get("reply"), Fault):
        raise ScriptError(f"{where}.reply: a fault cannot wrap a fault")
    return _made(Fault, known, where)


def _made(kind: type[_Kind], fields: dict[str, Any], where: str) -> _Kind:
    try:
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ValueError):
            raise ScriptError(f"{where}: {error}") from error
        said = "each is {name, arguments, id} or [name, arguments, id]"
        raise ScriptError(f"{where}.tool_calls: {said}") from error


def _rule(given: Any, where: str) -> _Rule:
    if not isinstance(given, Mapping) or "answer" not in given:
        raise ScriptError(f"{where}: a rule is a mapping with `answer`")
    answers = given["answer"] if isinstance(given["answer"], list) else [given["answer"]]
    if not answers:
        raise ScriptError(f"{where}.answer: must not be empty")
    repeat = given.get("repeat", False)
    if not isinstance(repeat, bool):
        raise ScriptError(f"{where}.repeat: must be true or false")
    conditions = {name: value for name, value in given.items() if name not in _ANSWERS}
    texts = {
        name: _text(conditions.pop(name), where, name) for name in _TEXTS if name in conditions
    }
    conditions = {**texts, **_fields(Matcher, conditions, where)}
    _made(Matcher, conditions, where)
    return _Rule(
        conditions,
        [_answer(said, f"{where}.answer[{number}]") for number, said in enumerate(answers)],
        repeat,
    )


def _plan(given: Any, where: str) -> BatchPlan:
    if isinstance(given, str):
        given = {"states": given}
    if not isinstance(given, Mapping):
        raise ScriptError(f"{where}: a plan is a state or a mapping, not {given!r}")
    fields = dict(given)
    states = fields.pop("states", BatchPlan.states)
    if not isinstance(states, str | list | tuple):
        raise ScriptError(f"{where}.states: a state, or a list of them")
    return _made(BatchPlan, {"states": states, **_fields(BatchPlan, fields, where)}, where)


def _trouble(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not {"request", "fault"} <= given.keys():
        raise ScriptError(f"{where}: a mapping with `request` and `fault` is needed")
    if unknown := [name for name in given if name not in _FAULT_FIELDS]:
        names = ", ".join(_FAULT_FIELDS)
        raise ScriptError(f"{where}.{unknown[0]}: no such field; there are: {names}")
    if given["request"] not in OPERATIONS:
        raise ScriptError(f"{where}.request: must be one of {', '.join(OPERATIONS)}")
    happens, times = given.get("happens"), given.get("times", 1)
    if not isinstance(happens, bool | None):
        raise ScriptError(f"{where}.happens: must be true or false")
    if type(times) is not int or times < 1:
        raise ScriptError(f"{where}.times: must be a number from 1 on")
    fault = _fault(given["fault"], f"{where}.fault")
    return {"on": given["request"], "fault": fault, "happens": happens, "times": times}


def _text(given: Any, where: str, name: str) -> str | re.Pattern[str]:
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping) and list(given) == ["regex"] and isinstance(given["regex"], str):
        try:
            return re.compile(given["regex"])
        except re.error as error:
            raise ScriptError(f"{where}.{name}.regex: {error}") from error
    raise ScriptError(f"{where}.{name}: a text, or a mapping with `regex`")


def _fields(kind: type, given: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """The values by the types of the fields of `Reply`, `Fault` or `Matcher`."""
    adapters = _adapters(kind)
    known = {}
    for name, value in given.items():
        if name not in adapters:
            names = ", ".join(sorted(adapters))
            raise ScriptError(f"{where}.{name}: no such field; there are: {names}")
        try:
            known[name] = adapters[name].validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = "".join(f"[{p}]" if isinstance(p, int) else "" for p in first["loc"])
            raise ScriptError(f"{where}.{name}{place}: {first['msg']}") from error
    return known


@cache
def _adapters(kind: type) -> dict[str, TypeAdapter[Any]]:
    # What a file cannot hold: functions. What it says in its own way: texts to match, replies.
    left_out = {"edit", "matching", "reply", *(_TEXTS if kind is Matcher else ())}
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in left_out}
    hints.pop("_", None)
    if kind is Reply:
        hints["audio"] = Annotated[bytes, BeforeValidator(_sound)]
    return {name: TypeAdapter(hint) for name, hint in hints.items()}


def _sound(given: Any) -> bytes:
    try:
        return base64.b64decode(given, validate=True)
    except (ValueError, TypeError):
        raise ValueError("must be base64") from None
