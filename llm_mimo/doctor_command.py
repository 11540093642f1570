"""The command `llm mimo doctor`: what the server behind the key does, and what was believed."""

from __future__ import annotations

import click

_EPILOG = """\b
Exit codes:
0    the key works, and everything was found as documented or observed
1    something differs, is not there though it should be, or could not be found out
2    nothing could be asked: a dead host, a refused key, no balance, no consent
130  stopped by Ctrl-C"""


@click.command(epilog=_EPILOG)
@click.option("--base-url", metavar="URL", help="A URL or a gateway's name; else MIMO_BASE_URL.")
@click.option(
    "--protocol",
    type=click.Choice(["chat_completions", "messages"]),
    help="Ask in this protocol only. Default: both.",
)
@click.option("-m", "--model", "model_id", help="The chat model to ask. Default: mimo-v2.6-pro.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before spending.")
@click.option("as_json", "--json", is_flag=True, help="The result as one JSON object.")
@click.option("--record", metavar="FILE", help="Write a cassette of it, without keys.")
@click.pass_context
def doctor(
    context: click.Context,
    base_url: str | None,
    protocol: str | None,
    model_id: str | None,
    yes: bool,
    as_json: bool,
    record: str | None,
    key: str | None,
) -> None:
    """Find out what the server behind the key does.

    About forty small questions, in about a minute and for less than a cent: which models answer,
    thinking, tools, structured output, streams, both protocols, web search, speech. Each answer is
    as documented (by Xiaomi) or as observed (by people who hold a key), or it differs, or it is not
    there. Without a key the project's emulator is asked, where no model runs.
    """
    import llm

    from llm_mimo.errors import echo, for_the_shell
    from mimo_core import doctor as core

    settings = core.Settings(
        api_key=llm.get_key(input=key, alias="mimo", env="MIMO_API_KEY"),
        base_url=base_url,
        protocol=protocol,
        model=model_id,
    )
    code = core.doctor(
        settings,
        yes=yes,
        as_json=as_json,
        record=record,
        say=echo,
        warn=lambda line: click.echo(for_the_shell(line), err=True),
    )
    context.exit(code)
