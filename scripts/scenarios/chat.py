"""Scenarios of chat completions: parameters, thinking, tools, web search, structured output."""

from __future__ import annotations

from typing import Any

from mimo_core.testing import Reply
from scripts.scenarios.base import (
    SYSTEM,
    USAGE,
    WEATHER,
    Scenario,
    agent_loop,
    asks,
    chat,
    llm_conversation,
    models,
    stream,
)

HELLO = Reply("Hello! This is a scripted answer.", usage=USAGE)
THOUGHT = Reply(
    "A prime has exactly two divisors, and 91 has four: 1, 7, 13 and 91.",
    reasoning="Is 91 prime? 7 times 13 is 91, so it is not.",
    usage=USAGE,
)
PRIME = "Is 91 a prime number? One sentence."
PARIS = "What is the weather in Paris?"
CALL = ("get_weather", {"city": "Paris"}, "call_000000000000000000000001")
CALLS_FIRST = Reply(
    reasoning="The user wants the weather in Paris, so I call get_weather with that city.",
    tool_calls=[CALL],
    usage=USAGE,
)
MEETING = (
    "Product iteration meeting at 14:00 tomorrow. Attendees: Li Ming, Wang Hua. "
    "Task: Complete API document revision by Friday, taken by Wang Hua."
)
MEETING_SYSTEM = (
    f"{SYSTEM}\nDo not add any explanations outside JSON. Parse meeting information and return "
    'nested structured JSON: {"meeting_meta": {"meeting_topic": string | null, "start_time": '
    'string | null, "participants": array<string>}, "action_items": [{"task": string, '
    '"responsible_person": string, "deadline": string}]}\nFill null for unknown fields.'
)
TRIP_SYSTEM = (
    f"{SYSTEM}\nReturn only compact JSON without any extra explanations. Use the specified format: "
    '{"destination": string, "trip_days": number, "core_activity": array<string>, '
    '"budget_level": "low"|"mid"|"high"}'
)
TRIP = "Plan a 3-day city trip focusing on museums and local food with a moderate budget."
SEARCH = {
    "type": "web_search",
    "force_search": True,
    "max_keyword": 3,
    "limit": 1,
    "user_location": {
        "type": "approximate",
        "country": "China",
        "region": "Hubei",
        "city": "Wuhan",
    },
}
SOURCE = {
    "type": "url_citation",
    "url": "https://example.invalid/weather/wuhan",
    "title": "A page that does not exist",
    "summary": "Scripted: sunny in Wuhan.",
    "site_name": "example.invalid",
    "logo_url": "",
    "publish_time": "2026-01-01T08:00:00+08:00",
}
FOUND = Reply("Scripted: it is sunny in Wuhan.", annotations=[SOURCE], usage=USAGE)
WUHAN = "What is the weather in Wuhan today?"


def with_system(system: str, text: str, **fields: Any) -> dict[str, Any]:
    """A request of a system and a user message."""
    request = asks(text, **fields)
    request["messages"].insert(0, {"role": "system", "content": system})
    return request


def json_mode(system: str, text: str) -> dict[str, Any]:
    """A request in JSON mode, as the vendor's page on structured output has it."""
    return with_system(system, text, response_format={"type": "json_object"})


PARAMETERS = asks(
    "Count to five in words.",
    temperature=0.7,
    top_p=0.9,
    max_completion_tokens=64,
    frequency_penalty=0.1,
    presence_penalty=-0.1,
    stop=["four"],
    thinking={"type": "disabled"},
)

