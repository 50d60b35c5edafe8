"""`amtsbruecke beat`: wakes the workers at regular times."""

import click

from console.roles import become


@click.command("beat")
def command() -> None:
    """Run the clock of this centre. A second one waits until the first is gone."""
    become("worker", "broker_url")
    from centre.config.celery import app
    from console import logs, soundness

    soundness.require()
    logs.quiet_celery()
    app.Beat(loglevel="WARNING", quiet=True).run()
