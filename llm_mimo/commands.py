"""`llm mimo …`: the group, and what it says and saves of the models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mimo_core.models import ModelInfo

key_option = click.option("--key", help="API key, or the name of one saved with `llm keys set`.")


@click.group()
def mimo() -> None:
    """Xiaomi MiMo: its models, speech and speech recognition."""


@mimo.command()
@click.option("as_json", "--json", is_flag=True, help="As JSON.")
def models(as_json: bool) -> None:
    """List the models: what they do, take and hold, and the voices they speak with."""
    from llm_mimo.errors import echo, llm_errors
    from llm_mimo.registry import model_infos

    rows = [_row(info) for info in model_infos()]
    with llm_errors():
        echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else _table(rows))


def _table(rows: list[dict[str, Any]]) -> str:
    table = [list(rows[0]), *([_cell(name, row[name]) for name in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )


def _row(info: ModelInfo) -> dict[str, Any]:
    """What `llm mimo models` says of a model; None is what the vendor has not published."""
    order = ("text", "image", "audio", "video")
    thinking = "no"
    if info.thinking:
        thinking = "on by default" if info.thinking_default else "off by default"
    return {
        "id": info.id,
        "kind": info.kind,
        "inputs": [name for name in order if name in info.inputs],
        "context": info.context_window,
        "output": info.max_output,
        "thinking": thinking,
        "voices": list(info.voices),
    }


def _cell(name: str, value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


@mimo.command()
@click.option("--add", "added", multiple=True, metavar="ID", help="Add this id without asking.")
@click.option("--remove", "removed", multiple=True, metavar="ID", help="Take this id off the list.")
@key_option
def refresh(added: tuple[str, ...], removed: tuple[str, ...], key: str | None) -> None:
    """Save the service's list of models, to add those that this version does not know.

    With --add and --remove nothing is asked: for gateways that have no list, or other names for
    the models.
    """
    from llm_mimo.errors import echo, llm_errors
    from llm_mimo.saved_models import checked_id, remove_ids, save_ids, saved_path
    from mimo_core.models import MODELS

    if key and (added or removed):
        raise click.UsageError("--add and --remove ask no service, so there is no --key to use.")
    with llm_errors():
        added = tuple(map(checked_id, added))
        if gone := remove_ids(removed) if removed else []:
            echo(f"Removed {', '.join(gone)} ({saved_path()})")
        ids = list(added) if added or removed else _listed(key)
        new = save_ids(id for id in ids if id not in MODELS)
        if new:
            echo(f"Added {', '.join(new)} ({saved_path()})")
        elif not removed:
            echo("No new models.")


def _listed(key: str | None) -> list[str]:
    """MiMo's models in the service's list: a relay lists everybody's."""
    from llm_mimo.errors import InputError
    from llm_mimo.saved_models import checked_id
    from mimo_core.models import DEFAULT_MODEL

    ids = client_for(DEFAULT_MODEL, key).models()
    ours = []
    for id in ids:
        try:
            ours += [checked_id(id)] if "mimo" in id.lower() else []
        except InputError:  # no id that could be named on a command line
            continue
    if skipped := len(ids) - len(ours):
        click.echo(f"Skipped {skipped} that are not MiMo's.", err=True)
    return ours


def mimo_model(model_id: str) -> Any:
    """One of this plugin's models.

    Args:
        model_id: its id or an alias.

    Raises:
        ModelError: there is no such model, or it is another provider's: the command would send
            that one's key to MiMo.
    """
    import llm

    from llm_mimo.errors import InputError
    from llm_mimo.models import MiMoModel

    try:
        model = llm.get_model(model_id)
    except llm.UnknownModelError as error:
        raise InputError(f"{error.args[0]}. `llm mimo models` lists MiMo's.") from error
    if not isinstance(model, MiMoModel):
        raise InputError(
            f"{model_id} is not a model of MiMo's, so nothing was sent. "
            "`llm mimo models` lists those that are."
        )
    return model


def client_for(model_id: str, key: str | None, timeout: float | None = None) -> Any:
    """The client for one of this plugin's models, with its key.

    Args:
        model_id: its id or an alias.
        key: a key, or the name of a saved one; None for llm's own way to find one.
        timeout: seconds; None is the client's default.

    Raises:
        ModelError: the model is not MiMo's, or there is no key.
    """
    from llm_mimo.clients import sync_client

    return sync_client(mimo_model(model_id).get_key(key), timeout)
