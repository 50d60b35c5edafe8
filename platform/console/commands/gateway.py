"""`amtsbruecke gateway`: takes what other centres send."""

import click

from console.roles import become


@click.command("gateway")
def command() -> None:
    """Run the gRPC gateway of this centre."""
    become("federation", "gateway_bind", "tls_dir", "broker_url", "master_key_file")
    from django.conf import settings

    from console import soundness
    from console.doors import open_doors, reaches_database
    from federation.gateway.process import main

    soundness.require(documents=True)
    environment = settings.AMTSBRUECKE
    open_doors(environment.metrics_bind_gateway, reaches_database(environment.database_url))
    main()
