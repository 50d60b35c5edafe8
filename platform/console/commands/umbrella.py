"""`amtsbruecke umbrella`: serves the signed directory."""

import click

from console.errors import SettingMissing
from console.roles import become


@click.command("umbrella")
def command() -> None:
    """Run the directory service of the umbrella."""
    become("federation", "gateway_bind", "tls_dir")
    from django.conf import settings

    if settings.AMTSBRUECKE.role != "umbrella":
        raise SettingMissing(
            f"{settings.AMTSBRUECKE.centre} is no umbrella.",
            hint="Set AMTSBRUECKE_ROLE=umbrella, or start `amtsbruecke gateway`.",
        )
    from federation.gateway.process import main

    main()
