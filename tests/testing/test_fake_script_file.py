"""Scripts of `mimo-fake`: the documented form, and what a mistake in one says."""

import re
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import BatchPlan, FakeMiMo, Fault, Reply
from mimo_core.testing.fake_command import script_file
from mimo_core.testing.fake_command.script_file import ScriptError, parse, read


def test_the_documented_form() -> None:
    documented = (script_file.__doc__ or "").split("\n\n")[1]
    script = parse(documented.encode(), is_json=False)
    text, reply, calls, named, fault, cut, raw = script.queue
    assert text == "Hello!"
    assert reply == Reply("Hello!", reasoning="The user greets.", chunk_size=4)
    assert isinstance(calls, Reply)
    assert calls.calls()[0].arguments == '{"city": "Paris"}'
    assert named == Fault("rate_limit")
    assert fault == Fault("overloaded", retry_after=1)
    assert cut == Fault(reply=Reply("Half of it."), cut="mid_stream")
    assert raw == {"any": "JSON"}
    weather, result, greeting = script.rules
    assert weather.conditions == {"content": "weather", "turn": 1}
    assert result.conditions == {"result_of": "get_weather"}
    assert result.answers == ["It rains.", Fault("server")]
    assert (result.repeat, greeting.repeat) == (True, False)
    assert greeting.conditions == {"content": re.compile("^(hi|hello)")}
    assert script.batches == [
        BatchPlan("expired"),
        BatchPlan(["in_progress", "completed"], seconds=0.5),
    ]
    mimo = FakeMiMo()
    script.apply(mimo)
    assert mimo.queued == 7
    assert len(mimo.problems) == 7 + 4 + 2 + 3


def test_json_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('{"queue": [{"audio": "aGVsbG8="}]}')
    assert read(path).queue == [Reply(audio=b"hello")]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("[]", "a script is a mapping with `queue`, `when`, `batches` and `batch_faults`"),
        ("answers: []", "answers: a script has `queue`, `when`, `batches` and `batch_faults` only"),
        ("batches: [done]", "batches[0]: no state 'done'; there are: validating, in_progress"),
        ("batches: [3]", "batches[0]: a plan is a state or a mapping, not 3"),
        ("batches: [{states: 3}]", "batches[0].states: a state, or a list of them"),
        ("batches: [{states: [3]}]", "batches[0]: no state 3; there are: validating"),
        ("batches: [{status: expired}]", "batches[0].status: no such field; there are: answered"),
        ("batches: [{answered: all}]", "batches[0].answered: Input should be a valid integer"),
        (
            "batch_faults: [server]",
            "batch_faults[0]: a mapping with `request` and `fault` is needed",
        ),
        (
            "batch_faults: [{request: submit, fault: server}]",
            "batch_faults[0].request: must be one of upload",
        ),
        ("batch_faults: [{request: get, fault: 3}]", "batch_faults[0].fault: a fault is a name or"),
        (
            "batch_faults: [{request: get, fault: nope}]",
            "batch_faults[0].fault: no error named 'nope'",
        ),
        (
            "batch_faults: [{request: get, fault: server, when: 1}]",
            "batch_faults[0].when: no such field",
        ),
        (
            "batch_faults: [{request: get, fault: server, times: 0}]",
            "times: must be a number from 1 on",
        ),
        (
            "batch_faults: [{request: get, fault: server, happens: 1}]",
            "happens: must be true or false",
        ),
        ("queue: hello", "queue: must be a list"),
        ("queue: [3]", "queue[0]: an answer is a text or a mapping, not 3"),
        ("queue: [{txt: a}]", "queue[0].txt: no such field; there are: annotations, arg"),
        ("queue: [{edit: a}]", "queue[0].edit: no such field"),
        ("queue: [{chunk_size: many}]", "queue[0].chunk_size: Input should be a valid integer"),
        ("queue: [{chunk_size: 0}]", "queue[0]: chunk_size must be at least 1"),
        ("queue: [{audio: '*'}]", "queue[0].audio: "),
        ("queue: [{tool_calls: [{arguments: {}}]}]", "queue[0].tool_calls: each is {name,"),
        ("queue: [{tool_calls: [3]}]", "queue[0].tool_calls: each is {name,"),
        ("queue: [a, {fault: nope}]", "queue[1].fault: no error named 'nope'; there are"),
        ("queue: [{fault: {cut: later}}]", "queue[0].fault.cut: Input should be 'before_headers'"),
        ("queue: [{fault: {edit: x}}]", "queue[0].fault.edit: no such field"),
        ("queue: [{fault: server, text: a}]", "queue[0]: `fault` stands alone"),
        ("queue: [{fault: {reply: {fault: server}}}]", "a fault cannot wrap a fault"),
        ("queue: [{raw: []}]", "queue[0]: `raw` is a mapping"),
        ("when: [{content: a}]", "when[0]: a rule is a mapping with `answer`"),
        ("when: [{content: a, answer: []}]", "when[0].answer: must not be empty"),
        ("when: [{content: 3, answer: a}]", "when[0].content: a text, or a mapping with `regex`"),
        ("when: [{content: {regex: '('}, answer: a}]", "when[0].content.regex: missing )"),
        ("when: [{turn: 0, answer: a}]", "when[0]: turn counts from 1"),
        ("when: [{turns: 1, answer: a}]", "when[0].turns: no such field; there are: protocol"),
        ("when: [{answer: a, repeat: often}]", "when[0].repeat: must be true or false"),
        ("a: [", "not YAML: while parsing"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(script: str, says: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(script.encode(), is_json=False)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json(raw: bytes) -> None:
    with pytest.raises(ScriptError, match="not JSON"):
        parse(raw, is_json=True)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"none.yaml cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ScriptError, match="cannot be read"):
        read(tmp_path)
    path = tmp_path / "wrong.yaml"
    path.write_text("queue: 3")
    with pytest.raises(ScriptError, match=r"wrong.yaml: queue: must be a list"):
        read(path)


def test_every_field_has_a_place_in_the_form() -> None:
    """A new field of `Reply` or `Fault` can be written in a file, or is left out on purpose."""
    for kind, left_out in ((Reply, set[str]()), (Fault, {"edit", "reply"})):
        fields: Any = kind.__dataclass_fields__
        assert script_file._adapters(kind).keys() == fields.keys() - left_out
