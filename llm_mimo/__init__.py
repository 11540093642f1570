"""The plugin of Simon Willison's `llm` for Xiaomi MiMo: hooks only.

`llm` imports this at every start, so nothing here may cost time; what a hook needs it imports.
"""

from __future__ import annotations

from collections.abc import Callable

import click
import llm


@llm.hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Every model of the table and of the saved list, sync and async; offline."""
    from llm_mimo.registry import registrations

    for model, async_model, aliases in registrations():
        register(model, async_model, aliases=aliases)


@llm.hookimpl
def register_commands(cli: click.Group) -> None:
    """`llm mimo …`."""
    from llm_mimo.commands import mimo
    from llm_mimo.speech_commands import speak, transcribe

    for command in (speak, transcribe):
        mimo.add_command(command)
    cli.add_command(mimo)
