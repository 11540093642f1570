"""An agent with the tools of an MCP server, which runs as a process of its own.

    pip install langchain-mcp-adapters
    python examples/mcp_tools.py

Here the server is this same file, started with `serve`; any other MCP server's command may stand in
its place. Its tools are LangChain's tools, so `create_agent` takes them as they are.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from _answers import answers
from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp.server.fastmcp import FastMCP

from langchain_mimo import ChatMiMo
from mimo_core.testing import Reply

SCRIPT = (
    Reply(reasoning="A tool can do that.", tool_calls=[("multiply", {"a": 1234, "b": 4346})]),
    Reply("1234 times 4346 is 5362964.", reasoning="The tool has calculated it."),
)
"""What the emulator answers where there is no key."""


def serve() -> None:
    """The MCP server: it speaks over its standard input and output."""
    server = FastMCP("calculator", log_level="WARNING")

    @server.tool()
    def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    server.run()


async def main() -> None:
    command: Any = {"command": sys.executable, "args": [__file__, "serve"], "transport": "stdio"}
    tools = await MultiServerMCPClient({"calculator": command}).get_tools()
    agent: Any = create_agent(ChatMiMo(model="mimo-v2.6-pro"), tools)
    state = await agent.ainvoke({"messages": [("user", "How much is 1234 times 4346?")]})
    for message in state["messages"]:
        for call in getattr(message, "tool_calls", ()):
            print(f"calls: {call['name']}({call['args']})")
        if message.text.strip():
            print(f"{message.type}: {message.text}")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        with answers(*SCRIPT):
            asyncio.run(main())
