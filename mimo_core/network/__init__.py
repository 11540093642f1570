"""Connections below httpx2: network backends for httpcore2 that read more cheaply than its own.

`asyncio_protocol.py` receives, `asyncio_streams.py` speaks TCP and TLS over it and
`asyncio_backend.py` connects; `socket_backend.py` is for blocking calls. Pool, HTTP and exceptions
stay httpcore2's.
"""
