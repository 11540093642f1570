"""A FastAPI endpoint that streams an answer, and stops asking for more when the client leaves.

    pip install fastapi uvicorn
    python examples/web_chat.py [PORT]
    curl -N 'http://127.0.0.1:8000/chat?question=Hello'

Starlette cancels the stream of a client that is gone; closing `astream` closes the connection to
the service. Whether MiMo then stops generating, and what it charges, nobody of this project could
ask. An error before the first piece is a 502 with its line; one after it is a last line, because
the status has gone out already.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import uvicorn
from _answers import answers
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from langchain_mimo import ChatMiMo, MiMoModelError
from mimo_core.testing import Reply

SCRIPT = [Reply("word " * 200, interval=0.05) for _ in range(3)]
"""What the emulator answers where there is no key: slowly, so that one can leave."""

app = FastAPI()


@app.get("/chat")
async def chat(question: str) -> StreamingResponse:
    """The answer as it arrives."""
    stream = ChatMiMo(model="mimo-v2.6-pro").astream(question)
    try:
        first = (await anext(stream)).text
    except MiMoModelError as error:
        raise HTTPException(502, str(error)) from error

    async def pieces() -> AsyncIterator[str]:
        sent, whole = 1, False
        async with aclosing(stream):  # type: ignore[type-var]
            try:
                yield first
                async for chunk in stream:
                    yield chunk.text
                    sent += 1
                whole = True
            except MiMoModelError as error:
                yield f"\n[{error}]"
            finally:
                how = "whole" if whole else "the client left, or it broke"
                print(f"{sent} pieces: {how}", flush=True)

    return StreamingResponse(pieces(), media_type="text/plain; charset=utf-8")


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    with answers(*SCRIPT):
        main()
