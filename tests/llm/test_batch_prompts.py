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
        (
            "p.jsonl",
            b'"One"\n{"question": "a", "id": 7}\n',
            "p.jsonl, line 2 has no prompt: no field or column is named prompt; there are: "
            "question, id. Rename one of them, or use a template (-t)",
        ),
        ("p.jsonl", b'{"prompt": " "}\n', "line 1 has no prompt: its prompt is empty"),
        ("p.jsonl", b"{}\n", "there are: none"),
        (
            "p.jsonl",
            b'{"custom_id": "1", "body": {"messages": []}}\n',
            "it is a request for an API (custom_id, body). Give the texts of the prompts",
        ),
        ("p.csv", b"prompt,id\nOne\n", "p.csv, line 2 has not as many fields"),
        ("p.csv", b"prompt\nOne,2\n", "p.csv, line 2 has not as many fields"),
        ("p.csv", b"question\nOne\n", "p.csv, line 2 has no prompt: no field or column is named"),
        ("p.csv", b"prompt,id\n,1\n", "p.csv, line 2 has no prompt: its prompt is empty"),
        ("p.csv", b"prompt;id\nOne;1\n", "separated by ;. Separate them by commas: prompt;id"),
        ("p.csv", b"prompt\tid\nOne\t1\n", "its columns are separated by tabs"),
        ("p.csv", b"Prompt,id\nOne,1\n", "the name 'Prompt' is not read. Write it as prompt"),
        ("p.json", b'["One"]', "Say what this file is with --format txt, jsonl or csv"),
        ("p.tsv", b"prompt\tid\n", "prompts are read from .txt (one a line), .jsonl, .ndjson"),
        ("p.xlsx", b"PK", "p.xlsx: prompts are read from"),
        ("p.csv", b"prompt,id,id\nOne,1,2\n", "p.csv has the column 'id' twice"),
    ],
)
def test_files_that_cannot_be_sent(
    run: Llm, mimo: FakeMiMo, name: str, content: bytes, said: str
) -> None:
    """With a system prompt too, which alone would be a request that asks nothing and costs."""
    Path(name).write_bytes(content)
    for more in ((), ("-s", "Answer in one word")):
        assert said in run.fails("mimo", "batch", "submit", name, *MODEL, *more, "--yes")
    assert mimo.requests == []
    assert [path.name for path in Path().iterdir()] == [name]


@pytest.mark.parametrize(
    "template",
    [
        "system: Translate into $language.",
        "prompt: Write a poem.",
        "prompt: Write a poem about $topic.\ndefaults: {topic: the sea}",
        "prompt: Write a poem about $input.",
        "prompt: Translate $remark.",
        "prompt: Write a poem.\nsystem: You speak $language.",
    ],
)
def test_a_template_that_asks_the_same_of_every_line_is_refused(
    run: Llm, mimo: FakeMiMo, template: str
) -> None:
    Path("t.yaml").write_text(template)
    Path("words.csv").write_text("word,language,remark\nHaus,German,\nmaison,French,\n")
    line = run.fails("mimo", "batch", "submit", "words.csv", *MODEL, "-t", "t.yaml", "--yes")
    assert "words.csv, line 2 has no prompt, and no template's prompt has anything of it" in line
    assert "there are: word, language, remark" in line
    assert mimo.requests == []


def test_a_template_s_input_is_the_prompt_so_that_a_line_needs_one(
    run: Llm, mimo: FakeMiMo
) -> None:
    Path("t.yaml").write_text("prompt: 'Of $word: $input'")
    Path("words.csv").write_text("word\nlake\n")
    line = run.fails("mimo", "batch", "submit", "words.csv", *MODEL, "-t", "t.yaml", "--yes")
    assert "line 2 has no prompt, which the template t.yaml takes as $input" in line
    assert mimo.requests == []


def test_a_template_may_write_its_fields_in_braces(run: Llm, mimo: FakeMiMo) -> None:
    Path("t.yaml").write_text("prompt: Translate ${word}s")
    Path("words.csv").write_text("word\nlake\n")
    run.ok("mimo", "batch", "submit", "words.csv", *MODEL, "-t", "t.yaml", "--yes")
    assert texts(mimo) == ["Translate lakes"]


def test_the_format_can_be_said_for_any_ending(run: Llm, mimo: FakeMiMo) -> None:
    Path("p.json").write_text('"One"\n')
    Path("q.ndjson").write_text('"Two"\n')
    run.ok("mimo", "batch", "submit", "p.json", "--format", "jsonl", *MODEL, "--yes")
    run.ok("mimo", "batch", "submit", "q.ndjson", *MODEL, "--yes")
    assert sorted(texts(mimo)) == ["One", "Two"]


def test_where_llm_s_default_model_is_another_the_error_says_what_to_add(run: Llm) -> None:
    Path("p.txt").write_text("One\n")
    line = run.fails("mimo", "batch", "submit", "p.txt", "--yes")
    assert line.endswith("llm's default model, is no chat model of MiMo's. Add -m mimo-flash.")


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
