"""A voice agent: a recording is recognised, thought about with a tool, and answered aloud.

    python examples/voice_agent.py [RECORDING [ANSWER]]

Live with MIMO_API_KEY. Without it, `question.mp3` is answered from a cassette, and a line says
whose answers those are. The graph is LangGraph's, so it can be streamed, checkpointed and traced.
"""

from __future__ import annotations

import operator
import os
import sys
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph

from langchain_mimo import ChatMiMo, media_block, save_audio

HERE = Path(__file__).resolve().parent
QUESTION = HERE / "question.mp3"
CASSETTE = HERE.parent / "cassettes" / "voice" / "agent.yaml"
STYLE = "Friendly and calm, like a neighbour at the garden fence."
SHORT = "Your answer is read aloud: one or two short sentences, no lists, no markup."


class Conversation(TypedDict, total=False):
    """What the graph knows."""

    recording: str
    """Path of what the user said: WAV or MP3."""
    messages: Annotated[list[AnyMessage], operator.add]
    spoken: AIMessage
    """The answer, as audio."""


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"{city}: 18 degrees, light rain until the evening."


def voice_agent() -> Any:
    """Recognise, think, speak."""
    listener = ChatMiMo(model="mimo-v2.5-asr", asr_options={"language": "auto"})
    thinker: Any = create_agent(ChatMiMo(model="mimo-v2.6-pro"), [get_weather], system_prompt=SHORT)
    speaker = ChatMiMo(model="mimo-v2.5-tts", audio={"voice": "Chloe", "format": "wav"})

    def recognise(state: Conversation) -> Conversation:
        heard = listener.invoke([HumanMessage([media_block(state["recording"])])])
        return {"messages": [HumanMessage(heard.text)]}

    def think(state: Conversation) -> Conversation:
        known = state["messages"]
        return {"messages": thinker.invoke({"messages": known})["messages"][len(known) :]}

    def speak(state: Conversation) -> Conversation:
        answer = state["messages"][-1]
        return {"spoken": speaker.invoke([HumanMessage(STYLE), AIMessage(answer.text)])}

    graph = StateGraph(Conversation)
    graph.add_node("recognise", recognise)
    graph.add_node("think", think)
    graph.add_node("speak", speak)
    graph.add_edge(START, "recognise")
    graph.add_edge("recognise", "think")
    graph.add_edge("think", "speak")
    graph.add_edge("speak", END)
    return graph.compile()


def converse(recording: Path, answer: Path) -> None:
    """One question and its answer, printed and saved."""
    state = voice_agent().invoke({"recording": str(recording)})
    for message in state["messages"]:
        for call in getattr(message, "tool_calls", ()):
            print(f"calls:  {call['name']}({call['args']})")
        if message.text.strip():
            print(f"{message.type + ':':7} {message.text}")
    print(f"speaks: {save_audio(state['spoken'], answer)}")


def main() -> None:
    """Live, or on the cassette."""
    given = [Path(argument) for argument in sys.argv[1:]]
    recording = given[0] if given else QUESTION
    answer = given[1] if len(given) > 1 else Path("answer.wav")
    if os.environ.get("MIMO_API_KEY"):
        converse(recording, answer)
        return
    from mimo_core.testing import provenance_of, use_cassette

    if recording.resolve() != QUESTION:
        sys.exit("Your own recording needs a key: MIMO_API_KEY=… (platform.xiaomimimo.com).")
    with use_cassette(CASSETTE):
        converse(recording, answer)
    print(f"[replayed: {provenance_of(CASSETTE)}; its sound is cut to a moment]")


if __name__ == "__main__":
    main()
