"""Waiting letters get the next positions of their link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from federation.dispatch.sql.letters import to_letter
from federation.dispatch.sql.types import Connection, Lease, Letter

#: Who has letters here? Found by hopping over the index from one to the next.
_EVERYBODY: Final = """
    (SELECT tenant_role, '00000000-0000-0000-0000-000000000000'::uuid AS after FROM outbox_letter
      WHERE link = %(link)s AND lseq IS NULL AND NOT held
      ORDER BY tenant_role LIMIT 1)
    UNION ALL
    SELECT (SELECT letter.tenant_role FROM outbox_letter AS letter
             WHERE letter.link = %(link)s AND letter.lseq IS NULL AND NOT letter.held
               AND letter.tenant_role > tenants.tenant_role
             ORDER BY letter.tenant_role LIMIT 1), tenants.after
      FROM tenants WHERE tenants.tenant_role IS NOT NULL
"""
#: A tenant's waiting letters behind one of them, as a range of the queue, in its order. With equal
#: signs instead, any index with the order of ids would do, such as the primary key: then where many
#: wait for somebody else, the planner walks past all letters ever sent.
_BEHIND: Final = """lseq IS NULL AND NOT held
              AND (link, tenant_role, id) > (%(link)s, {tenant}.tenant_role, {tenant}.after)
              AND (link, tenant_role) <= (%(link)s, {tenant}.tenant_role)
            ORDER BY link, tenant_role, id LIMIT"""
#: Who of those that we know has letters behind its last numbered one? Asked for the first of them,
#: not whether there is any: that the planner would look up in an index by time of expiry.
_KNOWN: Final = f"""
    SELECT known.tenant_role, known.after
      FROM unnest(%(roles)b::text[], %(after)b::uuid[]) AS known (tenant_role, after),
           LATERAL (
           SELECT FROM outbox_letter
            WHERE {_BEHIND.format(tenant="known")} 1) AS first
"""  # noqa: S608 -- words of this file
# Rows are picked in turns, one per tenant and turn, so that nobody's import delays a neighbour's
# single letter; each look begins with the tenant after the one that was served last. From each no
# more rows are read than twice its fair share: with many tenants, most would be read in vain. Where
# that gives less than the peer could bear, the next look finds the others.
#
# The link's row is written first and only if there is something to number: whoever else moves
# letters in or out of the queue does not lock it, so a picked letter can vanish before it is
# numbered. Its number then stays empty, which the protocol allows. A paused link gives no numbers:
# the stream that is still open learns of the pause within a second only.
#
# `coalesce(lseq, -1) = -1` says "not numbered" in words that fit no index of the queue, and what
# was picked is named by an array and not joined: so it is found by its key, whatever the planner
# believes. From statistics that were taken while a first import was not committed yet, it believes
# that the table is empty, and for a join it would read all of it.
_NUMBER: Final = """
WITH RECURSIVE tenants AS ({tenants}), share AS (
    SELECT least(%(most)s, greatest(8, 2 * %(most)s / greatest(count(tenant_role), 1))) AS most
      FROM tenants
), turns AS (
    SELECT letter.id, letter.size, letter.turn, tenants.tenant_role,
           tenants.tenant_role <= %(served)s AS served
      FROM tenants, LATERAL (
           SELECT id, size, row_number() OVER (ORDER BY link, tenant_role, id) AS turn
             FROM outbox_letter
            WHERE {behind} (SELECT most FROM share)) AS letter
     WHERE tenants.tenant_role IS NOT NULL
     ORDER BY letter.turn, served, tenants.tenant_role LIMIT %(most)s
), ranked AS (
    SELECT id, row_number() OVER line AS rank, sum(size) OVER line AS total
      FROM turns WINDOW line AS (ORDER BY turn, served, tenant_role)
), picked AS MATERIALIZED (
    SELECT array_agg(id ORDER BY rank) AS ids FROM ranked WHERE total <= %(bytes)s OR rank = 1
), moved AS (
    UPDATE outbox_link
       SET next_lseq = next_lseq + (SELECT cardinality(ids) FROM picked)
     WHERE name = %(link)s AND fence = %(fence)s AND state = 'active'
       AND (SELECT ids FROM picked) IS NOT NULL
 RETURNING next_lseq
), numbered AS (
    UPDATE outbox_letter AS letter
       SET lseq = moved.next_lseq - cardinality(picked.ids)
                  + array_position(picked.ids, letter.id) - 1
      FROM picked, moved
     WHERE letter.id = ANY ((SELECT ids FROM picked)::uuid[])
       AND coalesce(letter.lseq, -1) = -1 AND NOT letter.held
 RETURNING letter.tenant_role, letter.lseq, letter.id, letter.digest, letter.size, letter.envelope
)
SELECT moved.next_lseq, numbered.* FROM moved LEFT JOIN numbered ON true ORDER BY numbered.lseq
"""
_RANGE: Final = _BEHIND.format(tenant="tenants")
NUMBER_ANYBODYS: Final = _NUMBER.format(tenants=_EVERYBODY, behind=_RANGE)
NUMBER_KNOWN: Final = _NUMBER.format(tenants=_KNOWN, behind=_RANGE)


@dataclass(frozen=True, slots=True)
class Numbered:
    """What a look at the queue has brought: nothing if `next_lseq` is None."""

    #: The link's next number.
    next_lseq: int | None
    letters: list[Letter]
    #: By tenant role: the last letter that got a number, in the order in which they got it.
    last: dict[str, UUID]


async def number(
    connection: Connection,
    lease: Lease,
    *,
    most: int,
    bytes_: int,
    served: str = "",
    after: Mapping[str, UUID] | None = None,
) -> Numbered:
    """Number up to `most` waiting letters of at most `bytes_` together, fairly over tenants.

    The tenant behind `served` has the first turn. With `after` only its tenants are looked at, and
    each only behind the letter named there. The first letter is taken whatever its size.
    """
    values = {
        "link": lease.link,
        "fence": lease.fence,
        "most": most,
        "bytes": bytes_,
        "served": served,
    }
    if after is None:
        statement = NUMBER_ANYBODYS
    else:
        statement = NUMBER_KNOWN
        values |= {"roles": list(after), "after": list(after.values())}
    cursor = await connection.execute(statement, values, binary=True)
    rows = await cursor.fetchall()
    if not rows:
        return Numbered(None, [], {})
    letters: list[Letter] = []
    last: dict[str, UUID] = {}
    for _, role, *letter in rows:
        if role is not None:
            letters.append(to_letter(letter))
            # Popped first: the tenant that was served last is to be the last key.
            last.pop(role, None)
            last[role] = letters[-1].item.sent.message_id
    return Numbered(rows[0][0], letters, last)
