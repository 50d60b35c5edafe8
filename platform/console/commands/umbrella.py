"""`amtsbruecke umbrella`: serves the signed directory."""

import click

from console.errors import SettingMissing
from console.roles import become


@click.command("umbrella")
def command() -> None:
    """Run the directory service of the umbrella."""
    become("federation", "gateway_bind", "tls_dir")
    from django.conf import settings

    environment = settings.AMTSBRUECKE
    if environment.role != "umbrella":
        raise SettingMissing(
            f"{environment.centre} is no umbrella.",
            hint="Set AMTSBRUECKE_ROLE=umbrella, or start `amtsbruecke gateway`.",
        )
    from console import soundness
    from console.doors import open_doors, reaches_database
    from federation.gateway.process import main

    soundness.require()
    open_doors(environment.metrics_bind_gateway, reaches_database(environment.database_url))
    main()
