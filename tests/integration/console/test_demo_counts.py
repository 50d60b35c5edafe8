"""What the demo says of losses and repetitions is what stands in the databases."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from console import effects
from console.demo import report
from console.demo.plan import make_plan
from console.home import Home
from tenants.cases.models import Case, CaseEvent, CaseMessage

pytestmark = [pytest.mark.slow]

HOME = Home(Path("/nowhere"))


def _case(town: Municipality) -> Case:
    with tenant_scope(town):
        return Case.objects.create(
            reference="AB-1",
            side="requested",
            kind="full_enforcement",
            state="registered",
            state_since=clock.now(),
            created_by="tests",
            created_at=clock.now(),
        )


def _apply(
    town: Municipality,
    case: Case,
    *,
    message_id: UUID | None = None,
    kind: str = "query",
    lines: int = 1,
    sequence: int = 1,
) -> UUID:
    """Write what a message of others leaves behind when it has its effect."""
    with tenant_scope(town):
        message = CaseMessage.objects.create(
            id=message_id or new_id(),
            case=case,
            number=CaseMessage.objects.filter(case=case).count() + 1,
            direction="in",
            kind=kind,
            schema_version=1,
            sequence=sequence,
            other_authority=new_id(),
            payload=b"",
            created_at=clock.now(),
            outcome="received",
        )
        for _ in range(lines):
            CaseEvent.objects.create(
                case=case, at=clock.now(), side="requesting", what=kind, message_id=message.id
            )
        return message.id


@pytest.fixture
def owner(committed_db: None, dsn: Callable[[str], str]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn("owner"), autocommit=True) as connection:
        yield connection


def test_a_second_effect_of_a_message_is_counted_wherever_it_is(
    owner: psycopg.Connection[Any], alpha: Municipality, beta: Municipality
) -> None:
    here, there = _case(alpha), _case(beta)
    first = _apply(alpha, here, kind="assistance_request")
    _apply(beta, there, kind="registration")
    found = effects.count(owner)
    assert (found.applied, found.duplicates) == (2, 0)
    assert found.registered == {there.id}
    _apply(alpha, here, lines=2, sequence=2)  # two lines of one message
    assert effects.count(owner).duplicates == 1
    _apply(beta, there, message_id=first, sequence=2)  # the same one at two municipalities
    assert effects.count(owner).duplicates == 2
    _apply(alpha, here, kind="assistance_request")  # the case was opened by another one, too
    assert effects.count(owner).duplicates == 3


def test_a_letter_with_a_receipt_that_is_in_no_inbox_is_lost(
    owner: psycopg.Connection[Any], alpha: Municipality, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(9000)
    plan = replace(plan, centres=plan.centres[:1])
    monkeypatch.setattr(report, "_connect", lambda *_: _same(owner))
    case = _case(alpha)
    identifiers = [_letter(owner, case.id, lseq) for lseq in (1, 2, None)]
    owner.execute("INSERT INTO outbox_link (name, next_lseq, acked_lseq) VALUES ('krz', 3, 2)")
    _arrive(owner, identifiers[0], case.id)
    found = report.count(HOME, plan)
    assert (found.sent, found.delivered, found.acknowledged) == (3, 2, 2)
    assert (found.lost, found.under_way, found.unprocessed) == (1, 1, 1)
    assert not found.settled
    _arrive(owner, identifiers[1], case.id)
    assert report.count(HOME, plan).lost == 0
    _apply(alpha, case, lines=2)
    assert report.count(HOME, plan).duplicates == 1


def _same(owner: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Connect to the same database once more."""
    return psycopg.connect(owner.info.dsn, password=owner.info.password)


def _letter(owner: psycopg.Connection[Any], case_id: UUID, lseq: int | None) -> UUID:
    identifier = new_id()
    owner.execute(
        "INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind,"
        " size, envelope, digest, lseq, expires_at, accepted_at)"
        " VALUES (%s, 'krz_t_alpha', 'krz', %s, %s, 1, %s, 1, 'x', 'x', %s, now(), now())",
        (identifier, new_id(), case_id, report.REQUEST, lseq),
    )
    return identifier


def _arrive(owner: psycopg.Connection[Any], identifier: UUID, case_id: UUID) -> None:
    owner.execute(
        "INSERT INTO inbox_inboundmessage (id, origin, tenant_role, link, sender, case_id,"
        " case_sequence, kind, envelope, digest, received_at, state, due_at)"
        " VALUES (%s, 'krz', 'krz_t_beta', 'krz', %s, %s, 1, %s, 'x', 'x', now(), 'pending',"
        " now())",
        (identifier, new_id(), case_id, report.REQUEST),
    )
