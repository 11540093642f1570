"""A chat in the terminal with rich: dimmed reasoning, tool calls, and the tokens of each turn.

    pip install rich
    python examples/terminal_chat.py          # an empty line or Ctrl+D ends it

The answer is printed while it arrives. A call is run when it has arrived whole, and its result goes
back with the whole message, which holds the reasoning.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from _answers import answers
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from rich.console import Console

from langchain_mimo import ChatMiMo, MiMoModelError
from mimo_core.testing import Reply

SCRIPT = (
    Reply(reasoning="I have no clock: I call one.", tool_calls=[("year", {"zone": "UTC"})]),
    Reply("I looked it up: the tool told me the year.", reasoning="Now I can say so."),
)
"""What the emulator answers where there is no key."""

console = Console(highlight=False)


def year(zone: str) -> str:
    """The current year."""
    return str(datetime.now(UTC).year) if zone == "UTC" else "I know UTC only."


def turn(model: ChatMiMo, history: list[BaseMessage]) -> None:
    """Ask until the answer calls nothing more; `history` grows by what was said."""
    while True:
        answer: AIMessageChunk | None = None
        for chunk in model.bind_tools([year]).stream(history):
            if reasoning := chunk.additional_kwargs.get("reasoning_content"):
                console.print(reasoning, style="dim", end="", markup=False)
            elif chunk.text:
                console.print(chunk.text, end="", markup=False)
            piece = cast(AIMessageChunk, chunk)
            answer = piece if answer is None else answer + piece
        assert answer is not None
        console.print()
        history.append(answer)
        if usage := answer.usage_metadata:
            tokens = f"{usage['input_tokens']} tokens in, {usage['output_tokens']} out"
            console.print(tokens, style="cyan")
        if not answer.tool_calls:
            return
        for call in answer.tool_calls:
            console.print(f"{call['name']}({call['args']})", style="yellow", markup=False)
            history.append(ToolMessage(year(**call["args"]), tool_call_id=call["id"]))


def main() -> None:
    model = ChatMiMo(model="mimo-v2.6-pro")
    history: list[BaseMessage] = []
    while True:
        try:
            question = console.input("[bold]> [/bold]").strip()
        except EOFError:
            question = ""
        if not question:
            console.print()
            return
        before = len(history)
        history.append(HumanMessage(question))
        try:
            turn(model, history)
        except MiMoModelError as error:  # the turn is taken back; the conversation goes on
            del history[before:]
            console.print(str(error), style="red", markup=False)


if __name__ == "__main__":
    with answers(*SCRIPT):
        main()
