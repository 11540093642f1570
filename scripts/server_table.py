"""The table of docs/servers.md: what each is sent and read, and the test that shows each cell.

What is sent follows from the gateway table; what is read, and where it was seen, stands here.
"""

from __future__ import annotations

from typing import NamedTuple

from mimo_core.dialects import Dialect
from mimo_core.gateways import GATEWAYS

_SWITCHES = {
    "thinking": '`thinking: {"type"}`',
    "chat_template_kwargs": "`chat_template_kwargs`",
    "reasoning": "`reasoning`",
    "reasoning_effort": "`reasoning_effort`",
}
_DIALECTS = "tests/core/test_dialects.py"
_REQUESTS = "tests/foreign/test_requests.py"
_ANSWERS = "tests/foreign/test_engineless_answers.py"
_LLAMA = "tests/foreign/test_llama_cpp.py"
_TRANSCRIBED = "tests/foreign/test_transcribed_answers.py"
_MEDIA = "tests/core/test_history_media.py"
_VENDORS = "tests/testing/test_fake_published.py"


class Server(NamedTuple):
    """One row: its name in `GATEWAYS`, where its reasoning stands, and the test of each cell."""

    title: str
    gateway: str
    reads: str
    reasoning_in: str
    reasoning_out: str
    switch: str
    tools: str
    audio: str
    video: str


_TRANSCRIBED_ROW = (
    f"{_TRANSCRIBED}::test_nothing_is_lost",
    f"{_TRANSCRIBED}::test_the_second_turn",
    f"{_TRANSCRIBED}::test_the_switch",
    f"{_TRANSCRIBED}::test_the_second_turn",
    f"{_DIALECTS}::test_elsewhere_sound_is_base64_with_its_format",
)
_ENGINELESS_ROW = (
    f"{_ANSWERS}::test_reasoning_calls_and_counts",
    f"{_REQUESTS}::test_results_and_reasoning_go_back",
    f"{_REQUESTS}::test_the_switch",
    f"{_ANSWERS}::test_a_whole_round_of_a_call",
    f"{_REQUESTS}::test_sound",
    f"{_REQUESTS}::test_a_film",
)
_SERVICE_ROW = (
    f"{_VENDORS}::test_a_published_answer_can_be_passed_back",
    f"{_DIALECTS}::test_reasoning_goes_back_to_the_service_under_its_own_name",
    f"{_DIALECTS}::test_the_services_own_switch",
    f"{_VENDORS}::test_a_published_answer_can_be_passed_back",
    f"{_DIALECTS}::test_the_service_takes_sound_as_a_url_of_either_kind",
    f"{_DIALECTS}::test_what_is_too_large_is_found_before_it_is_sent",
)
_ANY_VIDEO = f"{_DIALECTS}::test_ollama_has_no_part_for_a_video"

SERVERS = (
    Server("Xiaomi, Token Plan", "xiaomi", "`reasoning_content`", *_SERVICE_ROW),
    Server("Cloudsway", "cloudsway", "`reasoning_content`", *_SERVICE_ROW),
    Server("vLLM", "vllm", "`reasoning`", *_ENGINELESS_ROW),
    Server("SGLang", "sglang", "`reasoning_content`", *_ENGINELESS_ROW),
    Server(
        "llama.cpp",
        "llama.cpp",
        "`reasoning_content`",
        f"{_LLAMA}::test_reasoning_arrives",
        f"{_LLAMA}::test_a_call_and_its_result",
        f"{_LLAMA}::test_the_switch_reaches_the_template",
        f"{_LLAMA}::test_a_call_and_its_result",
        "tests/foreign/test_llama_cpp_refusals.py::test_sound_in_both_hosts",
        "tests/foreign/test_llama_cpp_refusals.py::test_refused_on_chat_completions",
    ),
    Server("Ollama", "ollama", "`reasoning`", *_TRANSCRIBED_ROW, _ANY_VIDEO),
    Server(
        "OpenRouter",
        "openrouter",
        "`reasoning`, `reasoning_details`",
        *_TRANSCRIBED_ROW,
        _ANY_VIDEO,
    ),
    Server(
        "Vercel's gateway",
        "vercel",
        "`reasoning`",
        "tests/core/test_reasoning.py::test_where_reasoning_stands",
        f"{_DIALECTS}::test_elsewhere_reasoning_goes_back_under_both_names",
        f"{_DIALECTS}::test_the_switch_of_relays",
        "tests/core/test_tool_calls.py",
        f"{_DIALECTS}::test_elsewhere_sound_is_base64_with_its_format",
        _ANY_VIDEO,
    ),
    Server("mlx-lm, mlx-vlm, any other URL", "vllm", "any of these", *_TRANSCRIBED_ROW, _ANY_VIDEO),
)


def named_tests() -> list[str]:
    """The tests that the table names, each once, as `file` or `file::function`."""
    named = dict.fromkeys(test for server in SERVERS for test in server[3:])
    return list(named)


def server_table() -> str:
    """The table as Markdown, and below it the tests by number."""
    numbers = {test: number for number, test in enumerate(named_tests(), 1)}
    lines = [
        "| server | reasoning in | reasoning out | thinking switch | tools | audio | video |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for server in SERVERS:
        dialect = GATEWAYS[server.gateway].dialect
        said = (server.reads, *_cells(dialect))
        cells = [f"{text} ({numbers[test]})" for text, test in zip(said, server[3:], strict=True)]
        lines.append(f"| {' | '.join((server.title, *cells))} |")
    legend = [f"{number}. `{test}`" for test, number in numbers.items()]
    return "\n".join([*lines, "", "The tests, by number:", "", *legend, ""])


def _cells(dialect: Dialect) -> tuple[str, ...]:
    fields = [*dialect.reasoning_fields]
    if dialect.takes_reasoning_details:
        fields.append("reasoning_details")
    audio = "`data` is a URL" if dialect.audio == "data_url" else "base64 with `format`"
    return (
        ", ".join(f"`{name}`" for name in fields),
        _SWITCHES[dialect.thinking],
        "yes",
        audio,
        "no part for it" if "video" in dialect.without else "`video_url`",
    )
