"""What becomes of letters whose municipality is about to be deleted.

Those that are complete go on: they are sealed and signed. Those that wait for documents can not,
since the documents go with the municipality.
"""

from typing import Final

from django.db import connection, transaction

from centre.kernel.actors import Actor
from centre.registry.models import Municipality
from centre.tenancy.context import public_scope, tenant_scope
from federation.outbox import services

_BURY: Final = """
WITH held AS (
    SELECT id, tenant_role, link, case_id, kind FROM outbox_letter
     WHERE tenant_role = %(role)s AND lseq IS NULL AND held FOR UPDATE
), closed AS (
    UPDATE outbox_upload AS upload SET done_at = clock_timestamp() FROM held
     WHERE upload.message_id = held.id AND upload.done_at IS NULL
), ended AS (
    UPDATE outbox_letter AS letter SET lseq = 0 FROM held WHERE letter.id = held.id
)
INSERT INTO outbox_deadletter
    (id, message_id, tenant_role, link, case_id, kind, state, reason, died_at)
SELECT gen_random_uuid(), held.id, held.tenant_role, held.link, held.case_id, held.kind, 'parked',
       'SENDER_DELETED', clock_timestamp()
  FROM held
    ON CONFLICT (message_id) WHERE resolution = '' DO NOTHING
"""
_DEAD: Final = "SELECT message_id FROM outbox_deadletter WHERE tenant_role = %s AND resolution = ''"


def cancel_what_needs_documents(*, municipality: Municipality, by: Actor) -> None:
    """End the letters that wait for documents, and all that are dead and nobody decided about.

    At the recipient nothing waits for them: a signed void takes the place of each.
    """
    role = municipality.tenant_role
    with public_scope(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BURY, {"role": role})
    with public_scope(), connection.cursor() as cursor:
        cursor.execute(_DEAD, [role])
        dead = [message_id for (message_id,) in cursor.fetchall()]
    with tenant_scope(municipality):
        for message_id in dead:
            with transaction.atomic():
                services.cancel(message_id=message_id, by=by)
