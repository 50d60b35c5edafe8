"""`amtsbruecke dispatch`: sends what municipalities of this centre post."""

import click

from console.roles import become


@click.command("dispatch")
def command() -> None:
    """Run the links of this centre to all others."""
    become("federation", "tls_dir")
    from federation.dispatch.process import main

    main()
