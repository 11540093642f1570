"""The plugin for Simon Willison's `llm`: Xiaomi MiMo's models and the commands `llm mimo …`.

`llm` imports this module at every start, so each hook imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Callable

import click
import llm


@llm.hookimpl
def register_models(register: Callable[..., None]) -> None:
    """Register every model of the table and of the saved list, without using the network.

    Args:
        register: called with each model, its asynchronous twin and their aliases.
    """
    from llm_mimo.registry import registrations

    for model, async_model, aliases in registrations():
        register(model, async_model, aliases=aliases)


@llm.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add the commands `llm mimo …`.

    Args:
        cli: the `llm` command.
    """
    from llm_mimo.batch_commands import batch
    from llm_mimo.commands import mimo
    from llm_mimo.speech_commands import speak, transcribe

    for command in (speak, transcribe, batch):
        mimo.add_command(command)
    cli.add_command(mimo)
