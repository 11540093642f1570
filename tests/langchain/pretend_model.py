"""A pretend model for the standard suite: it does what a prompt plainly asks for, and no more.

It stands behind the emulator as its `respond` function. It is told of tools and schemas as MiMo is,
over the wire, so an instruction that `ChatMiMo` fails to send is one that it does not follow.
"""

from __future__ import annotations

import json
import re
from typing import Any

from mimo_core.schemas import JSON_ONLY
from mimo_core.testing.emulator import ReceivedRequest, Reply

_SCHEMA = re.compile(r"valid against this JSON Schema:\n(\{.*\})\n", re.DOTALL)
_FOREIGN = re.compile("[\u3040-\u30ff\u4e00-\u9fff]+")


def respond(request: ReceivedRequest) -> Reply:
    """The answer to any request of the standard suite."""
    system, prompt = request.text_of("system"), request.text_of("user")
    reasoning = "The user wants an answer, so I give one."
    if schema := _SCHEMA.search(system):
        return Reply(json=_example(json.loads(schema.group(1)), prompt), reasoning=reasoning)
    asked = request.body.get("response_format") == {"type": "json_object"}
    if asked or JSON_ONLY in system:  # the messages protocol has words for it only
        keys = re.findall(r"'(\w+)'", prompt)
        return Reply(json={key: f"some {key}" for key in keys}, reasoning=reasoning)
    if tool := _tool_to_call(request):
        arguments = _example(tool["parameters"], prompt)
        return Reply(tool_calls=[(tool["name"], arguments)], reasoning=reasoning)
    cached = {"cached_tokens": 4 if prompt == "the same as before" else 0}
    if b"cache_control" in request.raw:
        cached["cache_creation_tokens"] = 3
    return Reply(
        "Hello, how are you? This is the emulator speaking.",
        reasoning=reasoning,
        usage={"prompt_tokens_details": cached},
    )


def _tool_to_call(request: ReceivedRequest) -> dict[str, Any] | None:
    functions = [tool["function"] for tool in request.chat.get("tools") or () if "function" in tool]
    if not functions or request.messages[-1]["role"] != "user":
        return None
    told = re.search(r"calling the tool '(\w+)'", request.text_of("system"))
    by_name: dict[str, dict[str, Any]] = {function["name"]: function for function in functions}
    return by_name[told.group(1)] if told else next(iter(by_name.values()))


def _example(schema: dict[str, Any], prompt: str) -> Any:
    """A value of `schema`, with numbers and names taken from the prompt."""
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        required = schema.get("required", schema.get("properties", {}))
        return {
            name: _example(value, prompt)
            for name, value in schema.get("properties", {}).items()
            if name in required
        }
    if kind == "array":
        return [_example(schema.get("items", {}), prompt)]
    if kind == "integer":
        numbers = re.findall(r"-?\d+", prompt)
        return int(numbers[0]) if numbers else 1
    foreign = _FOREIGN.findall(prompt)
    return foreign[0] if foreign else "something"
