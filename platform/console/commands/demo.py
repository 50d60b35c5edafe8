"""`amtsbruecke demo`: a federation on this computer."""

import json
from pathlib import Path

import click

from console.home import DEFAULT_PORT_BASE, Home


class _InJson(click.Command):
    """Tells machines, too, which option is wrong."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        as_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as problem:
            if as_json:
                click.echo(json.dumps({"error": problem.format_message()}))
            raise


@click.command("demo", cls=_InJson)
@click.option("--once", is_flag=True, help="End when all has arrived; code 0 only if all is well.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the figures, or the error, as JSON on the last line.",
)
@click.option(
    "--home",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of all data (AMTSBRUECKE_HOME).",
)
@click.option(
    "--port-base",
    envvar="AMTSBRUECKE_PORT_BASE",
    default=DEFAULT_PORT_BASE,
    show_default=True,
    type=int,
    help="First of 40 ports (AMTSBRUECKE_PORT_BASE).",
)
@click.option("--logs", is_flag=True, help="Show what the processes say.")
@click.pass_obj
def command(
    home: Home, *, folder: Path | None, once: bool, as_json: bool, port_base: int, logs: bool
) -> None:
    """Run an umbrella and three centres, and let Minden send 200 requests across Länder.

    Running it again goes on with the same data.
    """
    from console.demo.run import run

    chosen = Home(folder.absolute()) if folder else home
    try:
        complete = run(chosen, port_base=port_base, once=once, as_json=as_json, logs=logs)
    except Exception as problem:
        if as_json:
            click.echo(json.dumps({"error": str(problem)}))
        raise
    if not complete:
        raise SystemExit(1)
