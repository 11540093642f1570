"""The table of what works on MiMo with which client, made from what `make peers` has found.

    python -m scripts.peer_table           prints the short table and the long one
    python -m scripts.peer_table --write   puts them into README.md and docs/peers.md
    python -m scripts.peer_table --check   exit code 1 where one is stale

The short one is README's, the long one that of the page. Each stands between `<!-- peers:start -->`
and `<!-- peers:end -->`. What was found is in docs/peers.json, which the tests of tests/peers write
and compare; nothing of it is written by hand.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "docs" / "peers.json"
PAGE = ROOT / "docs" / "peers.md"
README = ROOT / "README.md"
_BLOCK = re.compile(r"(<!-- peers:start -->\n).*?(<!-- peers:end -->)", re.DOTALL)


class Peer(NamedTuple):
    """A column: its name, the distributions whose versions are told, and how it is set up."""

    title: str
    packages: tuple[str, ...]
    setup: str


class Row(NamedTuple):
    """A row: the name of its test function without `test_`, its file, and what is asked."""

    key: str
    file: str
    title: str
    asked: str

    @property
    def test(self) -> str:
        """The test that fills the row."""
        return f"tests/peers/{self.file}::test_{self.key}"


PEERS = (
    Peer("ChatMiMo", ("langchain-core", "langchain"), '`ChatMiMo(model="mimo-v2.6-pro")`'),
    Peer(
        "ChatOpenAI",
        ("langchain-openai", "openai"),
        "`ChatOpenAI(base_url=…, stream_usage=True)`, which asks for usage in streams; for the web "
        "search `use_responses_api=False`, without which that tool goes to `/v1/responses`",
    ),
    Peer(
        "ChatOpenAI on Responses",
        ("langchain-openai",),
        "`ChatOpenAI(base_url=…, use_responses_api=True)`. The service has `/v1/responses` since "
        "29 June 2026 (vendor's page); the emulator has not",
    ),
    Peer(
        "ChatDeepSeek",
        ("langchain-deepseek",),
        "`ChatDeepSeek(api_base=…, stream_usage=True)`; for the web search "
        "`use_responses_api=False`",
    ),
    Peer(
        "ChatOpenRouter",
        ("langchain-openrouter", "openrouter"),
        "`ChatOpenRouter(base_url=…, streaming=True)`: its SDK refuses every answer that is not "
        "streamed, because MiMo's have no `system_fingerprint`. It is made for OpenRouter's own "
        "server, which has MiMo as `xiaomi/mimo-v2.6-pro` and another name for reasoning; here it "
        "speaks as if to Xiaomi",
    ),
    Peer(
        "ChatLiteLLM",
        ("langchain-litellm", "litellm"),
        '`ChatLiteLLM(model="xiaomi_mimo/mimo-v2.6-pro", api_base=…)`: LiteLLM has a provider for '
        "MiMo",
    ),
    Peer(
        "litellm.completion",
        ("litellm",),
        '`litellm.completion(model="xiaomi_mimo/mimo-v2.6-pro", api_base=…)`, with the loop for '
        "tools of its documentation, and `enable_json_schema_validation` for structured output",
    ),
    Peer("llm-mimo", ("llm",), "`llm -m mimo-v2.6-pro`"),
    Peer(
        "llm's OpenAI plugin",
        ("llm", "openai"),
        "a model of `extra-openai-models.yaml` with `api_base`, and everything that it can do "
        "switched on (`supports_tools`, `supports_schema`, `vision`, `audio`, `reasoning`)",
    ),
    Peer(
        "llm-openrouter",
        ("llm-openrouter",),
        "has no setting for another address than OpenRouter's",
    ),
)

ROWS = (
    Row("question", "test_answers.py", "One question", "A text comes back, whole and streamed."),
    Row(
        "reasoning",
        "test_answers.py",
        "Reasoning is shown",
        "The answer has `reasoning_content`. Can the caller read it, whole and streamed?",
    ),
    Row(
        "usage",
        "test_answers.py",
        "Tokens: reasoning and cached ones too",
        "Four counts: of input, of output, of reasoning, of what was cached; whole and streamed.",
    ),
    Row(
        "second_turn",
        "test_agents.py",
        "An agent's second turn",
        "The model thinks and calls a tool. Does it get its reasoning back with the result, "
        "without which the request is refused? (With thinking switched off, for `ChatOpenAI` by "
        '`extra_body={"thinking": {"type": "disabled"}}`, nothing has to go back.)',
    ),
    Row(
        "call_without_words",
        "test_agents.py",
        "A tool call without words",
        "The model calls a tool and says nothing. A `content` of null is refused on the next turn, "
        "by some backends an empty one too.",
    ),
    Row(
        "picture",
        "test_agents.py",
        "A picture from a tool",
        "A tool gives a picture. MiMo takes none in a tool's message, only in a user's.",
    ),
    Row(
        "forced",
        "test_agents.py",
        "A forced tool call",
        "MiMo ignores `tool_choice`, and the model answers in words. Is that noticed?",
    ),
    Row(
        "structured",
        "test_agents.py",
        "Structured output is checked",
        "The model answers with JSON that lacks a field: MiMo promises JSON, not a schema. Asked "
        "again, it would be right. In part: an error, and no second try.",
    ),
    Row(
        "cut_stream",
        "test_streams.py",
        "A cut stream is noticed",
        "The body of a stream ends before a finish reason, as behind a proxy that gave up.",
    ),
    Row(
        "cut_call",
        "test_streams.py",
        "A cut tool call is not run",
        'The same within the arguments of a call: of `{"path": "/srv/data/old"}` arrives '
        '`{"path": "/srv/`. What does an agent do, whose tool deletes that path?',
    ),
    Row(
        "error_in_stream",
        "test_streams.py",
        "An error within a stream",
        'After a few words comes `data: {"error": …}`. Is the caller told?',
    ),
    Row(
        "speech",
        "test_speech.py",
        "Speech",
        "`mimo-v2.5-tts` says a text. Does the caller get the sound, whole and streamed? (LiteLLM "
        "takes `expires_at: null`, which is what MiMo's reference announces, for a broken answer.)",
    ),
    Row(
        "recognition",
        "test_speech.py",
        "Recognition",
        "`mimo-v2.5-asr` writes a recording down, which is to come as a data URL.",
    ),
    Row(
        "web_search",
        "test_answers.py",
        "Web search, with its sources",
        'MiMo\'s own tool, `{"type": "web_search", "force_search": true}`. Does it reach the '
        "server whole, and do the sources reach the caller?",
    ),
    Row(
        "content_filter",
        "test_errors.py",
        "A content filter as its own error",
        "The status is 400, the code in the body 421. Can a program tell it from any other 400 by "
        "the class? In part: by something else.",
    ),
    Row(
        "page",
        "test_errors.py",
        "A proxy's page in place of an answer",
        "HTML with the status 200. Is it an error of the client's own kind? In part: another one, "
        "which shows the page.",
    ),
)

_MARKS = {"yes": "✓", "partly": "(✓)", "no": "✗", "not shown": "?", "does not apply": "–"}
_KEY = "✓ works, (✓) in part, ✗ does not, – has nothing of the kind"


def found() -> dict[str, Any]:
    """What docs/peers.json holds.

    Raises:
        OSError: the file is not there.
    """
    loaded: dict[str, Any] = json.loads(FOUND.read_text(encoding="utf-8"))
    return loaded


def short_table(told: dict[str, Any]) -> str:
    """README's table as Markdown: marks only, and in three lines what they mean."""
    marks = _marks(told, [f"[{row.title}](tests/peers/{row.file})" for row in ROWS])
    missing = ", ".join(peer.title for peer in _missing(told))
    below = (
        f"{_KEY}; found on {told['date']} by running each client against the emulator, not against "
        f"the service. Each row's link is its test (`make peers`). Not shown: {missing}. "
        "[Versions, settings, and what happens in each case](docs/peers.md)."
    )
    lines = textwrap.wrap(below, 108, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*marks, "", *lines, ""])


