# pyright: strict
"""Ordinary use of the public names, as a user would type-check it. `test_readme_types` does."""

from langchain_core.messages import AIMessage

from langchain_mimo import ChatMiMo, media_block
from mimo_core import AsyncMiMoClient, MiMoClient, MiMoError, RateLimitError, collect, model_info
from mimo_core.testing import FakeMiMo, Fault, Reply

QUESTION = "Is 91 a prime number?"


def ask() -> str:
    with MiMoClient(timeout=(5, 60), max_retries=1) as client:
        request = {"model": "mimo-v2.6-pro", "messages": [{"role": "user", "content": QUESTION}]}
        stream = client.stream(request)
        for chunk in stream:
            print(chunk["choices"][0]["delta"].get("content"), chunk.get("usage"))
        whole = collect(client.stream(request))
        answer = client.chat(request)
        for call in answer["choices"][0]["message"].get("tool_calls") or ():
            print(call.get("function"))
        print(client.models(), stream.response["choices"][0].get("finish_reason"), whole["choices"])
    return answer["choices"][0]["message"].get("content") or ""


async def ask_asynchronously() -> int | None:
    async with AsyncMiMoClient() as client:
        try:
            async for chunk in client.stream({"messages": [{"role": "user", "content": QUESTION}]}):
                print(chunk["choices"][0]["index"])
        except RateLimitError as error:
            print(error.retry_after)
        except MiMoError as error:
            return error.status
    return model_info("mimo-v2.6-pro").context_window


def use_langchain() -> None:
    model = ChatMiMo(model="mimo-v2.6-pro", temperature=0.5, api_key="sk-1", thinking=True)
    answer: AIMessage = model.invoke([("human", QUESTION)])
    print(answer.text, answer.tool_calls)
    for piece in model.stream(QUESTION):
        print(piece.text)
    print(media_block("question.mp3"))


def emulate() -> None:
    with FakeMiMo() as mimo:
        mimo.queue(Reply("No."), Fault("overloaded", retry_after=0), "7 times 13.")
        print(mimo.base_url, mimo.last_request.headers["user-agent"], len(mimo.requests))
