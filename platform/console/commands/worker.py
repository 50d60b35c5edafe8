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
    become("worker", "broker_url", "master_key_file")
    from django.conf import settings

    from centre.config.celery import app
    from console import figures, logs, soundness
    from console.doors import open_doors, reaches_database

    soundness.require(everything=True, documents=True)
    logs.quiet_celery()
    environment = settings.AMTSBRUECKE
    figures.collect(environment.database_url)
    open_doors(
        environment.metrics_bind_worker,
        reaches_database(environment.database_url),
        figures.reaches_broker(environment.broker_url),
    )
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
