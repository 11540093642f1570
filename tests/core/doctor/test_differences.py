"""An emulator that behaves otherwise: each change is found, and named."""

from __future__ import annotations

from typing import Any

import pytest

from mimo_core.doctor._probe import Answered, NotKnown, failure
from mimo_core.doctor._probes_refusals import REFUSAL_PROBES
from mimo_core.errors import ErrorResponse, InvalidRequestError
from mimo_core.testing import Fault, ReceivedRequest, Reply
from tests.conftest import KEY

from .examining import differing, emulated, without_path


def lines_of(change: Any = None, **arguments: Any) -> dict[str, str]:
    """What differs, by fact: its line from the verdict on."""
    report = emulated(change, **arguments)
    assert report.exit_code == 1
    return {id: finding.line for id, finding in differing(report).items()}


def streamed(request: ReceivedRequest) -> bool:
    return request.stream and request.protocol == "chat_completions"


def test_no_usage_in_streams() -> None:
    lines = lines_of(lambda request, reply: Reply(reply.text, usage_on="never"))
    assert lines["stream.usage"].startswith("not there")
    assert lines["stream.usage"].endswith("nowhere")


def test_usage_with_the_finish_reason() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        return Reply(reply.text, usage_on="finish") if streamed(request) else None

    line = lines_of(change)["stream.usage"]
    assert line.startswith("differs        stream.usage")
    assert line.endswith("with finish_reason; observed: in a chunk of its own")


def test_usage_on_every_chunk_counts_once_and_is_named() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        text = request.text_of("user")
        return Reply("1 2 3", usage_on="every") if "with spaces" in text else None

    lines = lines_of(change)
    assert lines.keys() == {"stream.usage"}
    assert "on 4 chunks; observed" in lines["stream.usage"]


def test_a_forced_tool_choice_that_is_honoured() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if isinstance(request.chat.get("tool_choice"), dict):
            return Reply(tool_calls=[("get_weather", {"city": "Paris"})])
        return Reply("No tool.") if request.chat.get("tool_choice") == "none" else None

    assert lines_of(change) == {
        "tool_choice.named": _line("differs", "tool_choice.named", "honoured; observed: ignored"),
        "tool_choice.none": _line("differs", "tool_choice.none", "honoured; observed: ignored"),
    }


def test_a_json_schema_that_is_refused() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        format = request.chat.get("response_format") or {}
        if format.get("type") == "json_schema":
            return Fault(error={"code": "400", "message": "Param Incorrect", "param": "no schema"})
        return None

    lines = lines_of(change)
    said = "refused (400: Param Incorrect: no schema); observed: accepted, not enforced"
    assert lines == {"json.schema": _line("differs", "json.schema", said)}


def test_a_json_schema_that_is_enforced() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        format = request.chat.get("response_format") or {}
        return Reply(json={"count": 1}) if format.get("type") == "json_schema" else None

    assert lines_of(change)["json.schema"].endswith("enforced; observed: accepted, not enforced")


def test_thinking_that_cannot_be_turned_off() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if request.stream or request.protocol != "chat_completions" or reply.tool_calls:
            return None
        message = {"role": "assistant", "content": reply.full_text, "reasoning_content": "Hm."}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    lines = lines_of(change)
    said = "thinks anyway; documented: does not think"
    assert lines["thinking.off"] == _line("differs", "thinking.off", said)
    assert "thinks anyway" in lines["thinking.effort_none"]
    assert "thinking.default" not in lines


def test_a_model_that_does_not_think() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        return Reply(reply.text, reasoning=None, tool_calls=reply.tool_calls)

    lines = lines_of(change)
    assert lines["thinking.default"].endswith("does not think")
    assert lines["thinking.field"].endswith("nowhere")
    assert lines["stream.reasoning"].startswith("not there")
    assert lines["messages.thinking"].startswith("not there")


def test_no_model_list() -> None:
    report = emulated(connect=without_path("/models"))
    assert differing(report).keys() == {"models.list"}
    line = differing(report)["models.list"].line
    assert line == _line("not there", "models.list", "not served (404: Not Found)")
    assert report.exit_code == 0, "the vendor promises no list"


def test_no_messages_protocol() -> None:
    lines = lines_of(connect=without_path("/messages"))
    names = {f"messages.{name}" for name in ("answer", "thinking", "tools", "stream")}
    assert lines.keys() == names
    assert {line[:9] for line in lines.values()} == {"not there"}


def test_a_stream_without_done() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if not streamed(request):
            return None
        return Fault(reply=reply, edit=lambda events: events[:-1])

    said = "without [DONE]; documented: [DONE]"
    assert lines_of(change) == {"stream.end": _line("differs", "stream.end", said)}


def test_a_stream_that_is_cut() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if "with spaces" not in request.text_of("user"):
            return None
        return Fault(reply=reply, cut="mid_stream")

    lines = lines_of(change)
    assert lines["stream.end"].startswith("differs        stream.end")
    assert "not a whole answer" in lines["stream.end"]
    assert {id.partition(".")[0] for id in lines} == {"stream", "speed"}


def test_no_comments_and_another_first_chunk() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if not streamed(request):
            return None
        return Fault(reply=reply, comments=0, edit=lambda events: events[1:])

    lines = lines_of(change)
    assert lines["stream.comments"].startswith("not there")
    assert "content at once; observed: role and empty content" in lines["stream.first"]


