"""The prompts of `llm mimo batch submit`: each line asks what `llm -m` would ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mimo_core.testing import BatchPlan, FakeMiMo

from .conftest import Llm

MODEL = ("-m", "mimo-v2.6-flash")


@pytest.fixture(autouse=True)
def _at_once(mimo: FakeMiMo) -> None:
    mimo.batches.default = BatchPlan("completed")


def asked(mimo: FakeMiMo) -> list[dict[str, Any]]:
    """The bodies of the lines that were sent, each once."""
    bill = mimo.batches.bill
    assert set(bill.values()) == {1}
    return [json.loads(body) for body in bill]


def texts(mimo: FakeMiMo) -> list[str]:
    return [body["messages"][-1]["content"] for body in asked(mimo)]


TEMPLATES = {
    "brief": {"system": "Be brief.", "options": {"temperature": 0.5, "thinking": False}},
    "poet": {"prompt": "A poem about $input in $language", "defaults": {"language": "English"}},
    "before": {"prompt": "Read this:", "schema_object": {"type": "object", "properties": {}}},
    "flash": {"prompt": "Hello, $input", "model": "mimo-flash"},
}


@pytest.mark.parametrize(
    "arguments",
    [
        (*MODEL,),
        (*MODEL, "-s", "Answer in French."),
        (*MODEL, "-o", "max_tokens", "100", "-o", "stop", '["a", "b"]', "-o", "thinking", "false"),
        (*MODEL, "--schema", "name, age int"),
        (*MODEL, "--schema-multi", "name, age int", "-o", "reasoning_effort", "none"),
        (*MODEL, "-t", "brief"),
        (*MODEL, "-t", "brief", "-s", "Mine.", "-o", "temperature", "1.0"),
        (*MODEL, "-t", "poet", "-p", "language", "French"),
        (*MODEL, "-t", "poet", "-t", "brief", "-t", "before"),
        (*MODEL, "-t", "before"),
        ("-t", "flash"),
        ("-m", "mimo", "-o", "json_object", "true"),
    ],
    ids=" ".join,
)
def test_a_line_asks_what_llm_asks(
    run: Llm, mimo: FakeMiMo, user_path: Path, arguments: tuple[str, ...]
) -> None:
    import yaml

    (user_path / "templates").mkdir()
    for name, fields in TEMPLATES.items():
        (user_path / "templates" / f"{name}.yaml").write_text(yaml.safe_dump(fields))
    run.ok("models", "options", "set", "mimo-v2.6-flash", "top_p", "0.9")
    mimo.when(content="pelican").answer('{"items": []}', repeat=True)
    run("prompt", "--no-stream", *arguments, "pelicans")
    first = next(one for one in mimo.requests if one.path.endswith("/chat/completions"))
    wanted = dict(first.body)
    wanted.pop("stream", None)
    run.ok("mimo", "batch", "submit", "-", *arguments, "--yes", input="pelicans\n")
    assert asked(mimo) == [wanted]


def test_json_lines(run: Llm, mimo: FakeMiMo) -> None:
    Path("t.yaml").write_text("prompt: '$input: $fact of $count, $more'")
    Path("p.jsonl").write_text(
        '{"prompt": "A", "fact": "x", "count": 7, "more": [1]}\n\n'
        '{"prompt": "B", "fact": "\\u4f60", "count": true, "more": null}\n',
        encoding="utf-8",
    )
    run.ok("mimo", "batch", "submit", "p.jsonl", *MODEL, "-t", "t.yaml", "--yes")
    assert sorted(texts(mimo)) == ["A: x of 7, [1]", "B: 你 of true, null"]


def test_json_texts_from_stdin(run: Llm, mimo: FakeMiMo) -> None:
    shown = run.ok(
        *("mimo", "batch", "submit", "-", "--format", "jsonl", *MODEL, "--yes"),
        input='"One\\nline"\n"Two"\n',
    ).stdout
    assert shown == "prompts.job.db\n"
    assert sorted(texts(mimo)) == ["One\nline", "Two"]


def test_letters_that_files_and_terminals_do_not_take(run: Llm, mimo: FakeMiMo) -> None:
    """Half of a surrogate pair, a NUL, an escape: all are sent, answered, logged and exported."""
    mimo.when(content="half").answer("half \ud83d too", repeat=True)
    Path("p.jsonl").write_text('"half \\ud83d pair"\n"nul \\u0000"\n"\\u001b[31mred"\n')
    run.ok("mimo", "batch", "submit", "p.jsonl", *MODEL, "--yes")
    run.ok("mimo", "batch", "results", "-o", "out.csv")
    assert Path("out.csv").read_text("utf-8").count("half \N{REPLACEMENT CHARACTER}") == 2
    assert run.ok("mimo", "batch", "results").stdout.count("[3] red\n") == 1
    prompts = [row["prompt"] for row in json.loads(run.ok("logs", "-n", "0", "--json").stdout)]
    assert prompts == ["half \N{REPLACEMENT CHARACTER} pair", "nul \0", "\x1b[31mred"]


def test_csv_with_a_column_of_prompts(run: Llm, mimo: FakeMiMo) -> None:
    Path("p.csv").write_text('\ufeffid,prompt\r\n1,"One, two"\r\n2,"Three\nfour"\r\n', "utf-8")
    run.ok("mimo", "batch", "submit", "p.csv", *MODEL, "--yes")
    assert sorted(texts(mimo)) == ["One, two", "Three\nfour"]


def test_csv_whose_columns_are_the_template_s_variables(run: Llm, mimo: FakeMiMo) -> None:
    Path("t.yaml").write_text("prompt: Translate $word\nsystem: You speak $language.")
    Path("p.csv").write_text("word,language\nHaus,German\nmaison,French\n")
    run.ok("mimo", "batch", "submit", "p.csv", *MODEL, "-t", "t.yaml", "--yes")
    assert sorted(tuple(m["content"] for m in body["messages"]) for body in asked(mimo)) == [
        ("You speak French.", "Translate maison"),
        ("You speak German.", "Translate Haus"),
    ]
    run.ok("mimo", "batch", "results", "--jsonl")
    log = json.loads(run.ok("logs", "-n", "0", "--json").stdout)
    assert [(row["prompt"], row["system"]) for row in log] == [
        ("Translate Haus", "You speak German."),
        ("Translate maison", "You speak French."),
    ]


def test_a_long_field(run: Llm, mimo: FakeMiMo) -> None:
    long = "word " * 40_000
    Path("p.csv").write_text(f'prompt\n"{long}"\n')
    run.ok("mimo", "batch", "submit", "p.csv", *MODEL, "--yes")
    assert texts(mimo) == [long]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("p.txt", b"\n \n", "There is no request to send"),
        ("p.txt", b"One\n\xff\n", "p.txt is not UTF-8"),
        ("p.jsonl", b'"One"\n{"prompt": \n', "p.jsonl, line 2 is not JSON"),
        ("p.jsonl", b"7\n", "p.jsonl, line 1 must be a text or an object"),
        ("p.jsonl", b"[" * 100_000, "p.jsonl, line 1 is not JSON"),
        ("p.jsonl", b'{"prompt": 7}\n', "p.jsonl, line 1: prompt must be a text"),
        ("p.jsonl", b'{"text": "One"}\n', "p.jsonl, line 1 has no prompt"),
        ("p.csv", b"prompt,id\nOne\n", "p.csv, line 2 has not as many fields"),
        ("p.csv", b"prompt\nOne,2\n", "p.csv, line 2 has not as many fields"),
        ("p.csv", b"text\nOne\n", "p.csv, line 2 has no prompt"),
        ("p.csv", b"prompt,id,id\nOne,1,2\n", "p.csv has the column 'id' twice"),
    ],
)
def test_files_that_cannot_be_sent(
    run: Llm, mimo: FakeMiMo, name: str, content: bytes, said: str
) -> None:
    Path(name).write_bytes(content)
    assert said in run.fails("mimo", "batch", "submit", name, *MODEL, "--yes")
    assert mimo.requests == []
    assert [path.name for path in Path().iterdir()] == [name]


def test_a_file_that_is_not_there_or_is_a_folder(run: Llm) -> None:
    for path in ("no.txt", "."):
        line = run.fails("mimo", "batch", "submit", path, *MODEL, "--yes", "--job", "j.job.db")
        assert line.startswith("Error: The prompts cannot be read: ")
    assert not Path("j.job.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-m", "gpt-4o-mini"), "gpt-4o-mini is not one of MiMo's models, so nothing was sent"),
        (("-m", "mimo-v2.5-tts"), "mimo-v2.5-tts is no chat model"),
        ((*MODEL, "-t", "nowhere"), "Invalid template: nowhere. `llm templates` lists them."),
        ((*MODEL, "-t", "tools.yaml"), "The template tools.yaml has tools"),
        ((*MODEL, "-t", "variables.yaml"), "p.txt, line 1, template variables.yaml: Missing"),
        ((*MODEL, "-t", "dollar.yaml"), "The template dollar.yaml cannot be used"),
        ((*MODEL, "-o", "temperature", "hot"), "-o temperature Input should be a valid number"),
        ((*MODEL, "-o", "colour", "red"), "-o colour Extra inputs are not permitted"),
        ((*MODEL, "-o", "max_tokens", "1000000"), "max_tokens"),
        ((*MODEL, "--schema", '{"type": 7}'), "The schema cannot be used"),
    ],
)
def test_settings_that_cannot_be_used(
    run: Llm, mimo: FakeMiMo, arguments: tuple[str, ...], said: str
) -> None:
    Path("p.txt").write_text("One\n")
    Path("tools.yaml").write_text("prompt: Hi $input\ntools: [llm_time]")
    Path("variables.yaml").write_text("prompt: Hi $who")
    Path("dollar.yaml").write_text("prompt: Hi $input for 5 $")
    line = run.fails("mimo", "batch", "submit", "p.txt", *arguments, "--yes")
    assert said in line
    assert mimo.requests == []
    assert not Path("p.job.db").exists()


def test_what_has_no_effect_on_batches_is_said_once(run: Llm) -> None:
    Path("p.txt").write_text("One\nTwo\n")
    options = ("-o", "timeout", "5", "-o", "temperature", "0.5")
    shown = run.ok("mimo", "batch", "submit", "p.txt", *MODEL, *options, "--yes").stderr
    assert shown.count("Note: timeout has no effect on batches") == 1
    assert shown.count("Note: temperature has no effect while mimo-v2.6-flash thinks") == 1
