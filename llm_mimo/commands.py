"""The commands `llm mimo models` and `llm mimo refresh`, and what all commands share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from llm_mimo.doctor_command import doctor

if TYPE_CHECKING:
    from mimo_core.models import ModelInfo


def _sealed(_context: click.Context, _option: click.Parameter, key: str | None) -> str | None:
    """The key as a text that a traceback shows as a mask."""
    from mimo_core.credentials import Secret

    return None if key is None else Secret(key)


key_option = click.option(
    "--key", callback=_sealed, help="API key, or the name of one saved with `llm keys set`."
)


@click.group()
def mimo() -> None:
    """Xiaomi MiMo: its models, speech and transcription."""


mimo.add_command(key_option(doctor))


@mimo.command()
@click.option("as_json", "--json", is_flag=True, help="As JSON.")
@click.option("--prices", is_flag=True, help="With what Xiaomi asks for a million tokens.")
def models(as_json: bool, prices: bool) -> None:
    """List the models: their kind, inputs, limits in tokens, thinking, voices, and what became of
    them at Xiaomi's own hosts."""
    from llm_mimo.errors import echo, llm_errors
    from llm_mimo.registry import model_infos

    rows = [_row(info) | (_prices(info) if prices else {}) for info in model_infos()]
    with llm_errors():
        echo(json.dumps(rows, indent=2, ensure_ascii=False) if as_json else _table(rows))
    if prices and not as_json:
        from llm_mimo.notes import note
        from mimo_core.models import PRICES_AS_OF

        note(f"USD per million tokens, pay as you go, as read in {PRICES_AS_OF}; prices move.")


def _table(rows: list[dict[str, Any]]) -> str:
    table = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )


def _row(info: ModelInfo) -> dict[str, Any]:
    """The row of a model; None stands for what the vendor has not published."""
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
        "xiaomi": _status(info),
    }


def _status(info: ModelInfo) -> str:
    if info.retired_on is not None:
        return f"until {info.retired_on}, then {info.successor}"
    return "served" if info.known else "unknown"


def _prices(info: ModelInfo) -> dict[str, Any]:
    """The columns with prices; None where they have not been published."""
    prices = info.prices
    return {
        "cached": prices and prices.cached_input,
        "in": prices and prices.input,
        "out": prices and prices.output,
    }


def _cell(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


@mimo.command()
@click.option("--add", "added", multiple=True, metavar="ID", help="Add this id.")
@click.option(
    "--remove", "removed", multiple=True, metavar="ID", help="Remove this id from the list."
)
@key_option
def refresh(added: tuple[str, ...], removed: tuple[str, ...], key: str | None) -> None:
    """Add the models that the service lists and this version does not know.

    --add and --remove change the saved list without asking the service: use them for gateways that
    do not list their models, or have other names for them.
    """
    from llm_mimo.errors import echo, llm_errors
    from llm_mimo.saved_models import checked_id, remove_ids, save_ids, saved_path
    from mimo_core.models import MODELS

    if key and (added or removed):
        raise click.UsageError("--add and --remove send nothing to the service; leave --key out.")
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
    """The ids of MiMo's models in the service's list (relays list other vendors' models too)."""
    from llm_mimo.clients import client_for
    from llm_mimo.errors import InputError
    from llm_mimo.saved_models import checked_id
    from mimo_core.models import DEFAULT_MODEL

    ids = client_for(DEFAULT_MODEL, key).models()
    ours = []
    for id in ids:
        try:
            ours += [checked_id(id)] if "mimo" in id.lower() else []
        except InputError:  # cannot be typed on a command line
            continue
    if skipped := len(ids) - len(ours):
        click.echo(f"Skipped {skipped} that are not MiMo's.", err=True)
    return ours
