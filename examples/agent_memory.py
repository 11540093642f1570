"""An agent with tools that remembers: two turns of one conversation, kept by a checkpointer.

    pip install langchain rich
    python examples/agent_memory.py

The checkpoint holds the reasoning too, and it goes back with the second question: MiMo refuses a
conversation whose tool calls have lost it. Another `thread_id` is another conversation.
"""

from __future__ import annotations

from typing import Any

from _answers import answers
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from rich.console import Console

from langchain_mimo import ChatMiMo
from mimo_core.testing import Reply

SCRIPT = (
    Reply(reasoning="I need the weather.", tool_calls=[("get_weather", {"city": "Paris"})]),
    Reply("Yes, take one: there is light rain in Paris.", reasoning="Rain, so an umbrella."),
    Reply("Paris, and I said that there is light rain.", reasoning="It was the city before."),
)
"""What the emulator answers where there is no key."""

console = Console(highlight=False)


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"{city}: 18 degrees, light rain"


def show(message: Any) -> None:
    """One message: what was thought, called and said."""
    if reasoning := message.additional_kwargs.get("reasoning_content"):
        console.print(f"thinks: {reasoning}", style="dim", markup=False)
    for call in getattr(message, "tool_calls", ()):
        console.print(f"calls: {call['name']}({call['args']})", style="yellow", markup=False)
    if message.text.strip():
        style = {"human": "bold", "tool": "cyan"}.get(message.type)
        console.print(f"{message.type}: {message.text}", style=style, markup=False)


def main() -> None:
    agent: Any = create_agent(
        ChatMiMo(model="mimo-v2.6-pro"), [get_weather], checkpointer=InMemorySaver()
    )
    thread = {"configurable": {"thread_id": "one conversation"}}
    seen = 0
    for question in ("Do I need an umbrella in Paris?", "Which city did I ask about?"):
        state = agent.invoke({"messages": [("user", question)]}, thread)
        for message in state["messages"][seen:]:
            show(message)
        seen = len(state["messages"])


if __name__ == "__main__":
    with answers(*SCRIPT):
        main()
