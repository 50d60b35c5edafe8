"""Letters of a municipality that goes: those that can arrive do, the others end in sight."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import transaction

from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry
from centre.kernel.actors import system
from centre.registry.models import Municipality
from centre.tenancy.context import tenant_scope
from federation.outbox import endings, services
from tests.factories.letters import message

pytestmark = pytest.mark.usefixtures("committed_db", "towns")


def test_what_waits_for_documents_is_cancelled_and_what_is_complete_goes_on(
    alpha: Municipality,
    beta: Municipality,
    as_process: Callable[[str], AbstractContextManager[None]],
    dsn: Callable[[str], str],
) -> None:
    letters = [message(beta.authority_id) for _ in range(3)]
    complete, waiting, dead = (each.message_id for each in letters)
    with as_process("web"), tenant_scope(alpha), transaction.atomic():
        services.post(messages=letters)
    with psycopg.connect(dsn("owner"), autocommit=True) as owner:
        owner.execute("UPDATE outbox_letter SET held = true WHERE id = %s", [waiting])
        owner.execute(
            "INSERT INTO outbox_upload (message_id, tenant_role, link, sender, recipient, digest,"
            " size) VALUES (%s, %s, 'nord', %s, %s, 'x', 1)",
            [waiting, alpha.tenant_role, alpha.authority_id, beta.authority_id],
        )
        owner.execute("UPDATE outbox_letter SET lseq = 0 WHERE id = %s", [dead])
        owner.execute(
            "INSERT INTO outbox_deadletter (id, message_id, tenant_role, link, case_id, kind,"
            " state, reason, died_at) SELECT gen_random_uuid(), id, tenant_role, link, case_id,"
            " kind, 'refused', 'EXPIRED', now() FROM outbox_letter WHERE id = %s",
            [dead],
        )
        with as_process("owner"):
            for _ in range(2):  # the second time there is nothing to do
                endings.cancel_what_needs_documents(municipality=alpha, by=system("tests"))
        rows: dict[UUID, Any] = {
            row[0]: row[1:]
            for row in owner.execute("SELECT id, lseq, kind, case_id FROM outbox_letter")
        }
        resolved = owner.execute(
            "SELECT message_id, reason, resolution, resolved_by FROM outbox_deadletter"
        ).fetchall()
        open_uploads = owner.execute(
            "SELECT count(*) FROM outbox_upload WHERE done_at IS NULL"
        ).fetchone()
    assert sorted(resolved) == sorted(
        [
            (waiting, "SENDER_DELETED", "cancelled", "tests"),
            (dead, "EXPIRED", "cancelled", "tests"),
        ]
    )
    assert open_uploads == (0,)
    assert (rows.pop(complete)[0], rows.pop(waiting)[0], rows.pop(dead)[0]) == (None, 0, 0)
    with as_process("owner"):
        told = TrailEntry.objects.filter(event=AuditEvent.OUTBOX_MESSAGE_CANCELLED)
        assert {each.subject for each in told} == {str(waiting), str(dead)}
    # Nothing waits at the recipient: a void takes each one's place.
    assert sorted(rows.values()) == sorted(
        (None, "void", each.case_id) for each in letters if each.message_id != complete
    )
