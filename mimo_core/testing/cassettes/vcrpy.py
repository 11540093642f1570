"""What this library uses of vcrpy, with types: vcrpy ships none.

Everything else here imports vcrpy through this module, so that a change in vcrpy shows in one
place. Names with an underscore are vcrpy's internals, which have no public counterpart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
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
        def _to_dict(self) -> dict[str, Any]: ...

    class Cassette:
        """The exchanges of one file while it is open."""

        data: list[tuple[Request, dict[str, Any]]]
        play_counts: Mapping[int, int]
        allow_playback_repeats: bool
        drop_unused_requests: bool
        record_mode: str
        _loaded_count: int
        _match_on: tuple[object, ...]
        requests: list[Request]
        write_protected: bool
        _path: str
        _persister: object

        def __init__(
            self, path: Any, *, before_record_request: Any = None, **options: Any
        ) -> None: ...
        def append(self, request: Request, response: Mapping[str, Any]) -> None: ...
        def _rerecorded_interactions(self) -> list[tuple[Request, dict[str, Any]]]: ...
        def _responses(self, request: Request) -> Iterator[tuple[int, Mapping[str, Any]]]: ...
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
        persister: Any

        cassette_library_dir: str | None

        def __init__(
            self,
            *,
            record_mode: str = ...,
            cassette_library_dir: str | None = ...,
            **defaults: Any,
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
        def load_cassette(
            cassette_path: Any, serializer: Serializer
        ) -> tuple[list[Request], list[dict[str, Any]]]: ...

        @staticmethod
        def save_cassette(
            cassette_path: Any, cassette_dict: Mapping[str, Any], serializer: Serializer
        ) -> None: ...

    class _HttpxStubs(Protocol):
        """vcrpy's handlers for httpx and httpx2, which are looked up here at each request."""

        _vcr_handle_request: Callable[..., Any]
        _vcr_handle_async_request: Callable[..., Awaitable[Any]]

    DEFAULT_MATCHERS: tuple[object, ...]
    yamlserializer: Serializer
    httpx_stubs: _HttpxStubs

    def decode_response(response: Mapping[str, Any]) -> dict[str, Any]:
        """Undo the compression of a response's body."""

    def convert_to_unicode(response: Mapping[str, Any]) -> dict[str, Any]:
        """A request or a response with its bytes as texts, where they are texts."""

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
    from vcr.serializers.compat import convert_to_bytes, convert_to_unicode
    from vcr.stubs import httpx_stubs

    # What vcrpy compares by where nobody has said otherwise.
    DEFAULT_MATCHERS = tuple(VCR().matchers[name] for name in VCR().match_on)

__all__ = [
    "CASSETTE_FORMAT_VERSION",
    "DEFAULT_MATCHERS",
    "VCR",
    "CannotOverwriteExistingCassetteException",
    "Cassette",
    "CassetteContextDecorator",
    "CassetteNotFoundError",
    "FilesystemPersister",
    "Request",
    "convert_to_bytes",
    "convert_to_unicode",
    "decode_response",
    "httpx_stubs",
    "yamlserializer",
]
