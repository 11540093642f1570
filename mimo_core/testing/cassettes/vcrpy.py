"""What this library uses of vcrpy, with types: vcrpy ships none.

Everything else here imports vcrpy through this module, so that a change in vcrpy shows in one
place. Names with an underscore are vcrpy's internals, which have no public counterpart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import Protocol

    CASSETTE_FORMAT_VERSION: int

    class Request:
        """A request as vcrpy represents it."""

        method: str
        uri: str
        body: Any
        headers: Mapping[str, Any]

        def __init__(
            self, method: str, uri: str, body: Any, headers: Mapping[str, Any]
        ) -> None: ...
        @property
        def path(self) -> str: ...

    class Cassette:
        """The exchanges of one file while it is open."""

        data: list[tuple[Request, dict[str, Any]]]
        play_counts: Mapping[int, int]
        requests: list[Request]
        write_protected: bool
        _path: str
        _persister: object

        def append(self, request: Request, response: Mapping[str, Any]) -> None: ...
        def filter_request(self, request: Request) -> Request | None: ...
        def can_play_response_for(self, request: Request) -> bool: ...
        def play_response(self, request: Request) -> dict[str, Any]: ...

    class CassetteContextDecorator:
        """Opens a cassette and closes it: a context manager and a decorator."""

        def __init__(
            self, cls: type[Cassette], args_getter: Callable[[], dict[str, Any]]
        ) -> None: ...
        def __enter__(self) -> Cassette: ...
        def __exit__(
            self,
            type: type[BaseException] | None,
            value: BaseException | None,
            traceback: TracebackType | None,
        ) -> None: ...
        def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]: ...

    class VCR:
        """A configuration of cassettes."""

        use_cassette: Callable[..., Any]

        cassette_library_dir: str | None

        def __init__(
            self, *, record_mode: str = ..., cassette_library_dir: str | None = ...
        ) -> None: ...
        def get_merged_config(self, **options: Any) -> dict[str, Any]: ...
        def register_matcher(
            self, name: str, matcher: Callable[[Request, Request], None]
        ) -> None: ...
        def register_persister(self, persister: object) -> None: ...

    class Serializer(Protocol):
        """Text of a cassette to its document and back."""

        def serialize(self, cassette_dict: Mapping[str, Any]) -> str: ...
        def deserialize(self, cassette_string: str) -> Any: ...

    class CannotOverwriteExistingCassetteException(Exception):
        """A cassette has no answer to a request."""

    class CassetteNotFoundError(FileNotFoundError):
        """There is no file to load."""

    class FilesystemPersister:
        """Loads and saves cassettes in vcrpy's own form."""

        @staticmethod
        def save_cassette(
            cassette_path: Any, cassette_dict: Mapping[str, Any], serializer: Serializer
        ) -> None: ...

    class _HttpxStubs(Protocol):
        """vcrpy's handlers for httpx and httpx2, which are looked up here at each request."""

        _vcr_handle_request: Callable[..., Any]
        _vcr_handle_async_request: Callable[..., Awaitable[Any]]

    yamlserializer: Serializer
    httpx_stubs: _HttpxStubs

    def decode_response(response: Mapping[str, Any]) -> dict[str, Any]:
        """Undo the compression of a response's body."""

    def convert_to_bytes(response: Mapping[str, Any]) -> dict[str, Any]:
        """A response with its texts as bytes."""

else:
    from vcr import VCR
    from vcr.cassette import Cassette, CassetteContextDecorator
    from vcr.errors import CannotOverwriteExistingCassetteException
    from vcr.filters import decode_response
    from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
    from vcr.request import Request
    from vcr.serialize import CASSETTE_FORMAT_VERSION
    from vcr.serializers import yamlserializer
    from vcr.serializers.compat import convert_to_bytes
    from vcr.stubs import httpx_stubs

__all__ = [
    "CASSETTE_FORMAT_VERSION",
    "VCR",
    "CannotOverwriteExistingCassetteException",
    "Cassette",
    "CassetteContextDecorator",
    "CassetteNotFoundError",
    "FilesystemPersister",
    "Request",
    "convert_to_bytes",
    "decode_response",
    "httpx_stubs",
    "yamlserializer",
]
