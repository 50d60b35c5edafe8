"""`amtsbruecke migrate`: bring the database to this version."""

import click

from console.roles import become


@click.command("migrate")
@click.option("--shared-only", is_flag=True, help="Leave the municipalities' schemas alone.")
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if something is to do.")
def command(*, shared_only: bool, check: bool) -> None:
    """Migrate what all share, then each municipality's schema."""
    become("owner", at_once=True)
    from console.migrations import migrate, pending

    if check:
        todo = pending()
        for schema in todo:
            click.echo(f"to migrate: {schema}")
        raise SystemExit(1 if todo else 0)
    migrate(shared_only=shared_only, report=click.echo)