def test_a_retired_model_that_is_served_still() -> None:
    lines = lines_of(retired=())
    assert "answers; documented: not served" in lines["model mimo-v2.5-pro"]
    assert len(lines) == 5


def test_a_model_that_has_ended_and_the_next_one_is_asked() -> None:
    report = emulated(retired=["mimo-v2.6-pro"])
    assert report.model == "mimo-v2.6-pro-ultraspeed"
    assert differing(report)["model mimo-v2.6-pro"].verdict == "not there"


def test_histories_that_are_not_refused() -> None:
    lines = lines_of(require_reasoning=False)
    said = "accepted; observed: refused"
    assert lines == {"history.reasoning": _line("differs", "history.reasoning", said)}


@pytest.mark.parametrize("name", ["history with null", "image of a tool"])
def test_a_history_that_is_refused_for_another_reason(name: str) -> None:
    """A service that takes no empty reasoning says nothing of null contents and of images."""
    (probe,) = (probe for probe in REFUSAL_PROBES if probe.name == name)
    said = '{"error": {"code": "400", "message": "Param Incorrect", "param": "%s"}}'

    def answered(param: str) -> Answered:
        response = ErrorResponse(400, text=said % param)
        return Answered(error=InvalidRequestError("no", status=400, response=response))

    assert failure(answered("`text` is not set"), probe) is not None
    with pytest.raises(NotKnown, match="refused for another reason"):
        failure(answered("The reasoning_content must be passed back"), probe)


def test_a_key_without_web_search_is_no_difference() -> None:
    report = emulated(web_search_enabled=False)
    (finding,) = differing(report).values()
    assert (finding.verdict, finding.value) == ("not there", "refused")
    assert "webSearchEnabled is false" in finding.note or "web search tool" in finding.note
    assert report.exit_code == 0


def test_an_answer_that_was_cut_does_not_say_what_is_not_in_it() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        return Reply("Well, " * 50) if request.chat.get("response_format") else None

    found = differing(emulated(change))
    assert found.keys() == {"json.object", "json.schema"}
    assert {finding.verdict for finding in found.values()} == {"not known"}
    assert "was cut" in found["json.schema"].note


def test_a_speech_model_that_answers_with_text() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        message = {"role": "assistant", "content": "Hello."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"choices": [choice]} if request.model.endswith("-tts") else None

    found = differing(emulated(change))
    assert found["speech.out"].line.startswith("not there")
    assert found["speech.stream"].line.startswith("not there")


def test_a_messages_stream_that_begins_in_the_middle() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if request.protocol != "messages" or not request.stream:
            return None
        return Fault(reply=reply, edit=lambda events: events[2:])

    assert "begins with content_block_start; observed" in lines_of(change)["messages.stream"]


def test_a_refusal_that_repeats_the_key_is_shown_without_it() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        refused = {"code": "400", "message": f"The key {KEY} has no JSON mode"}
        return Fault(error=refused) if request.chat.get("response_format") else None

    assert "The key *** has no JSON mode" in lines_of(change)["json.object"]


def test_sound_of_another_kind() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        return Reply(audio=b"ID3 not a wav") if request.model.endswith("-tts") else None

    assert "audio that is no WAV" in lines_of(change)["speech.out"]


@pytest.mark.parametrize("fault", ["rate_limit", "overloaded"])
def test_a_moment_s_failure_says_nothing_about_the_service(fault: str) -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        return Fault(fault, retry_after=0) if "web" in request.text_of("user") else None

    report = emulated(change)
    (finding,) = differing(report).values()
    assert (finding.fact.id, finding.verdict) == ("web_search.sources", "not known")
    assert report.exit_code == 1, "what could not be found out is not as documented either"


def test_a_probe_that_hangs_says_so_and_the_others_go_on() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        return Fault(hang=True) if request.chat.get("response_format") else None

    report = emulated(change, settings={"limit": 0.5})
    assert {id: finding.verdict for id, finding in differing(report).items()} == {
        "json.object": "not known",
        "json.schema": "not known",
    }
    assert "within 0.5 s" in differing(report)["json.schema"].note


def test_a_stream_that_trickles_is_bounded_too() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        slow = Reply("1 2 3 4 5", chunk_size=1, interval=0.2)
        return slow if "with spaces" in request.text_of("user") else None

    found = differing(emulated(change, settings={"limit": 0.6}))
    assert found.keys() >= {"stream.end", "speed.tokens"}
    assert {finding.verdict for finding in found.values()} == {"not known"}


def test_the_whole_round_is_bounded() -> None:
    report = emulated(settings={"total": 0.0})
    assert report.stopped.startswith("out of time")
    assert len(report.findings) < report.planned
    assert report.exit_code == 1
    assert report.summary()[0].startswith("Stopped (out of time")


def test_a_shape_that_nobody_foresaw_ends_one_probe_only() -> None:
    def change(request: ReceivedRequest, reply: Reply) -> Any:
        if "json_object" not in str(request.chat.get("response_format")):
            return None
        message = {"role": "assistant", "content": 5, "tool_calls": 7}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    assert lines_of(change).keys() == {"json.object"}


def _line(verdict: str, id: str, said: str) -> str:
    return f"{verdict:13}  {id:30}  {said}"