def long_table(told: dict[str, Any]) -> str:
    """The page's tables as Markdown: marks, then for each row what happens with each client."""
    lines = _marks(told, [f"[{row.title}](#{_anchor(row.title)})" for row in ROWS])
    seen = told["outcomes"]
    missing = [f"{peer.title} ({seen[ROWS[0].key][peer.title][1]})" for peer in _missing(told)]
    lines += [
        "",
        f"{_KEY}. Shown on the emulator of this repository, not on the service, on {told['date']} "
        f"with Python {told['python']}. Not shown: {'; '.join(missing)}.",
    ]
    lines += ["", "## The clients", "", "| client | versions | set up as |", "| --- | --- | --- |"]
    for peer in PEERS:
        versions = ", ".join(f"{name} {told['versions'][name]}" for name in peer.packages)
        lines.append(f"| {peer.title} | {versions} | {peer.setup} |")
    for row in ROWS:
        lines += ["", f"## {row.title}", "", row.asked, ""]
        lines += ["| client | | what happens |", "| --- | :-: | --- |"]
        for peer in _shown(told):
            verdict, says = seen[row.key][peer.title]
            lines.append(f"| {peer.title} | {_MARKS[verdict]} | {says} |")
        lines += ["", f"The test: `{row.test}`."]
    return "\n".join([*lines, ""])


