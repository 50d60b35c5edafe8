"""`amtsbruecke run`: everything that centres of this computer need, in one terminal."""

import click

from console.home import Home


@click.command("run")
@click.argument("names", metavar="[CENTRE]...", nargs=-1)
@click.pass_obj
def command(home: Home, names: tuple[str, ...]) -> None:
    """Run centres with their engines and processes until Ctrl-C.

    Without names: the one given by --centre, else all that have a centre.env.
    """
    from console.supervisor.supervisor import Supervisor, require_some

    chosen = click.get_current_context().find_root().params["centre"]
    names = names or ((chosen,) if chosen else ())
    folders = [home.existing(name) for name in names] or home.centres()
    require_some(folders, home)
    with Supervisor(home) as supervisor, supervisor.stopping_on_signals():
        supervisor.start(folders)
        supervisor.wait()
