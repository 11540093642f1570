"""Does an answer that nobody asked for reach the next caller? With stock pools of httpcore2.

    python unasked_answer.py

The server sends two answers for one request, in one segment, as a broken relay does. httpcore2 puts
the connection back into its pool while h11 still holds the second one. Ends with 1 where a caller
gets it.
"""

import asyncio
import socket
import sys
import threading
from contextlib import suppress

import httpcore2


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


def serve(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while asked := connection.recv(65536):
            path = asked.split(b" ")[1]
            connection.sendall(answer(path) + answer(b"of somebody else"))


def accept(listener: socket.socket) -> None:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


async def asynchronously(urls: list[str]) -> list[bytes]:
    async with httpcore2.AsyncConnectionPool() as pool:
        return [(await pool.request("GET", url)).content for url in urls]


def main() -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    urls = [f"http://127.0.0.1:{listener.getsockname()[1]}/{number}" for number in range(4)]
    with httpcore2.ConnectionPool() as pool:
        blocking = [pool.request("GET", url).content for url in urls]
    wrong = 0
    for kind, found in (("blocking", blocking), ("asyncio", asyncio.run(asynchronously(urls)))):
        for url, body in zip(urls, found, strict=True):
            if not url.endswith(body.decode()):
                print(f"{kind}: asked for {url[-2:]}, got {body.decode()!r}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
