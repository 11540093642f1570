"""What a LangChain history becomes on the wire: text, roles, calls and reasoning.

`wire(*history)` gives the messages of the request body; the emulator has accepted them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_mimo import ChatMiMo, MiMoInvalidRequestError
from mimo_core.testing.emulator import FakeMiMo

pytestmark = pytest.mark.protocols("chat_completions", "messages")

Wire = Callable[..., list[dict[str, Any]]]

CALL: Any = {"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1", "type": "tool_call"}
CALL_ON_THE_WIRE = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
ANSWER = ToolMessage("18 °C", tool_call_id="call_1")
ANSWER_ON_THE_WIRE = {"role": "tool", "tool_call_id": "call_1", "content": "18 °C"}


class TestText:
    def test_each_role(self, wire: Wire) -> None:
        history = [
            SystemMessage("Be brief."),
            HumanMessage("Hi"),
            AIMessage("Hello"),
            ("human", "So?"),
        ]
        assert wire(*history) == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "So?"},
        ]

    def test_the_developer_role(self, wire: Wire, protocol: str) -> None:
        """As LangChain spells it, and as a `ChatMessage`. The messages protocol has `system`."""
        marked = SystemMessage("Be brief.", additional_kwargs={"__openai_role__": "developer"})
        role = "system" if protocol == "messages" else "developer"
        developer = {"role": role, "content": "Be brief."}
        assert wire(marked, ("human", "Hi"))[0] == developer
        assert (
            wire(ChatMessage(content="Be brief.", role="developer"), ("human", "Hi"))[0]
            == developer
        )
        assert wire({"role": "developer", "content": "Be brief."}, ("human", "Hi"))[0] == developer

    @pytest.mark.parametrize(
        ("role", "on_the_wire"),
        [("user", "user"), ("human", "user"), ("system", "system"), ("assistant", "assistant")],
    )
    def test_chat_messages_take_their_role_along(
        self, wire: Wire, role: str, on_the_wire: str
    ) -> None:
        messages = wire(ChatMessage(content="Hi", role=role), ("human", "So?"))
        assert messages[0] == {"role": on_the_wire, "content": "Hi"}

    @pytest.mark.protocols("chat_completions")
    def test_names(self, wire: Wire) -> None:
        history = [HumanMessage("Hi", name="ann"), AIMessage("Hello", name="bot"), ("human", "So?")]
        assert [message.get("name") for message in wire(*history)] == ["ann", "bot", None]

    def test_messages_of_one_role_stay_as_they_are(self, wire: Wire) -> None:
        history = [SystemMessage("a"), SystemMessage("b"), ("human", "c"), ("human", "d")]
        history += [AIMessage("e"), AIMessage("f"), ("human", "g")]
        assert "".join(message["content"] for message in wire(*history)) == "abcdefg"

    def test_blocks_of_text(self, wire: Wire) -> None:
        """v0 and v1 blocks, plain strings among them, and what the Responses API calls text."""
        blocks: list[Any] = [
            "a",
            {"type": "text", "text": "b", "index": 0, "id": "lc_1"},
            {"type": "text-plain", "text": "c", "mime_type": "text/plain"},
            {"type": "input_text", "text": "d"},
            {"type": "document", "source": {"type": "text", "data": "e"}},
        ]
        [message] = wire(HumanMessage(blocks))
        assert message["content"] == [{"type": "text", "text": letter} for letter in "abcde"]

    @pytest.mark.parametrize("content", ["", [], [""], [{"type": "text", "text": ""}]])
    def test_an_empty_assistant_message_is_a_space(self, wire: Wire, content: Any) -> None:
        """Null and `""` are refused by some backends; a single space passes on all."""
        assistant = wire(("human", "Hi"), AIMessage(content), ("human", "Hm?"))[1]
        assert assistant == {"role": "assistant", "content": " "}

    def test_the_history_itself_is_left_alone(self, wire: Wire) -> None:
        message = AIMessage([{"type": "text", "text": "Hello"}], tool_calls=[CALL])
        before = message.model_dump_json()
        wire(("human", "Hi"), message, ANSWER)
        assert message.model_dump_json() == before

    def test_a_role_of_another_kind_is_refused_by_name(
        self, chat: Callable[..., ChatMiMo], mimo: FakeMiMo
    ) -> None:
        history = [HumanMessage("Hi"), ChatMessage(content="Boo", role="critic")]
        with pytest.raises(MiMoInvalidRequestError, match=r"messages\[1\].*no role 'critic'.*user"):
            chat().invoke(history)
        with pytest.raises(MiMoInvalidRequestError, match=r"messages\[0\].*a RemoveMessage"):
            chat().invoke([RemoveMessage(id="1")])
        assert mimo.requests == []

    def test_a_pdf_is_refused_before_it_is_sent(
        self, chat: Callable[..., ChatMiMo], mimo: FakeMiMo
    ) -> None:
        """By the number that the message has in the history, and with what to do."""
        block = {"type": "file", "base64": "JVBERg==", "mime_type": "application/pdf"}
        said = r"messages\[1\].*'file' \(application/pdf\).*send the text"
        with pytest.raises(MiMoInvalidRequestError, match=said):
            chat(model="mimo-v2.5").invoke([HumanMessage("Hi"), HumanMessage([block])])
        assert mimo.requests == []

    @pytest.mark.parametrize(
        "block",
        [
            {"type": "file", "base64": "R3LDvMOfZQ==", "mime_type": "text/plain"},
            {"type": "file", "file": {"file_data": "data:text/csv;base64,R3LDvMOfZQ=="}},
            {"type": "file", "source_type": "text", "url": "Grüße"},
            {"type": "text-plain", "base64": "R3LDvMOfZQ==", "mime_type": "text/plain"},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "text/plain", "data": "R3LDvMOfZQ=="},
            },
        ],
        ids=["v1", "openai", "v0", "text-plain", "anthropic"],
    )
    def test_a_text_file_is_its_text(self, wire: Wire, block: dict[str, Any]) -> None:
        [message] = wire(HumanMessage(["Read:", block]))
        assert message["content"][1] == {"type": "text", "text": "Grüße"}

    def test_a_text_file_that_is_none(self, chat: Callable[..., ChatMiMo]) -> None:
        block = {"type": "file", "base64": "//8=", "mime_type": "text/plain"}
        with pytest.raises(MiMoInvalidRequestError, match=r"messages\[0\].*cannot be read"):
            chat().invoke([HumanMessage([block])])

    @pytest.mark.parametrize("content", ["", [], [""], [{"type": "text", "text": ""}]])
    @pytest.mark.parametrize("kind", [HumanMessage, SystemMessage])
    def test_an_empty_message_is_a_space(
        self, wire: Wire, protocol: str, kind: Any, content: Any
    ) -> None:
        """The messages protocol has a field for instructions, which empty ones leave out."""
        said = [message["content"] for message in wire(kind(content), HumanMessage("Hi"))]
        if protocol == "messages" and kind is SystemMessage:
            assert said == ["Hi"]
        else:
            assert said in ([" ", "Hi"], [[{"type": "text", "text": " "}], "Hi"])


class TestToolCalls:
    def test_a_round_of_calls(self, wire: Wire) -> None:
        """MiMo wants a content and the reasoning on every message with calls; " " and "" do."""
        messages = wire(("human", "Weather?"), AIMessage("", tool_calls=[CALL]), ANSWER)
        assert messages[1:] == [
            {
                "role": "assistant",
                "content": " ",
                "tool_calls": [CALL_ON_THE_WIRE],
                "reasoning_content": "",
            },
            ANSWER_ON_THE_WIRE,
        ]

    @pytest.mark.parametrize(
        "message",
        [
            AIMessage("", tool_calls=[CALL]),
            AIMessage(
                [{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": CALL["args"]}]
            ),
            AIMessage(
                [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "get_weather",
                        "input": CALL["args"],
                    }
                ],
                tool_calls=[CALL],
            ),
            AIMessage(content_blocks=[CALL]),
            AIMessage([CALL], response_metadata={"output_version": "v1"}),
            AIMessage("", additional_kwargs={"tool_calls": [CALL_ON_THE_WIRE]}),
            AIMessageChunk(
                content="",
                tool_call_chunks=[
                    {"name": "get_weather", "args": '{"city": "Paris"}', "id": "call_1", "index": 0}
                ],
            ),
        ],
        ids=["attribute", "anthropic", "both", "v1", "v1-raw", "openai", "chunk"],
    )
    def test_a_call_is_sent_once_wherever_it_stands(self, wire: Wire, message: AIMessage) -> None:
        assistant = wire(("human", "Weather?"), message, ANSWER)[1]
        assert assistant["tool_calls"] == [CALL_ON_THE_WIRE]
        assert assistant["content"] == " "

    def test_non_ascii_arguments_are_not_escaped(self, wire: Wire, mimo: FakeMiMo) -> None:
        call = {**CALL, "args": {"city": "北京"}}
        wire(("human", "Weather?"), AIMessage("", tool_calls=[call]), ANSWER)
        assert "北京".encode() in mimo.last_request.raw

    def test_parallel_calls(self, wire: Wire) -> None:
        calls = [CALL, {**CALL, "id": "call_2"}]
        answers = [ANSWER, ToolMessage("18 °C", tool_call_id="call_2")]
        messages = wire(("human", "Weather?"), AIMessage("", tool_calls=calls), *answers)
        assert [call["id"] for call in messages[1]["tool_calls"]] == ["call_1", "call_2"]
        assert [message["tool_call_id"] for message in messages[2:]] == ["call_1", "call_2"]

    def test_an_error_is_told_by_its_text(self, wire: Wire) -> None:
        """The wire has no status; an error without a text gets one."""
        failed = ToolMessage("Connection refused", tool_call_id="call_1", status="error")
        mute = ToolMessage("", tool_call_id="call_1", status="error")
        told = [
            wire(("human", "?"), AIMessage("", tool_calls=[CALL]), message)[2]["content"]
            for message in (failed, mute)
        ]
        assert told == ["Connection refused", "The tool failed without a message."]

    def test_an_empty_result_is_a_space(self, wire: Wire) -> None:
        empty = ToolMessage("", tool_call_id="call_1")
        messages = wire(("human", "?"), AIMessage("", tool_calls=[CALL]), empty)
        assert messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": " "}

    def test_a_result_of_blocks(self, wire: Wire, protocol: str, mimo: FakeMiMo) -> None:
        """Chat completions' tool message takes a string only. Other data is sent as JSON."""
        blocks: list[Any] = [
            "a",
            {"type": "text", "text": "b"},
            {"type": "json", "json": {"c": "d"}},
            {"type": "search_result", "url": "e"},
        ]
        result = ToolMessage(blocks, tool_call_id="call_1")
        messages = wire(("human", "?"), AIMessage("", tool_calls=[CALL]), result)
        texts = ["a", "b", '{"c": "d"}', '{"type": "search_result", "url": "e"}']
        if protocol == "chat_completions":
            assert messages[2]["content"] == "\n".join(texts)
        else:
            [sent] = mimo.last_request.body["messages"][2]["content"]
            assert [block["text"] for block in sent["content"]] == texts

    def test_anthropics_tool_results_become_tool_messages(self, wire: Wire) -> None:
        blocks: list[Any] = [
            {"type": "text", "text": "Go on."},
            {"type": "tool_result", "tool_use_id": "call_1", "content": "18 °C"},
        ]
        messages = wire(("human", "?"), AIMessage("", tool_calls=[CALL]), HumanMessage(blocks))
        assert messages[2:] == [
            ANSWER_ON_THE_WIRE,
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
        ]

    def test_an_invalid_call_goes_back_where_it_was_answered(
        self, wire: Wire, protocol: str
    ) -> None:
        """As it was, so that the model sees what was wrong with it; as JSON, because a template
        that meets anything else refuses every later turn."""
        broken = {"name": "get_weather", "args": '{"city": "Par', "id": "call_1", "error": None}
        message = AIMessage("", invalid_tool_calls=[broken])
        error = ToolMessage("Not JSON.", tool_call_id="call_1", status="error")
        [call] = wire(("human", "?"), message, error)[1]["tool_calls"]
        arguments = json.dumps({"_raw": '{"city": "Par'})
        assert call["function"] == {"name": "get_weather", "arguments": arguments}

    def test_a_call_of_the_time_before_tools(self, wire: Wire) -> None:
        """OpenAI's `function_call`, and the `FunctionMessage` that answers it."""
        called = {"function_call": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
        message = AIMessage("", additional_kwargs=called)
        messages = wire(
            ("human", "?"), message, FunctionMessage(content="18 °C", name="get_weather")
        )
        [call] = messages[1]["tool_calls"]
        assert call["function"] == CALL_ON_THE_WIRE["function"]
        assert messages[2] == {"role": "tool", "tool_call_id": call["id"], "content": "18 °C"}

    @pytest.mark.parametrize(
        "answer",
        [
            FunctionMessage(content="18 °C", name="time"),
            ChatMessage(content="18 °C", role="function", name="time"),
            ChatMessage(content="18 °C", role="tool", additional_kwargs={"tool_call_id": "call_2"}),
        ],
        ids=["function", "role function", "role tool"],
    )
    def test_results_of_other_classes(self, wire: Wire, answer: Any) -> None:
        """A result without an id belongs to the call of its function."""
        calls = [CALL, {**CALL, "id": "call_2", "name": "time"}]
        messages = wire(("human", "?"), AIMessage("", tool_calls=calls), answer, ANSWER)
        assert messages[2:] == [
            {**ANSWER_ON_THE_WIRE, "tool_call_id": "call_2"},
            ANSWER_ON_THE_WIRE,
        ]

    def test_a_result_without_a_call_is_told_by_the_user(self, wire: Wire) -> None:
        """Trimming a history leaves such results behind."""
        messages = wire(ToolMessage("18 °C", tool_call_id="call_9"), ("human", "So?"))
        assert [message["role"] for message in messages] == ["user", "user"]
        assert "call_9" in str(messages[0]["content"])
        assert "18 °C" in str(messages[0]["content"])

    def test_an_invalid_call_that_nobody_answered_is_left_out(self, wire: Wire) -> None:
        """An agent ends at one, and a call without an answer is refused on every later turn."""
        broken = {"name": "get_weather", "args": '{"city": "Par', "id": "call_1", "error": None}
        message = AIMessage("", invalid_tool_calls=[broken])
        messages = wire(("human", "?"), message, ("human", "What happened?"))
        assert messages[1] == {"role": "assistant", "content": " "}


class TestReasoning:
    """MiMo's reasoning comes in `additional_kwargs`, in blocks, or (after v3 events) in both."""

    @pytest.mark.parametrize(
        "message",
        [
            AIMessage("Hm.", additional_kwargs={"reasoning_content": "I think."}),
            AIMessage([{"type": "reasoning", "reasoning": "I think."}, "Hm."]),
            AIMessage(
                content_blocks=[
                    {"type": "reasoning", "reasoning": "I think.", "index": "lc_rs"},
                    {"type": "text", "text": "Hm.", "index": "lc_txt"},
                ],
                additional_kwargs={"reasoning_content": "I think."},
                response_metadata={"output_version": "v1", "model_provider": "mimo"},
            ),
            AIMessage([{"type": "thinking", "thinking": "I think.", "signature": ""}, "Hm."]),
        ],
        ids=["kwargs", "block", "both", "anthropic"],
    )
    def test_it_goes_back_once(self, wire: Wire, message: AIMessage) -> None:
        assistant = wire(("human", "Hi"), message, ("human", "So?"))[1]
        assert assistant == {
            "role": "assistant",
            "content": "Hm.",
            "reasoning_content": "I think.",
        }

    def test_pieces_are_put_together(self, wire: Wire) -> None:
        blocks = [{"type": "reasoning", "reasoning": piece} for piece in ("I ", "think.")]
        assistant = wire(("human", "Hi"), AIMessage([*blocks, "Hm."]), ("human", "So?"))[1]
        assert assistant["reasoning_content"] == "I think."

    def test_it_can_be_kept_back(self, wire: Wire) -> None:
        """Calls still need one while the model thinks, so they get an empty one."""
        plain = AIMessage("Hm.", additional_kwargs={"reasoning_content": "I think."})
        calling = AIMessage(
            "", tool_calls=[CALL], additional_kwargs={"reasoning_content": "I think."}
        )
        messages = wire(("human", "Hi"), plain, calling, ANSWER, pass_back_reasoning=False)
        assert "reasoning_content" not in messages[1]
        assert messages[2]["reasoning_content"] == ""


class TestForeignHistories:
    """A conversation that another provider's class began goes on with MiMo."""

    def test_openai_responses_api(self, wire: Wire) -> None:
        message = AIMessage(
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "Hm."}],
                },
                {"type": "web_search_call", "id": "ws_1", "status": "completed"},
                {"type": "text", "text": "Let me see.", "annotations": [], "id": "msg_1"},
                {
                    "type": "function_call",
                    "name": "get_weather",
                    "call_id": "call_1",
                    "arguments": "{}",
                },
            ],
            tool_calls=[CALL],
            response_metadata={"model_provider": "openai"},
        )
        assert wire(("human", "Weather?"), message, ANSWER)[1] == {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "Hm.",
            "tool_calls": [CALL_ON_THE_WIRE],
        }

    def test_openai_responses_api_v0(self, wire: Wire) -> None:
        """There the reasoning item is in `additional_kwargs`, with its summaries."""
        item = {
            "id": "rs_1",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "Hm."}],
        }
        message = AIMessage("Hello", additional_kwargs={"reasoning": item, "refusal": None})
        assistant = wire(("human", "Hi"), message, ("human", "So?"))[1]
        assert assistant == {"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}

    def test_anthropic(self, wire: Wire) -> None:
        message = AIMessage(
            [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqMB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "Let me see.", "citations": [{"type": "char_location"}]},
                {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
                {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": CALL["args"]},
            ],
            tool_calls=[CALL],
            response_metadata={"model_provider": "anthropic"},
        )
        assert wire(("human", "Weather?"), message, ANSWER)[1] == {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "Hm.",
            "tool_calls": [CALL_ON_THE_WIRE],
        }

    def test_gemini(self, wire: Wire) -> None:
        message = AIMessage(
            [
                {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": "Cs0B"}},
                {"type": "executable_code", "executable_code": "1+1", "language": "python"},
                {"type": "code_execution_result", "code_execution_result": "2", "outcome": 1},
                "It is 2.",
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
            additional_kwargs={"function_call": {"name": "get_weather", "arguments": "{}"}},
            tool_calls=[CALL],
            response_metadata={"model_provider": "google_genai"},
        )
        assert wire(("human", "Weather?"), message, ANSWER)[1] == {
            "role": "assistant",
            "content": "It is 2.",
            "reasoning_content": "Hm.",
            "tool_calls": [CALL_ON_THE_WIRE],
        }

    def test_bedrock(self, wire: Wire) -> None:
        blocks: list[Any] = [
            {"type": "reasoning_content", "reasoning_content": {"text": "Hm.", "signature": "x"}},
            {"type": "text", "text": "Hello"},
        ]
        assistant = wire(("human", "Hi"), AIMessage(blocks), ("human", "So?"))[1]
        assert assistant == {"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}

    @pytest.mark.parametrize(
        "message",
        [
            AIMessage("", additional_kwargs={"refusal": "I would rather not."}),
            AIMessage([{"type": "refusal", "refusal": "I would rather not."}]),
        ],
        ids=["v0", "v1"],
    )
    def test_a_refusal_is_what_was_said(self, wire: Wire, message: AIMessage) -> None:
        assistant = wire(("human", "Hi"), message, ("human", "So?"))[1]
        assert assistant == {"role": "assistant", "content": "I would rather not."}

    def test_v1_blocks_that_only_their_provider_knows(self, wire: Wire) -> None:
        message = AIMessage(
            content_blocks=[
                {"type": "non_standard", "value": {"type": "redacted_thinking", "data": "x"}},
                {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
                {"type": "server_tool_result", "tool_call_id": "s", "status": "success"},
                {"type": "refusal", "refusal": "I would rather not."},
            ]
        )
        assistant = wire(("human", "Hi"), message, ("human", "So?"))[1]
        assert assistant == {"role": "assistant", "content": "I would rather not."}
