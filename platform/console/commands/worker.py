"""`amtsbruecke worker`: does what is not on the hot path."""

import sys

import click

from console.roles import become


@click.command("worker")
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--pool",
    default="threads",
    show_default=True,
    type=click.Choice(["threads", "prefork", "solo"]),
    help="threads share one process's memory; prefork uses more processors.",
)
def command(concurrency: int, pool: str) -> None:
    """Run a Celery worker of this centre."""
    become("worker", "broker_url")
    from centre.config.celery import app

    worker = app.Worker(
        concurrency=concurrency,
        pool=pool,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    sys.exit(worker.exitcode)