SCENARIOS = (
    Scenario(
        "chat/plain",
        "A chat completion with the published system prompt, thinking off.",
        chat(with_system(SYSTEM, "Say hello.", thinking={"type": "disabled"})),
        [HELLO],
    ),
    Scenario(
        "chat/stream",
        "The same, streamed: a comment line first, usage in a chunk of its own at the end.",
        stream(with_system(SYSTEM, "Say hello.", thinking={"type": "disabled"})),
        [HELLO],
    ),
    Scenario(
        "chat/parameters",
        "Every sampling parameter at once; the stop sequence ends the answer.",
        chat(PARAMETERS),
        [Reply("One, two, three, four, five.", usage=USAGE)],
    ),
    Scenario(
        "chat/length",
        "Reasoning uses the budget up: finish_reason length and no content.",
        chat(asks(PRIME, max_completion_tokens=6)),
        [THOUGHT],
    ),
    Scenario("chat/models", "The model list.", models),
    Scenario("thinking/plain", "Thinking on, unstreamed.", chat(asks(PRIME)), [THOUGHT]),
    Scenario("thinking/stream", "Thinking on, streamed.", stream(asks(PRIME)), [THOUGHT]),
    Scenario(
        "thinking/off",
        "Thinking off by reasoning_effort none.",
        chat(asks(PRIME, reasoning_effort="none")),
        [THOUGHT],
    ),
    Scenario(
        "tools/call",
        "A tool call, unstreamed: no index on it.",
        chat(asks(PARIS, tools=[WEATHER])),
        [CALLS_FIRST],
    ),
    Scenario(
        "tools/two_calls_stream",
        "Two tool calls in one streamed answer, in fragments.",
        stream(asks("Compare the weather in Paris and in Rome.", tools=[WEATHER])),
        [
            Reply(
                reasoning="Two cities, two calls.",
                tool_calls=[CALL, ("get_weather", {"city": "Rome"}, f"{CALL[2][:-1]}2")],
                usage=USAGE,
            )
        ],
    ),
    Scenario(
        "tools/agent_loop",
        "The demo: a LangChain agent, thinking on, streamed; its second request carries the "
        "reasoning of the first answer.",
        agent_loop,
        [
            Reply(
                reasoning="The user asks about Paris. get_weather can tell; I call it first.",
                tool_calls=[CALL],
                usage=USAGE,
            ),
            Reply(
                "It is 18 degrees in Paris with light rain until the evening: "
                "yes, take an umbrella.",
                reasoning="Light rain until the evening. An umbrella makes sense.",
                usage=USAGE,
            ),
        ],
    ),
    Scenario(
        "tools/llm_conversation",
        "`llm --functions` and a second turn with `llm -c`, streamed; the later requests carry "
        "the reasoning of the earlier answers.",
        llm_conversation,
        [
            CALLS_FIRST,
            Reply(
                "Paris: 18 degrees and light rain.",
                reasoning="The tool says light rain.",
                usage=USAGE,
            ),
            Reply("Yes: it rains lightly.", reasoning="Rain, so an umbrella helps.", usage=USAGE),
        ],
    ),
    Scenario(
        "web_search/plain",
        "A forced web search: its sources in annotations, its counts in usage.",
        chat(asks(WUHAN, tools=[SEARCH])),
        [FOUND],
    ),
    Scenario(
        "web_search/stream",
        "The same, streamed: all sources in the first packet.",
        stream(asks(WUHAN, tools=[SEARCH])),
        [FOUND],
    ),
    Scenario(
        "web_search/not_enabled",
        "A key without the web search plugin is refused.",
        chat(asks(WUHAN, tools=[SEARCH])),
        at="",
        emulator={"web_search_enabled": False},
    ),
    Scenario(
        "structured/json_object",
        "JSON mode: the request of the vendor's page on structured output.",
        chat(json_mode(MEETING_SYSTEM, MEETING)),
        [
            Reply(
                json={
                    "meeting_meta": {
                        "meeting_topic": "Product iteration meeting",
                        "start_time": None,
                        "participants": ["Li Ming", "Wang Hua"],
                    },
                    "action_items": [],
                },
                usage=USAGE,
            )
        ],
    ),
    Scenario(
        "structured/json_object_stream",
        "JSON mode, streamed: the request of the vendor's page on structured output.",
        stream(json_mode(TRIP_SYSTEM, TRIP)),
        [
            Reply(
                json={
                    "destination": "Nowhere (scripted)",
                    "trip_days": 3,
                    "core_activity": ["A museum", "A market"],
                    "budget_level": "mid",
                },
                usage=USAGE,
            )
        ],
    ),
    Scenario(
        "structured/json_object_truncated",
        "JSON mode with too small a budget: JSON that ends in the middle.",
        chat({**json_mode(TRIP_SYSTEM, TRIP), "max_completion_tokens": 5, "thinking": False}),
        [Reply(json={"destination": "A long name", "core_activity": ["one", "two", "three"]})],
    ),
)
