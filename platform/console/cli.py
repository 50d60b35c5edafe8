"""The command `amtsbruecke`: a group that loads a command only when it is called.

`evidence verify` must run without Django and without a database, and `--help` must be quick; so a
command's module imports at its top no more than it needs to describe itself. Whatever a command
refuses becomes one sentence, what to do next, and exit code 2.
"""

import os
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import click

from centre.kernel.errors import AmtsbrueckeError
from console import commands
from console.errors import ConsoleError
from console.home import Home, default_home


class Refusal(click.ClickException):
    """What a person sees of an error that we raised on purpose."""

    exit_code = 2

    def __init__(self, problem: AmtsbrueckeError) -> None:
        super().__init__(_in_english(problem.message))
        self.hint = problem.hint if isinstance(problem, ConsoleError) else ""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence and the next step."""
        for line in (f"{click.style('Error:', fg='red')} {self.message}", self.hint):
            if line:
                click.echo(line, file=file, err=file is None)


def _in_english(words: str) -> str:
    """Return what the municipalities' room refuses with, which speaks to clerks, for operators."""
    from django.apps import apps
    from django.utils import translation

    if not apps.ready:
        return words
    with translation.override("en"):
        return translation.gettext(words)


class LazyGroup(click.Group):
    """Finds its commands as modules of `console.commands`, each with an attribute `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names without importing anything."""
        del ctx
        return sorted(self._modules())

    @staticmethod
    def _modules() -> dict[str, str]:
        """Return modules by command; `import_` is called `import`, which no module may be."""
        names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
        return {name.rstrip("_").replace("_", "-"): name for name in names}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that was asked for."""
        del ctx
        name = self._modules().get(cmd_name)
        if name is None:
            return None
        module = import_module(f"{commands.__name__}.{name}")
        command = module.command
        assert isinstance(command, click.Command), f"{module.__name__}.command is no command"
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it refuses on purpose is shown without a traceback."""
        try:
            return super().invoke(ctx)
        except AmtsbrueckeError as problem:
            raise Refusal(problem) from problem
        except BrokenPipeError:
            raise  # whoever reads our lines has seen enough: click ends quietly
        except OSError as problem:
            raise Refusal(_of_the_system(problem)) from problem
        except Exception as problem:
            names = {each.__name__ for each in type(problem).__mro__}
            if "KombuError" in names:
                raise Refusal(_of_the_broker(problem)) from problem
            if "OperationalError" in names:  # psycopg's or Django's
                raise Refusal(_of_the_database(problem)) from problem
            raise


def _of_the_system(problem: OSError) -> ConsoleError:
    what = f"{problem.strerror}: {problem.filename}" if problem.filename else str(problem)
    return ConsoleError(f"The system refuses: {what}.", hint="Check that path and its rights.")


def _of_the_database(problem: Exception) -> ConsoleError:
    said = " ".join(str(problem).split())
    return ConsoleError(
        f"The database does not answer: {said}",
        hint="Is the centre running? See `amtsbruecke centre status` and `amtsbruecke run`.",
    )


def _of_the_broker(problem: Exception) -> ConsoleError:
    said = " ".join(str(problem).split())
    return ConsoleError(
        f"The broker does not answer: {said}",
        hint="Is the centre running? See `amtsbruecke centre status` and `amtsbruecke run`.",
    )


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    envvar="AMTSBRUECKE_HOME",
    type=click.Path(path_type=Path),
    help="Folder of all data (AMTSBRUECKE_HOME).",
)
@click.option(
    "--centre",
    envvar="AMTSBRUECKE_CENTRE",
    metavar="NAME",
    help="Work for this centre: reads its centre.env (AMTSBRUECKE_CENTRE).",
)
@click.version_option(package_name="amtsbruecke", message="amtsbruecke %(version)s")
@click.pass_context
def main(ctx: click.Context, home: Path | None, centre: str | None) -> None:
    """Administrative assistance between municipalities, across computing centres."""
    folder = Home((home or default_home()).absolute())
    ctx.obj = folder
    os.environ["AMTSBRUECKE_HOME"] = str(folder.path)
    if centre is None:
        return
    os.environ["AMTSBRUECKE_CENTRE"] = centre
    if folder.centre(centre).settings_file.exists():
        for name, value in folder.existing(centre).settings().items():
            os.environ.setdefault(name, value)  # what is set by hand wins
    elif "AMTSBRUECKE_SECRET_KEY" not in os.environ:  # in a container all comes from outside
        folder.existing(centre)
