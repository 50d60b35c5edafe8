"""`amtsbruecke gateway`: takes what other centres send."""

import click

from console.roles import become


@click.command("gateway")
def command() -> None:
    """Run the gRPC gateway of this centre."""
    become("federation", "gateway_bind", "tls_dir")
    from federation.gateway.process import main

    main()
