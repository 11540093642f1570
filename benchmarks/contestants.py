"""Who is measured: ChatMiMo, its peers, and the floors under all of them (two are in `floors.py`).

Each contestant is made for a base URL and has the methods that the benchmarks call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from floors import PROMPT, WakeUp, core_floor

TOOL = {
    "description": "Looks something up.",
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for."},
        "limit": {"type": "integer", "description": "How many results at most."},
    },
    "required": ["query"],
}


class LangChain:
    """A chat model of LangChain, used as an application uses it."""

    def __init__(self, module: str, name: str, base_url: str, **kwargs: Any) -> None:
        self._class = getattr(__import__(module), name)
        self._arguments = {"api_key": "sk-bench", "base_url": base_url, "max_retries": 0, **kwargs}
        self._models: dict[str, Any] = {}
        self._history: list[Any] = []

    def make(self, model: str = "text-10-burst") -> Any:
        return self._class(model=model, **self._arguments)

    def model(self, name: str) -> Any:
        if name not in self._models:
            self._models[name] = self.make(name)
        return self._models[name]

    def stream(self, model: str) -> int:
        return sum(1 for _ in self.model(model).stream(PROMPT))

    async def astream(self, model: str) -> int:
        return len([1 async for _ in self.model(model).astream(PROMPT)])

    def invoke(self, model: str) -> None:
        self.model(model).invoke(PROMPT)

    async def ainvoke(self, model: str) -> None:
        await self.model(model).ainvoke(PROMPT)

    def history(self, model: str, size: int) -> None:
        """One call with `size` earlier messages."""
        turn = [("human", "What is the weather in Paris?"), ("ai", "Sunny, 21 degrees.")]
        self.model(model).invoke([*turn * (size // 2), ("human", PROMPT)])

    def messages_setup(self, model: str, size: int) -> None:
        """`size` messages of an agent, not yet sent: a question, then calls and results."""
        from langchain_core.messages import HumanMessage

        self._history = [HumanMessage("What is the weather in Paris?")]
        while len(self._history) < size:
            self._extend()

    def _extend(self) -> None:
        from langchain_core.messages import AIMessage, ToolMessage

        call = {"name": "look_up", "args": {"query": "Paris"}, "id": f"call_{len(self._history)}"}
        self._history.append(AIMessage("I look it up.", tool_calls=[call]))
        self._history.append(ToolMessage("Sunny, 21 degrees.", tool_call_id=call["id"]))

    def messages(self, model: str, size: int) -> None:
        """One call with those messages."""
        self.model(model).invoke(self._history)

    def turns_setup(self, model: str, size: int) -> None:
        """The same messages, sent once."""
        self.messages_setup(model, size)
        self.model(model).invoke(self._history)

    def turns(self, model: str, size: int) -> int:
        """Five more turns of the agent: each sends all messages and two new ones."""
        for _ in range(5):
            self._extend()
            self.model(model).invoke(self._history)
        return 5

    def tools(self, model: str, size: int) -> None:
        """One call that offers `size` tools."""
        key = f"{model} with {size} tools"
        if key not in self._models:
            self._models[key] = self.model(model).bind_tools(
                [{**TOOL, "title": f"tool_{number}"} for number in range(size)]
            )
        self._models[key].invoke(PROMPT)


class Httpx2:
    """The floor of the transport: httpx2, events split at blank lines, JSON parsed."""

    def __init__(self, base_url: str) -> None:
        import httpx2
        from pydantic_core import from_json

        self._url = f"{base_url}/chat/completions"
        self._client = httpx2.Client()
        self._async_client: httpx2.AsyncClient | None = None
        self._httpx2, self._from_json = httpx2, from_json

    def _body(self, model: str, stream: bool, size: int = 0) -> dict[str, Any]:
        messages = [{"role": "user", "content": PROMPT}]
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "look_up", "arguments": '{"query": "Paris"}'},
        }
        turn = [
            {"role": "assistant", "content": "I look it up.", "tool_calls": [call]},
            {"role": "tool", "content": "Sunny, 21 degrees.", "tool_call_id": "call_1"},
        ]
        return {"model": model, "messages": [*messages, *turn * (size // 2)], "stream": stream}

    def _events(self, data: bytes) -> int:
        events = [line for line in data.split(b"\n") if line.startswith(b"data: {")]
        for event in events:
            self._from_json(event[6:])
        return len(events)

    def _lines(self, pieces: Iterator[bytes]) -> int:
        count, rest = 0, b""
        for piece in pieces:
            whole, _, rest = (rest + piece).rpartition(b"\n\n")
            count += self._events(whole)
        return count

    def stream(self, model: str) -> int:
        with self._client.stream("POST", self._url, json=self._body(model, True)) as response:
            return self._lines(response.iter_bytes())

    async def astream(self, model: str) -> int:
        if self._async_client is None:
            self._async_client = self._httpx2.AsyncClient()
        body = self._body(model, True)
        async with self._async_client.stream("POST", self._url, json=body) as response:
            count, rest = 0, b""
            async for piece in response.aiter_bytes():
                whole, _, rest = (rest + piece).rpartition(b"\n\n")
                count += self._events(whole)
            return count

    def messages(self, model: str, size: int) -> None:
        """The body is made anew, as nothing is known of what was sent before."""
        body = self._body(model, False, size)
        self._from_json(self._client.post(self._url, json=body).content)

    turns = messages

    def invoke(self, model: str) -> None:
        self._from_json(self._client.post(self._url, json=self._body(model, False)).content)

    async def ainvoke(self, model: str) -> None:
        if self._async_client is None:
            self._async_client = self._httpx2.AsyncClient()
        response = await self._async_client.post(self._url, json=self._body(model, False))
        self._from_json(response.content)


CONTESTANTS: dict[str, Any] = {
    "ChatMiMo": lambda url: LangChain("langchain_mimo", "ChatMiMo", url),
    "ChatMistralAI": lambda url: LangChain("langchain_mistralai", "ChatMistralAI", url),
    "ChatOpenAI": lambda url: LangChain("langchain_openai", "ChatOpenAI", url),
    "ChatDeepSeek": lambda url: LangChain("langchain_deepseek", "ChatDeepSeek", url),
    "httpx2 + JSON": Httpx2,
    "langchain-core": core_floor,
    "wake-up + JSON": WakeUp,
}
