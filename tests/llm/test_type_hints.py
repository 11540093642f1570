"""Every type hint of the plugin resolves: tools of users' own ask for them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any

import click
import pytest

import llm_mimo

MODULES = [f"llm_mimo.{info.name}" for info in pkgutil.iter_modules(llm_mimo.__path__)]


def _public(owner: Any, module: str) -> Iterator[Any]:
    for name, value in list(vars(owner).items()):  # pydantic adds to what it is asked for
        if isinstance(value, click.Command):
            value = value.callback
        value = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if name.startswith("_") or getattr(value, "__module__", None) != module:
            continue
        if inspect.isclass(value):
            yield value
            yield from _public(value, module)
        elif inspect.isfunction(value):
            yield value


@pytest.mark.parametrize("module", ["llm_mimo", *MODULES])
def test_they_resolve(module: str) -> None:
    for what in _public(importlib.import_module(module), module):
        typing.get_type_hints(what)
