"""How much processor time httpx2 takes for each read of a stream, in µs (Linux, as root).

    python measure.py FOLDER…    each has an httpcore2 and an httpx2, stock ones first

4,000 pieces of 271 bytes lie in the socket's buffer, and each read gets one of them. A process for
each folder in turn, seven rounds; the figures are medians of all rounds, and of their ratios.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import threading
import time

SIZE, PIECES, STREAMS, ROUNDS = 271, 4_000, 7, 7
PIECE = b"%x\r\n%s\r\n" % (SIZE, b"x" * SIZE)
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
# Linux's SO_SNDBUFFORCE and SO_RCVBUFFORCE: the whole stream has to fit, or reads are not aligned
SEND_BUFFER = (socket.SOL_SOCKET, 32, 16 * 2**20)
RECEIVE_BUFFER = (socket.SOL_SOCKET, 33, 16 * 2**20)


def serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(*SEND_BUFFER)
            connection.recv(65_536)
            connection.sendall(HEAD)
            time.sleep(0.05)
            connection.sendall(PIECE * PIECES + b"0\r\n\r\n")
            connection.recv(1)


def read(url: str) -> float:
    import httpx2
    from httpcore2._sync.http11 import HTTP11Connection

    HTTP11Connection.READ_NUM_BYTES = len(PIECE)
    taken = []
    transport = httpx2.HTTPTransport(socket_options=[RECEIVE_BUFFER])
    with httpx2.Client(timeout=30, transport=transport) as client:
        for _ in range(STREAMS):
            with client.stream("GET", url) as response:
                time.sleep(0.15)
                began = time.process_time()
                count = sum(1 for _ in response.iter_raw())
                taken.append((time.process_time() - began) / count * 1e6)
            assert count == PIECES, f"{count} pieces were read"
    return statistics.median(taken)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    taken: dict[str, list[float]] = {folder: [] for folder in sys.argv[1:]}
    for _ in range(ROUNDS):
        for folder, figures in taken.items():
            command = [sys.executable, "-P", __file__, url]
            env = os.environ | {"PYTHONPATH": folder}
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
            figures.append(float(done.stdout))
    stock = next(iter(taken.values()))
    for folder, figures in taken.items():
        ratio = statistics.median(a / b for a, b in zip(figures, stock, strict=True))
        print(f"{folder}: {statistics.median(figures):.1f} µs a read, {ratio:.2f} of the first")


if __name__ == "__main__":
    if sys.argv[1].startswith("http:"):
        print(read(sys.argv[1]))
    else:
        main()
