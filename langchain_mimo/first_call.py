"""What LangChain imports in the first call of a process. An event loop would stand still meanwhile
(10 ms, tenacity and tornado among it), so an asynchronous call has it imported in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from importlib import import_module
from typing import Any, TypeVar

from mimo_core.threads import in_thread

Item = TypeVar("Item")

# As of langchain-core 1.8. One that is not there any more is not needed any more.
_MODULES = (
    "langsmith.run_helpers",
    "langchain_core.tracers.context",
    "langchain_core.tracers.run_collector",
    "langchain_core.tracers.stdout",
    "langchain_core.messages.block_translators.langchain_v0",
)
_is_imported = False


def is_ready() -> bool:
    """Whether all of it has been imported."""
    return _is_imported


async def make_ready() -> None:
    """Import it, once for each process."""
    if not _is_imported:
        await in_thread(_import)


async def after_ready(items: AsyncIterator[Item]) -> AsyncIterator[Item]:
    """`items`, the first of which is asked for when all has been imported.

    Args:
        items: an asynchronous generator that has not begun.
    """
    await make_ready()
    generator: Any = items
    async with aclosing(generator):
        async for item in generator:
            yield item


def _import() -> None:
    global _is_imported
    for module in _MODULES:
        with suppress(ImportError):
            import_module(module)
    _is_imported = True
