"""`amtsbruecke dispatch`: sends what municipalities of this centre post."""

import click

from console.roles import become


@click.command("dispatch")
def command() -> None:
    """Run the links of this centre to all others."""
    become("federation", "tls_dir", "broker_url")
    from django.conf import settings

    from console import soundness
    from console.doors import open_doors, reaches_database
    from federation.dispatch.process import main

    soundness.require(documents=True)
    environment = settings.AMTSBRUECKE
    open_doors(environment.metrics_bind_dispatch, reaches_database(environment.database_url))
    main()
