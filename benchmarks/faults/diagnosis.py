"""What somebody who finds a federation standing still wants to see, before it is stopped."""

from typing import Final

from benchmarks.faults.plan import CENTRES
from benchmarks.faults.world import World

_QUESTIONS: Final = (
    "SELECT clock_timestamp()",
    """
    SELECT name, next_lseq, acked_lseq, owner, fence, lease_until, next_try_at, last_error
      FROM outbox_link
    """,
    """
    SELECT pid, usename, application_name, state, wait_event_type, wait_event,
           clock_timestamp() - xact_start, pg_blocking_pids(pid), left(query, 300)
      FROM pg_stat_activity WHERE backend_type = 'client backend' ORDER BY xact_start NULLS LAST
    """,
    "SELECT link, state, reason, count(*) FROM outbox_deadletter GROUP BY 1, 2, 3",
    """
    SELECT origin, state, count(*), min(due_at), max(due_at)
      FROM inbox_inboundmessage GROUP BY 1, 2
    """,
)


def write(world: World) -> None:
    """Write what both databases are doing into a file for each centre."""
    for centre in CENTRES:
        with world.connect(centre) as connection:
            lines = [
                line
                for question in _QUESTIONS
                for line in (question, *map(repr, connection.execute(question).fetchall()), "")
            ]
        (world.home.path / f"standstill-{centre}.txt").write_text("\n".join(lines))
