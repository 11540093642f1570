"""Contexts of tests that are decorators too, of everything that a test can be."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

Value = TypeVar("Value")
Given = ParamSpec("Given")


class ContextDecorator(Generic[Value]):
    """A context manager, and a decorator that opens it anew for each call.

    It decorates functions, coroutines and generators of both kinds, methods among them, and is
    open while their bodies run. Anything else is refused.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[Value]]) -> None:
        self._make = make
        self._open: list[AbstractContextManager[Value]] = []

    def __enter__(self) -> Value:
        context = self._make()
        value = context.__enter__()
        self._open.append(context)
        return value

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return self._open.pop().__exit__(kind, error, traceback)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function.

        Raises:
            TypeError: it is a class, or cannot be called.
        """
        if inspect.isclass(function) or not callable(function):
            raise TypeError(f"{function!r} is not a function: decorate the methods of a class.")
        for is_kind, wrap in _KINDS:
            if is_kind(function):
                return wraps(function)(wrap(self._make, function))
        return wraps(function)(_plain(self._make, function))


def context_decorator(
    function: Callable[Given, Iterator[Value]],
) -> Callable[Given, ContextDecorator[Value]]:
    """`contextlib.contextmanager`, whose contexts decorate every kind of function."""
    manager = contextmanager(function)

    @wraps(function)
    def make(*arguments: Given.args, **named: Given.kwargs) -> ContextDecorator[Value]:
        return ContextDecorator(lambda: manager(*arguments, **named))

    return make


def _plain(make: Callable[[], AbstractContextManager[Any]], function: Any) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        with make():
            result = function(*arguments, **named)
            if inspect.isawaitable(result) or inspect.isgenerator(result):
                if hasattr(result, "close"):
                    result.close()
                raise TypeError(
                    f"{function!r} returns a {type(result).__name__}, whose body would run "
                    "after the context has ended: open it inside, by `with`."
                )
            return result

    return call


def _coroutine(make: Callable[[], AbstractContextManager[Any]], function: Any) -> Any:
    async def call(*arguments: Any, **named: Any) -> Any:
        with make():
            return await function(*arguments, **named)

    return call


def _generator(make: Callable[[], AbstractContextManager[Any]], function: Any) -> Any:
    def call(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
        with make():
            result = yield from function(*arguments, **named)
        return result

    return call


def _async_generator(make: Callable[[], AbstractContextManager[Any]], function: Any) -> Any:
    async def call(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        with make():
            async with aclosing(function(*arguments, **named)) as items:
                async for item in items:
                    yield item

    return call


_Wrap = Callable[[Callable[[], AbstractContextManager[Any]], Any], Any]
_KINDS: list[tuple[Callable[[Any], bool], _Wrap]] = [
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
]
