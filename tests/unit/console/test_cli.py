from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kombu.exceptions import OperationalError

from console.cli import LazyGroup, main
from console.errors import ConsoleError


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in ("AMTSBRUECKE_HOME", "AMTSBRUECKE_CENTRE"):
        monkeypatch.setenv(name, "")  # and so restored, whatever the command sets
    monkeypatch.delenv("AMTSBRUECKE_SECRET_KEY", raising=False)
    return CliRunner()


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_every_command_explains_itself(runner: CliRunner, name: str) -> None:
    done = runner.invoke(main, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Usage: ")


def test_refusal_is_one_sentence_a_next_step_and_code_2(runner: CliRunner, tmp_path: Path) -> None:
    done = runner.invoke(main, ["--home", str(tmp_path), "--centre", "nowhere", "web"])
    assert done.exit_code == 2
    assert "There is no centre 'nowhere'" in done.stderr
    assert "amtsbruecke demo" in done.stderr
    assert "Traceback" not in done.output


def test_unknown_command_is_refused_without_importing_anything(runner: CliRunner) -> None:
    done = runner.invoke(main, ["no-such-command"])
    assert done.exit_code == 2
    assert "No such command" in done.stderr


def test_what_a_command_refuses_on_purpose_shows_no_traceback(runner: CliRunner) -> None:
    @click.group(cls=LazyGroup)
    def group() -> None:
        raise ConsoleError("The post is closed.", hint="Come back tomorrow.")

    done = runner.invoke(group, ["run"])
    assert done.exit_code == 2
    assert done.stderr == "Error: The post is closed.\nCome back tomorrow.\n"


def test_a_broker_that_does_not_answer_is_not_taken_for_the_database(runner: CliRunner) -> None:
    @click.group(cls=LazyGroup)
    def group() -> None:
        raise OperationalError("No such file or directory: valkey.sock")

    done = runner.invoke(group, ["run"])
    assert done.exit_code == 2
    assert "The broker does not answer: No such file or directory: valkey.sock" in done.stderr
