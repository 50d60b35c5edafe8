"""What an operator is told who creates or deletes a municipality."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from centre.registry import deletion, selectors
from console.commands import tenant as tenant_command
from console.errors import ConsoleError


@pytest.fixture
def run(
    as_process: Callable[[str], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Result]]:
    monkeypatch.setattr(tenant_command, "become", lambda *_, **__: None)
    with as_process("owner"):
        yield lambda *said: CliRunner().invoke(tenant_command.command, said)


def test_deletion_says_where_its_words_go(run: Callable[..., Result], tmp_path: Path) -> None:
    target = tmp_path / "alpha.zip"
    refused = run("delete", "alpha", "--export-to", str(target))
    assert isinstance(refused.exception, ConsoleError)
    alpha = selectors.municipality(slug="alpha")
    assert deletion.confirmation(alpha) in refused.exception.message
    assert "--confirm" in refused.exception.hint
    assert not target.exists()


def test_password_is_asked_for_at_a_terminal_only(run: Callable[..., Result]) -> None:
    numbers = ("--ags", "05770004", "--ars", "057700004004")
    refused = run("create", "delta", "--name", "Delta", *numbers, "--admin-login", "leitung")
    assert refused.exit_code == 2
    assert "--admin-password-stdin" in refused.output
    assert not selectors.hosted().filter(slug="delta").exists()
