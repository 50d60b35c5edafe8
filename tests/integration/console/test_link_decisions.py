"""What an operator is told who pauses or resumes a link."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from centre.audit import selectors as audit
from centre.audit.events import AuditEvent
from console.commands import link as link_command
from console.errors import ConsoleError
from federation.outbox.models import Link

pytestmark = [pytest.mark.usefixtures("db")]


@pytest.fixture
def run(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(link_command, "become", lambda *_, **__: None)
    Link.objects.create(name="nord")
    return lambda *said: CliRunner().invoke(link_command.command, said)


@pytest.mark.process("federation")
def test_what_changes_nothing_is_said_and_not_noted(run: Callable[..., Result]) -> None:
    for verb, words in (
        ("resume", "nord: is active already\n"),
        ("pause", "nord: paused. Resume with"),
        ("pause", "nord: is paused already. Resume with"),
        ("resume", "nord: active\n"),
        ("resume", "nord: is active already\n"),
    ):
        assert words in run(verb, "nord").output
    assert [entry.event for entry in audit.trail(subject="nord")] == [
        AuditEvent.LINK_PEER_PAUSED,
        AuditEvent.LINK_PEER_RESUMED,
    ]


@pytest.mark.process("federation")
def test_unknown_link_is_refused(run: Callable[..., Result]) -> None:
    refused = run("pause", "sued")
    assert isinstance(refused.exception, ConsoleError)
    assert "There is no link 'sued'." in refused.exception.message
