"""Alarms as gateway and dispatch raise them, on their own connections and without the ORM."""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from centre.kernel.ids import new_id

_RAISE = """
INSERT INTO outbox_alarm (id, code, link, tenant_role, message_id, detail, raised_at)
SELECT %(id)s, %(code)s::text, %(link)s::text, %(role)s::text, %(message)s::uuid,
       %(detail)s::text, clock_timestamp()
 WHERE NOT EXISTS (SELECT FROM outbox_alarm
                    WHERE acknowledged_at IS NULL AND code = %(code)s::text
                      AND link = %(link)s::text
                      AND message_id IS NOT DISTINCT FROM %(message)s::uuid)
"""


async def raise_alarm(
    connection: AsyncConnection[Any],
    *,
    code: str,
    link: str,
    detail: str,
    message_id: UUID | None = None,
    tenant_role: str | None = None,
) -> None:
    """Leave a note that a person must see, unless the same one is open. No content in `detail`."""
    await connection.execute(
        _RAISE,
        {
            "id": new_id(),
            "code": code,
            "link": link,
            "role": tenant_role,
            "message": message_id,
            "detail": detail[:500],
        },
    )