def _shown(told: dict[str, Any]) -> list[Peer]:
    """The clients of which anything was shown: the columns."""
    seen = told["outcomes"]
    return [
        peer for peer in PEERS if any(seen[row.key][peer.title][0] != "not shown" for row in ROWS)
    ]


def _missing(told: dict[str, Any]) -> list[Peer]:
    """The clients that are no column."""
    return [peer for peer in PEERS if peer not in _shown(told)]


def _marks(told: dict[str, Any], names: list[str]) -> list[str]:
    """The table of marks, with the rows called `names`."""
    shown, seen = _shown(told), told["outcomes"]
    head = [peer.title.replace(".", ".<br>") for peer in shown]  # else it is too wide for the page
    lines = [f"| | {' | '.join(head)} |", "| --- |" + " :-: |" * len(shown)]
    for row, name in zip(ROWS, names, strict=True):
        cells = [_MARKS[seen[row.key][peer.title][0]] for peer in shown]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _anchor(title: str) -> str:
    """The anchor of a heading, as the site and GitHub make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def texts() -> dict[Path, str]:
    """Each file that has markers, and its table."""
    told = found()
    made = {README: short_table(told), PAGE: long_table(told)}
    return {path: table for path, table in made.items() if _BLOCK.search(_read(path))}


def updated(text: str, table: str) -> str:
    """A file's text with the table between its markers."""
    return _BLOCK.sub(lambda block: f"{block[1]}{table}{block[2]}", text)


def stale() -> list[Path]:
    """The files whose table is not what was found."""
    return [path for path, table in texts().items() if updated(_read(path), table) != _read(path)]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="what works on MiMo with which client")
    parser.add_argument("--write", action="store_true", help="update README.md and docs/peers.md")
    parser.add_argument("--check", action="store_true", help="exit code 1 where one is stale")
    options = parser.parse_args()
    if options.write:
        for path, table in texts().items():
            path.write_text(updated(_read(path), table), encoding="utf-8")
    elif options.check:
        if names := [str(path.relative_to(ROOT)) for path in stale()]:
            said = f"stale: {', '.join(names)}. Run: python -m scripts.peer_table --write\n"
            sys.stderr.write(said)
            return 1
    else:
        sys.stdout.write(f"{short_table(found())}\n{long_table(found())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
