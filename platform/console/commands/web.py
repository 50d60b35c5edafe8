"""`amtsbruecke web`: the pages of the municipalities."""

import click

from console.roles import become


@click.command("web")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64))
@click.option("--socket", type=int, help="A listening socket that somebody else holds.")
def command(workers: int, threads: int, socket: int | None) -> None:
    """Run the web server of this centre."""
    become("web", "broker_url", "master_key_file")
    from console import soundness
    from console.web import files
    from console.web.server import serve

    soundness.require(everything=True, documents=True)
    files.collect()
    serve(workers=workers, threads=threads, socket=socket)
