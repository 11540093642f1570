"""`make demo`: the llm command and a LangChain agent on MiMo, with or without a key.

Without MIMO_API_KEY both are answered from cassettes, and a line says whose answers those are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

CASSETTES = Path(__file__).resolve().parent.parent / "cassettes"
INTRODUCTION = CASSETTES / "vendor" / "chat_introduction.yaml"
AGENT = CASSETTES / "tools" / "agent_loop.yaml"
PUBLISHED = "mimo-v2.5-pro"
"""The model whose answer the vendor published. Xiaomi announced its end for 21 October 2026."""
QUESTION = "What is the weather like in Paris, and should I take an umbrella?"
LIVE = bool(os.environ.get("MIMO_API_KEY"))
HOW = "For a live one: MIMO_API_KEY=… make demo (keys: https://platform.xiaomimimo.com)."


def main() -> int:
    """Both parts; the exit code of the llm command where it fails."""
    code = introduce()
    if code == 0:
        run_agent()
    return code


def introduce() -> int:
    """The real llm command, in a process of its own."""
    model = "mimo-v2.6-pro" if LIVE else PUBLISHED
    command = ["llm", "-m", model, "--no-stream", "please introduce yourself"]
    say(f"$ {' '.join(command[:-1])} '{command[-1]}'")
    runner = [sys.executable, "-m"]
    if not LIVE:
        runner += ["mimo_core.testing.cassettes.replay", str(INTRODUCTION), "--"]
    with tempfile.TemporaryDirectory() as folder:  # your llm's logs and settings stay as they are
        environment = {**os.environ, "LLM_USER_PATH": folder}
        done = subprocess.run(
            runner + command, env=environment, stderr=None if LIVE else subprocess.PIPE, check=False
        )
    if done.returncode and done.stderr:
        sys.stderr.write(done.stderr.decode())
    whose(INTRODUCTION)
    return done.returncode


def run_agent() -> None:
    """A LangChain agent with one tool, thinking on, streamed."""
    say(f"$ agent: {QUESTION}")
    with answers(AGENT):
        for line in transcript(agent_messages(QUESTION)):
            say(line)
    whose(AGENT)


def agent_messages(question: str) -> list[Any]:
    """The agent's run: every message of it, put together from the pieces that were streamed."""
    from langchain.agents import create_agent
    from langchain_core.messages import AIMessageChunk

    from langchain_mimo import ChatMiMo

    def get_weather(city: str) -> str:
        """The weather in a city, now."""
        return f"{city}: 18 degrees, light rain until the evening."

    model = ChatMiMo(model="mimo-v2.6-pro", thinking=True)
    agent: Any = create_agent(model, [get_weather])
    asked = {"messages": [{"role": "user", "content": question}]}
    messages: list[Any] = []
    for piece, _ in agent.stream(asked, stream_mode="messages"):
        last = messages[-1] if messages else None
        if isinstance(last, AIMessageChunk) and last.id == piece.id:
            messages[-1] = last + piece
        else:
            messages.append(piece)
    return messages


def transcript(messages: list[Any]) -> Iterator[str]:
    """What a person wants to see of an agent's run."""
    used = {"input": 0, "output": 0, "reasoning": 0}
    for message in messages:
        if message.type == "tool":
            yield f"  tool answers: {message.text}"
            continue
        if reasoning := message.additional_kwargs.get("reasoning_content"):
            yield f"  reasoning:    {reasoning}"
        for call in message.tool_calls:
            arguments = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
            yield f"  tool call:    {call['name']}({arguments})"
        if message.text.strip():
            yield f"  answer:       {message.text}"
        if usage := message.usage_metadata:
            used["input"] += usage["input_tokens"]
            used["output"] += usage["output_tokens"]
            used["reasoning"] += usage.get("output_token_details", {}).get("reasoning", 0)
    counts = f"{used['input']} in, {used['output']} out ({used['reasoning']} of them reasoning)"
    yield f"  tokens:       {counts}"


def answers(cassette: Path) -> AbstractContextManager[Any]:
    """Where the answers come from: the service where there is a key, else the cassette."""
    if LIVE:
        return nullcontext()
    from mimo_core.testing import use_cassette

    return use_cassette(cassette)


def whose(cassette: Path) -> None:
    """One line on whose answer that was."""
    if LIVE:
        say("  [live: the answer of the service, just now]\n")
        return
    from mimo_core.testing import provenance_of

    say(f"  [replayed: {provenance_of(cassette)}. {HOW}]\n")


def say(line: str) -> None:
    """One line, at once: the llm command writes to the same place."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
