"""What a process says when its environment lacks something."""

import pytest
from click.testing import CliRunner

from console.cli import main


@pytest.mark.parametrize("name", ["web", "gateway", "dispatch", "worker", "beat"])
def test_no_process_starts_without_a_broker(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It would pile up wake-ups that nobody reads."""
    monkeypatch.setenv("AMTSBRUECKE_PROCESS", "web")  # and so restored, whatever the command sets
    done = CliRunner().invoke(main, [name])
    assert done.exit_code == 2, done.output
    assert "cannot start without" in done.stderr
    assert "AMTSBRUECKE_BROKER_URL" in done.stderr
