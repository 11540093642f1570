"""The table of MiMo's particularities: where each is known from, and the tests of what is done.

Nobody of the project could ask the service. A claim of the first column comes from the fact of
`mimo_core/doctor/facts.py` or the rejection of the emulator (`sources.py`) that is named beside it,
and the emulator is held to it. What is done here is shown by tests.
"""

from __future__ import annotations

from typing import NamedTuple

from mimo_core.doctor.facts import FACTS
from mimo_core.testing.emulator.sources import SOURCES

_HISTORY = "tests/core/test_history.py"
_TOOLS = "tests/core/test_tool_calls.py"
_STREAM = "tests/core/test_stream.py"
_REPORTS = "public reports, December 2025 to October 2026"


class Particularity(NamedTuple):
    """One row.

    Args:
        of_mimo: what MiMo does.
        known: ids of facts, names of the emulator's rules, or where else it is known from.
        done: pairs of what is done here and the test that shows it.
    """

    of_mimo: str
    known: tuple[str, ...]
    done: tuple[tuple[str, str], ...]


PARTICULARITIES = (
    Particularity(
        "In thinking mode, a history with tool calls is refused (400) if the `reasoning_content` "
        "of an assistant message is missing",
        ("history.reasoning",),
        (
            (
                "it is kept in the message and in checkpoints, and sent again",
                "tests/langchain/test_agents.py::test_every_later_request",
            ),
            (
                "from llm's log too",
                "tests/llm/test_history.py::test_reasoning_goes_back_with_the_calls",
            ),
            (
                "where there is none, an empty one is sent",
                f"{_HISTORY}::test_a_call_without_reasoning_gets_an_empty_one",
            ),
        ),
    ),
    Particularity(
        "An assistant message that only calls tools is refused if its content is null, by some "
        "backends if it is empty",
        ("history.null_content", "assistant content"),
        (
            (
                "one space is sent",
                f"{_HISTORY}::test_a_message_of_calls_alone_has_a_space_for_content",
            ),
        ),
    ),
    Particularity(
        "A tool's result must be a text",
        ("history.tool_image",),
        (
            (
                "images, audio and video of a result travel in a user message after it",
                f"{_HISTORY}::test_images_of_tools_travel_in_a_user_message_after_all_tool_messages",
            ),
            (
                "on the messages protocol images stay inside",
                "tests/core/test_history_details.py"
                "::test_results_keep_their_parts_on_the_messages_protocol",
            ),
        ),
    ),
    Particularity(
        "`tool_choice` is accepted and ignored",
        ("tool_choice.named", "tool_choice.none"),
        (
            (
                "the call is asked for in words, the answer is checked, and a missing call is "
                "asked for once more",
                "tests/langchain/test_bind_tools.py::test_a_missing_call_is_asked_for_once_more",
            ),
            (
                "with `none` no tools are sent",
                "tests/core/test_request.py"
                "::test_tool_choice_none_leaves_the_tools_out_because_the_service_ignores_it",
            ),
        ),
    ),
    Particularity(
        "Without a `parameters` schema a call may be written as text",
        (_REPORTS,),
        (
            (
                "every tool gets a schema",
                "tests/core/test_request.py::test_every_tool_has_a_parameters_schema",
            ),
            (
                "a call that was written as text is read as one",
                f"{_TOOLS}::test_a_call_written_as_text_becomes_a_call_"
                "with_arguments_of_the_schemas_types",
            ),
        ),
    ),
    Particularity(
        "Arguments may be cut off, or hold an object as a JSON text",
        (_REPORTS,),
        (
            (
                "a cut call is never run",
                f"{_TOOLS}::test_only_a_call_with_a_whole_object_may_be_run",
            ),
            (
                "the text is read as the object that the schema asks for",
                f"{_TOOLS}::test_an_object_written_as_a_json_string_is_decoded_"
                "where_the_schema_wants_an_object",
            ),
        ),
    ),
    Particularity(
        "`response_format` promises JSON, not your schema",
        ("json.object", "json.schema"),
        (
            (
                "the schema goes into the prompt",
                "tests/core/test_schemas.py::test_the_instruction_holds_the_schema_as_it_is",
            ),
            (
                "the answer is validated here, and a violation is sent back once",
                "tests/langchain/test_structured_output.py::test_a_violation_is_sent_back",
            ),
            ("in llm too", "tests/llm/test_schema.py::test_a_violation_is_corrected_once"),
        ),
    ),
    Particularity(
        "While a model thinks, `temperature` and `top_p` are overridden",
        (_REPORTS,),
        (
            (
                "llm says so in a note",
                "tests/llm/test_options.py::test_what_thinking_overrides_is_noted",
            ),
            (
                "`thinking=False` is sent as the service takes it",
                "tests/core/test_request.py::test_thinking_is_sent_as_the_service_takes_it",
            ),
        ),
    ),
    Particularity(
        "Reasoning counts against `max_tokens`: an answer may be empty",
        ("usage.reasoning", "request.limit"),
        (
            (
                "the finish reason `length` is kept",
                "tests/langchain/test_answers.py::test_a_truncated_answer",
            ),
            (
                "in LangChain an answer that is all reasoning gives a warning",
                "tests/langchain/test_answers.py::test_an_answer_that_is_all_reasoning",
            ),
            (
                "llm says what to raise",
                "tests/llm/test_chat.py::test_max_tokens_cuts_and_is_named",
            ),
        ),
    ),
    Particularity(
        "Web search is a tool without a function, and has to be switched on in the console",
        ("web_search.sources", "web search disabled"),
        (
            (
                '`{"type": "web_search"}` among the tools',
                "tests/core/test_request.py::test_web_search_is_a_tool_without_a_function",
            ),
            (
                "`-T WebSearch` in llm",
                "tests/llm/test_web_search.py::test_the_request_and_the_log",
            ),
            ("sources are citations", "tests/langchain/test_answers.py::test_citations"),
        ),
    ),
    Particularity(
        "Speech is a chat completion whose *assistant* message is the text to be spoken",
        ("speech.out", "speech without text"),
        (
            (
                "the roles are put right: see [speech](langchain/speech.md)",
                "tests/core/test_speech.py::test_text_and_style",
            ),
        ),
    ),
    Particularity(
        "A PDF is refused, and on the messages protocol audio and video are dropped in silence",
        ("file part", "messages media"),
        (
            (
                "a PDF raises before anything is sent",
                "tests/core/test_history_media.py::test_parts_that_are_refused",
            ),
            (
                "so do audio and video on that protocol",
                "tests/core/test_messages_request.py"
                "::test_sound_and_video_are_refused_rather_than_lost",
            ),
        ),
    ),
    Particularity(
        "A text model refuses an image anywhere in the history, on every later turn too",
        ("media for a text model",),
        (
            (
                "it is named in words where a tool gave it",
                f"{_HISTORY}::test_what_a_tool_returned_and_a_model_cannot_see_is_named_in_a_text",
            ),
            (
                "and refused before it is sent where you did",
                "tests/core/test_history_media.py"
                "::test_a_text_model_takes_no_media_wherever_they_stand",
            ),
        ),
    ),
    Particularity(
        "Unknown fields are ignored in silence",
        ("request.unknown_field",),
        (
            (
                "a misspelt name is an error that says which was meant",
                "tests/core/test_request.py"
                "::test_a_typo_is_found_here_because_the_service_would_ignore_it",
            ),
            (
                "a field of another service is sent with a warning",
                "tests/langchain/test_swap_arguments.py"
                "::test_other_request_fields_are_sent_with_a_warning",
            ),
        ),
    ),
    Particularity(
        "A stream may end without a finish reason, hold an error after HTTP 200, or have no "
        "choices at all",
        (_REPORTS,),
        (
            (
                "the first raises `StreamInterruptedError`, with what had arrived in `partial`",
                f"{_STREAM}::test_no_finish_reason_is_an_error_that_carries_what_had_arrived",
            ),
            (
                "the second the error that it is",
                f"{_STREAM}::test_an_error_event_in_the_service_s_own_words",
            ),
            (
                "the third `StreamInterruptedError`",
                f"{_STREAM}::test_nothing_but_empty_choices_is_an_error",
            ),
        ),
    ),
    Particularity(
        "The useful sentence of a refusal is often in `param`, and the inner code may differ from "
        "the status",
        ("errors.sentence",),
        (
            (
                "the error's line has that sentence",
                "tests/core/test_classify.py::test_published_refusals",
            ),
            (
                "and the inner code decides its class",
                "tests/core/test_classify.py::test_the_inner_code_says_what_happened",
            ),
        ),
    ),
    Particularity(
        "`sk-` keys and `tp-` keys work at different hosts",
        ("the vendor's pages, 2026",),
        (
            (
                "`tp-` and `ttp-` keys go to the Token Plan's cluster",
                "tests/core/test_endpoint.py"
                "::test_a_tp_key_without_a_base_url_goes_to_the_token_plan",
            ),
            (
                "a 401 names the hosts of the key",
                "tests/core/test_endpoint.py::test_a_key_of_another_host_is_named_in_a_401",
            ),
        ),
    ),
)


def named_by_particularities() -> list[str]:
    """The tests that the table names, each once, as `file::function`."""
    return list(dict.fromkeys(test for row in PARTICULARITIES for _, test in row.done))


def whence(known: str) -> str:
    """Where a claim comes from, for a reader.

    Args:
        known: the id of a fact, the name of one of the emulator's rules, or the words themselves.
    """
    for fact in FACTS:
        if fact.id == known:
            return f"{fact.source} {fact.date}, `{known}`"
    return f"the emulator's rule `{known}`" if known in SOURCES else known


def particularities_table() -> str:
    """The table as Markdown, and below it the tests by number."""
    numbers = {test: number for number, test in enumerate(named_by_particularities(), 1)}
    lines = ["| MiMo | known from | what is done here |", "| --- | --- | --- |"]
    for row in PARTICULARITIES:
        known = "; ".join(whence(one) for one in row.known)
        done = "; ".join(f"{words} ({numbers[test]})" for words, test in row.done)
        lines.append(f"| {row.of_mimo} | {known} | {done} |")
    legend = [f"{number}. `{test}`" for test, number in numbers.items()]
    return "\n".join([*lines, "", "The tests, by number:", "", *legend, ""])
