"""The repair of tool calls, the particulars: what counts as a call, as a type, as complete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mimo_core._response.repair import ToolCallRepair, ToolCallStream

OBJECT = {"type": "object"}


def tool(name: str = "f", required: Any = None, **properties: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    if required is not None:
        parameters["required"] = required
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def written(name: str = "f", **parameters: str) -> str:
    inner = "".join(f"<parameter={key}>{value}</parameter>" for key, value in parameters.items())
    return f"<tool_call><function={name}>{inner}</function></tool_call>"


def found(repair: ToolCallRepair, text: str, reason: str | None = "stop", **more: Any) -> Any:
    """The text, and the calls that it held."""
    before, calls = repair.split(text, reason, **more)
    return before, [(c["function"]["name"], c["function"]["arguments"]) for c in calls]


def test_tools_that_are_no_functions_are_passed_over() -> None:
    assert not ToolCallRepair(None)
    assert not ToolCallRepair([{"type": "web_search"}])
    assert ToolCallRepair([{"type": "web_search"}, {"function": {"name": "f"}}])


# A call that was written as text


@pytest.mark.parametrize(
    ("text", "before", "calls"),
    [
        (written(a="x"), "", [("f", '{"a": "x"}')]),
        (f" Well:\n{written(a='x')} \n", "Well:", [("f", '{"a": "x"}')]),
        (written(a="\nx\n"), "", [("f", '{"a": "x"}')]),
        (written(a="\n\nx\n\n"), "", [("f", '{"a": "\\nx\\n"}')]),
        (written(a="é"), "", [("f", '{"a": "é"}')]),
        (written(), "", [("f", "{}")]),
        (written(a="x") + "\n" + written(a="y"), "", [("f", '{"a": "x"}'), ("f", '{"a": "y"}')]),
        ("``` ``` " + written(), "``` ```", [("f", "{}")]),
        (
            "<tool_call> \n<function=f> \n<parameter=a>x</parameter> \n</function> \n</tool_call>",
            "",
            [("f", '{"a": "x"}')],
        ),
    ],
)
def test_a_call_at_the_end_of_a_text(text: str, before: str, calls: Any) -> None:
    assert found(ToolCallRepair([tool()]), text) == (before, calls)


@pytest.mark.parametrize(
    "text",
    [
        written() + " That was it.",
        written("unknown"),
        written("unknown") + written(),
        "`" + written(),
        "```\n" + written(),
        "``` ``` ```" + written(),
        "<tool_call><function=f>x</function></tool_call>",
        "<tool_call><function=f><parameter=a>x</function></tool_call>",
        written(a="x").replace("</function>", "<parameter=a>y</parameter></function>"),
        "<tool_call></tool_call>",
        "<tool_call>",
        "</tool_call>",
        "no call",
    ],
)
def test_a_text_that_stays_as_it_is(text: str) -> None:
    assert found(ToolCallRepair([tool()]), text) == (text, [])


@pytest.mark.parametrize("reason", ["length", None, "content_filter"])
def test_what_was_cut_holds_no_call(reason: str | None) -> None:
    assert found(ToolCallRepair([tool()]), written(), reason) == (written(), [])


def test_where_a_quotation_began_before_there_is_no_call() -> None:
    assert found(ToolCallRepair([tool()]), written(), quoted=True) == (written(), [])


def test_a_call_has_what_its_tool_requires() -> None:
    repair = ToolCallRepair([tool(required=["a", "b"])])
    assert found(repair, written(a="x"))[1] == []
    assert found(repair, written(a="x", b="y"))[1] == [("f", '{"a": "x", "b": "y"}')]
    assert found(ToolCallRepair([tool(required="ab")]), written())[1] == [("f", "{}")]


def test_a_new_call_is_a_function_s_with_an_id_of_its_own() -> None:
    _, calls = ToolCallRepair([tool()]).split(written() + written(), "stop")
    assert [call["type"] for call in calls] == ["function", "function"]
    assert len({call["id"] for call in calls}) == 2


# Types


@pytest.mark.parametrize(
    ("schema", "raw", "value"),
    [
        ({"type": "integer"}, "5", 5),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "5.5", 5.5),
        ({"type": "integer"}, "5.5", "5.5"),
        ({"type": "boolean"}, "true", True),
        ({"type": "integer"}, "true", "true"),
        ({"type": "null"}, "null", None),
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, '{"x": 1}', '{"x": 1}'),
        ({"type": ["string", "null"]}, "null", "null"),
        ({"type": ["string", "integer"]}, "5", "5"),
        ({"type": ["string", "object"]}, '{"x": 1}', {"x": 1}),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": "array"}, "[1]", [1]),
        ({"type": "object"}, "[1]", "[1]"),
        ({"properties": {}}, '{"x": 1}', {"x": 1}),
        ({"properties": {}}, "5", "5"),
        ({}, "5", 5),
        ({}, "x", "x"),
        ({}, '"x"', "x"),
        (True, "5", 5),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "5", 5),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "true", "true"),
        ({"anyOf": [], "type": "integer"}, "5", 5),
        ({"allOf": [{"type": ["integer", "null"]}, {"type": "integer"}]}, "null", "null"),
        ({"allOf": [{"type": ["integer", "null"]}, {}]}, "5", 5),
        ({"$ref": "#/$defs/n"}, "5", 5),
        ({"$ref": "#/$defs/n"}, "true", "true"),
        ({"$ref": "#/$defs/again"}, "5", 5),
        ({"$ref": "#/$defs/missing/x"}, "5", 5),
        ({"$ref": "#/$defs/loop"}, "5", 5),
        ({"$ref": 5, "type": "integer"}, "true", "true"),
        ({"type": "object"}, "[" * 100_000, "[" * 100_000),
    ],
)
def test_a_parameter_has_the_type_that_its_schema_allows(schema: Any, raw: str, value: Any) -> None:
    offered = tool(a=schema)
    offered["function"]["parameters"]["$defs"] = {
        "n": {"type": "integer"},
        "again": {"$ref": "#/$defs/n"},
        "loop": {"$ref": "#/$defs/loop"},
    }
    (call,) = found(ToolCallRepair([offered]), written(a=raw))[1]
    assert json.loads(call[1]) == {"a": value}
    assert type(json.loads(call[1])["a"]) is type(value)


def nested(depth: int, way: str) -> dict[str, Any]:
    """An integer, below as many other schemas."""
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {way: [schema]}
    return schema


@pytest.mark.parametrize("way", ["anyOf", "oneOf", "allOf"])
@pytest.mark.parametrize(("depth", "value"), [(8, "[1]"), (9, [1])])
def test_eight_schemas_within_each_other_are_followed(way: str, depth: int, value: Any) -> None:
    (call,) = found(ToolCallRepair([tool(a=nested(depth, way))]), written(a="[1]"))[1]
    assert json.loads(call[1]) == {"a": value}


@pytest.mark.parametrize(("steps", "value"), [(8, "true"), (9, True)])
def test_eight_references_are_followed(steps: int, value: Any) -> None:
    offered = tool(a={"$ref": "#/$defs/1"})
    defs: dict[str, Any] = {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(1, steps)}
    offered["function"]["parameters"]["$defs"] = {**defs, str(steps): {"type": "integer"}}
    (call,) = found(ToolCallRepair([offered]), written(a="true"))[1]
    assert json.loads(call[1]) == {"a": value}


# Arguments


@pytest.mark.parametrize(
    ("schema", "given", "repaired"),
    [
        (OBJECT, {"a": '{"x": 1}'}, {"a": {"x": 1}}),
        ({"type": "array"}, {"a": "[1]"}, {"a": [1]}),
        ({"type": ["object", "null"]}, {"a": '{"x": 1}'}, {"a": {"x": 1}}),
        ({"type": ["object", "string"]}, {"a": '{"x": 1}'}, None),
        (OBJECT, {"a": "x"}, None),
        (OBJECT, {"a": {"x": "{}"}}, None),
        (OBJECT, {"b": "{}"}, None),
        ({"type": "string"}, {"a": "{}"}, None),
        ({"type": "integer"}, {"a": "5"}, None),
        ({}, {"a": "{}"}, None),
        (OBJECT, {"a": '{"x": "é"}', "b": 1}, {"a": {"x": "é"}, "b": 1}),
    ],
)
def test_an_object_that_was_written_as_a_text(schema: Any, given: Any, repaired: Any) -> None:
    text = json.dumps(given)
    expected = text if repaired is None else json.dumps(repaired, ensure_ascii=False)
    assert ToolCallRepair([tool(a=schema)]).arguments("f", text) == expected


def test_arguments_that_were_written_as_a_text_as_a_whole() -> None:
    repair = ToolCallRepair([tool(a={"type": "integer"})])
    assert repair.arguments("f", '"{\\"a\\": 1}"') == '{"a": 1}'
    assert repair.arguments("f", ' {"a":1}') == ' {"a":1}'
    assert repair.arguments("g", '"{\\"a\\": 1}"') == '"{\\"a\\": 1}"'
    assert (
        ToolCallRepair([{"function": {"name": "f"}}]).arguments("f", '{"a":"{}"}') == '{"a":"{}"}'
    )


@pytest.mark.parametrize(
    ("parameters", "reason", "nothing"),
    [
        ({}, "stop", True),
        ({}, "tool_calls", True),
        ({}, "length", False),
        ({}, None, False),
        ({"required": []}, "stop", True),
        ({"required": ["a"]}, "stop", False),
        ({"$ref": "#"}, "stop", False),
        ({"allOf": [{}]}, "stop", False),
        ({"anyOf": [{}]}, "stop", False),
        ({"oneOf": [{}]}, "stop", False),
        ({"properties": {"a": {}}}, "stop", True),
    ],
)
def test_whether_no_arguments_can_be_what_was_meant(
    parameters: Any, reason: str | None, nothing: bool
) -> None:
    repair = ToolCallRepair([{"function": {"name": "f", "parameters": parameters}}])
    assert repair.takes_nothing("f", reason) is nothing
    assert repair.takes_nothing("unknown", reason) is False


@pytest.mark.parametrize(
    ("properties", "is_nested"),
    [
        ({}, False),
        ({"a": {"type": "string"}}, False),
        ({"a": {"type": "string"}, "b": OBJECT}, True),
        ({"a": {"type": "array"}}, True),
        ({"a": {"type": ["array", "string"]}}, False),
        ({"a": {}}, False),
    ],
)
def test_whether_a_tool_takes_objects(properties: Any, is_nested: bool) -> None:
    repair = ToolCallRepair([tool(**properties)])
    assert repair.has_nested("f") is is_nested
    assert repair.has_nested("unknown") is False
    assert ToolCallRepair([{"function": {"name": "f"}}]).has_nested("f") is False


def test_a_whole_message() -> None:
    repair = ToolCallRepair([tool(a=OBJECT), tool("g", required=["x"])])

    def call(name: Any, arguments: Any) -> Any:
        return {"id": "i", "function": {"name": name, "arguments": arguments}}

    message: Any = {
        "role": "assistant",
        "content": f"Well. {written(a='{}')}",
        "tool_calls": [
            call("f", '{"a": "{}"}'),
            call("f", " "),
            call("g", ""),
            call("f", None),
            {"id": "j"},
        ],
    }
    repaired: Any = repair.message(message, "stop")
    assert repaired["content"] == "Well."
    assert [c["function"]["arguments"] for c in repaired["tool_calls"]] == [
        '{"a": {}}',
        "{}",
        "",
        "{}",
        "",
        '{"a": {}}',
    ]
    assert repaired["tool_calls"][4] == {"id": "j", "function": {"arguments": ""}}
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a": "{}"}'
    plain: Any = {"role": "assistant", "content": None}
    assert repair.message(plain, "stop") == plain
    cut: Any = repair.message({"tool_calls": [call("f", "")]}, "length")
    assert cut["tool_calls"][0]["function"]["arguments"] == ""
    assert "content" not in cut


# Streams


def streamed(
    repair: ToolCallRepair, *deltas: Any, reason: str | None = "stop", doubtful: Any = frozenset()
) -> tuple[list[Any], Any]:
    """What goes on of each delta, and the rest."""
    stream = ToolCallStream(repair)
    for delta in deltas:
        stream.delta(delta)
    return list(deltas), stream.rest(reason, doubtful)


def said(*texts: str) -> list[Any]:
    return [{"content": text} for text in texts]


@pytest.mark.parametrize(
    ("texts", "passed", "rest"),
    [
        (["a", "b"], ["a", "b"], None),
        (["a<", "b"], ["a", "<b"], None),
        (["a<tool_", "b"], ["a", "<tool_b"], None),
        (["a<tool_call", "x"], ["a", "<tool_callx"], None),
        (["a<tool_call>", "x", "y"], ["a", "", ""], "<tool_call>xy"),
        (["a<tool", "_call>x"], ["a", ""], "<tool_call>x"),
        (["a<"], ["a"], "<"),
        (["a<x"], ["a<x"], None),
        (["a<b<to"], ["a<b"], "<to"),
        (["a <tool_call>x<tool_call>"], ["a "], "<tool_call>x<tool_call>"),
    ],
)
def test_what_may_be_a_call_is_held_back(
    texts: list[str], passed: list[str], rest: str | None
) -> None:
    deltas, left = streamed(ToolCallRepair([tool()]), *said(*texts))
    assert [delta["content"] for delta in deltas] == passed
    assert left.get("content") == rest
    assert "tool_calls" not in left


@pytest.mark.parametrize(
    ("texts", "is_call"),
    [
        (["", written()], True),
        (["a", written()], True),
        (["`", written()], False),
        (["` ", written()], True),
        (["``", written()], False),
        (["```", written()], False),
        (["```\nx\n```\n", written()], True),
        (["```", "x", "```", "\n", written()], True),
        (["``", "`", "x", written()], False),
        (["`", "``", "x", "`", "``", "\n", written()], True),
        (["``", "``", "``", "\n", written()], True),
        (["x`", "y", written()], True),
        (["```\n" + written()], False),
        (["x", "<tool_call>", written()[11:]], True),
    ],
)
def test_a_call_in_a_code_block_is_a_quotation(texts: list[str], is_call: bool) -> None:
    _, rest = streamed(ToolCallRepair([tool()]), *said(*texts))
    assert bool(rest.get("tool_calls")) is is_call
    assert bool(rest.get("content")) is not is_call


def piece(index: Any, name: str | None = None, arguments: Any = None) -> Any:
    function = {"name": name, "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    return {"index": index, "function": function}


def test_arguments_of_a_tool_that_takes_objects_wait_for_their_repair() -> None:
    deltas, rest = streamed(
        ToolCallRepair([tool(a=OBJECT), tool("g")]),
        {"tool_calls": [piece(0, "f", '{"a": '), piece(1, "g", '{"b"')]},
        {"tool_calls": [piece(0, None, '"{}"}')]},
        {"tool_calls": [piece(1, None, ": 1}")]},
    )
    assert deltas == [
        {"tool_calls": [piece(0, "f", ""), piece(1, "g", '{"b"')]},
        {"tool_calls": None},
        {"tool_calls": [piece(1, None, ": 1}")]},
    ]
    assert rest == {"tool_calls": [{"index": 0, "function": {"arguments": '{"a": {}}'}}]}


def test_arguments_that_begin_as_a_text_wait_too() -> None:
    deltas, rest = streamed(
        ToolCallRepair([tool()]),
        {"tool_calls": [piece(0, "f", " ")]},
        {"tool_calls": [piece(0, None, ' "{')]},
        {"tool_calls": [piece(0, None, '}"')]},
    )
    assert [delta["tool_calls"] for delta in deltas] == [[piece(0, "f", " ")], None, None]
    assert rest == {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}
    # A quotation mark further on says nothing.
    later, rest = streamed(
        ToolCallRepair([tool()]),
        {"tool_calls": [piece(0, "f", "{")]},
        {"tool_calls": [piece(0, None, '"a": 1}')]},
    )
    assert later[1]["tool_calls"] == [piece(0, None, '"a": 1}')]
    assert rest == {}


@pytest.mark.parametrize(
    ("reason", "doubtful", "arguments"),
    [("stop", set(), "{}"), ("stop", {0}, None), ("length", set(), None), (None, set(), None)],
)
def test_empty_arguments_become_an_object_where_that_is_sure(
    reason: str | None, doubtful: set[int], arguments: str | None
) -> None:
    for name, properties in (("f", {}), ("f", {"a": OBJECT})):
        _, rest = streamed(
            ToolCallRepair([tool(name, **properties)]),
            {"tool_calls": [piece(0, name, "")]},
            {"tool_calls": [piece(0, None, " ")]},
            reason=reason,
            doubtful=doubtful,
        )
        calls = rest.get("tool_calls")
        assert calls == (arguments and [{"index": 0, "function": {"arguments": arguments}}])


def test_calls_that_were_written_follow_the_others() -> None:
    _, rest = streamed(
        ToolCallRepair([tool(a={"type": "integer"})]),
        {"tool_calls": [piece(0, "f", "{}"), piece(2, "f", '{"a": 1}')]},
        {"content": f"x {written()}{written(a='1')}"},
    )
    assert [call["index"] for call in rest["tool_calls"]] == [3, 4]
    assert rest["tool_calls"][1]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    alone = streamed(ToolCallRepair([tool()]), {"content": written()})[1]
    assert [call["index"] for call in alone["tool_calls"]] == [0]


def test_a_piece_of_a_call_without_a_function() -> None:
    deltas, rest = streamed(
        ToolCallRepair([tool(a=OBJECT)]), {"tool_calls": [{}]}, {"tool_calls": []}, {"content": ""}
    )
    assert deltas == [{"tool_calls": [{}]}, {"tool_calls": []}, {"content": ""}]
    assert rest == {}
