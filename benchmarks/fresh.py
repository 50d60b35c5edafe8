"""Memory of processes that have just been started: a long backlog, a large document.

A process that has carried hundreds of thousands of letters keeps pages of its busiest moment, and
against those nothing would seem to grow. So these figures are taken first, in a world of their own.
"""

from statistics import median

import psycopg

from benchmarks import probes, resources
from benchmarks.modes import Clockwork, drain, target
from benchmarks.world import wait_for
from centre.keys.blobs import CHUNK_SIZE

_ROUNDS = 3
#: Letters of which half are settled and half wait, on the link of a centre that is gone.
_BURY = """
INSERT INTO outbox_letter (id, tenant_role, link, recipient, case_id, case_sequence, kind, size,
    envelope, digest, expires_at, accepted_at, lseq)
SELECT uuidv7(), %(role)s, %(link)s, %(recipient)s, gen_random_uuid(), 1, 'assistance_request',
       4096, %(envelope)s, sha256(%(envelope)s), now() + interval '14 days', now(),
       CASE WHEN number <= %(count)s THEN number END
  FROM generate_series(1, 2 * %(count)s) AS number
"""
_SETTLED = "UPDATE outbox_link SET next_lseq = %s, acked_lseq = %s WHERE name = %s"


def behind_a_dead_link(
    clock: Clockwork, count: int, *, drained: int, link: str
) -> dict[str, float]:
    """Put letters behind a peer that is gone; memory of dispatch and the rate of another link.

    As many settled letters come into the table with them.
    """
    world = clock.world
    pid = world.pids("krz")["dispatch"]
    wait_for(lambda: clock.known(link), what=f"the link {link}")
    world.checkpoint()
    empty = [drain(clock, drained)["per_s"] for _ in range(_ROUNDS)]
    idle = resources.rss_mib(pid)
    role = world.krz.value("SELECT tenant_role FROM registry_municipality ORDER BY slug LIMIT 1")
    with psycopg.connect(world.krz.url("owner")) as connection:
        connection.execute(
            _BURY,
            {
                "role": role,
                "link": link,
                "recipient": world.nord.authorities[0],
                "envelope": bytes(4096),
                "count": count,
            },
        )
        connection.execute(_SETTLED, (count + 1, count, link))
    # Nobody ever gets so many at once: the housekeeping after it is not what is measured.
    clock.do("VACUUM ANALYZE outbox_letter")
    world.checkpoint()
    # Filling the table takes minutes, and by then so does the wait until the next try.
    clock.do("UPDATE outbox_link SET next_try_at = NULL, backoff_ms = 0 WHERE name = %s", link)
    clock.do("SELECT pg_notify('amtsbruecke_dispatch', %s)", link)
    tried = world.krz.value("SELECT count(*) FROM outbox_attempt WHERE link = %s", link)
    wait_for(
        lambda: (
            world.krz.value("SELECT count(*) FROM outbox_attempt WHERE link = %s", link) > tried + 1
        ),
        what="dispatch to try the dead link",
    )
    loaded = [drain(clock, drained)["per_s"] for _ in range(_ROUNDS)]
    return {
        "memory_ratio": resources.rss_mib(pid) / idle,
        "rate_ratio": median(loaded) / median(empty),
        "count": count,
    }


def document(clock: Clockwork, size: int) -> dict[str, float]:
    """Send one document of so many bytes: its rate against a bare stream, and memory above idle.

    The rate is that of the whole: sealing and storing at the sender, the way, the receipt. What is
    durable on both sides takes longer: `share_of_durable` compares with a bare stream and two bare
    tables, one after the other.
    """
    world = clock.world
    watched = {
        f"{centre} {service}": world.pids(centre)[service]
        for centre, service in (("krz", "dispatch"), ("nord", "gateway"))
    }
    idle = {name: resources.rss_mib(pid) for name, pid in watched.items()}
    most = dict(idle)
    before = clock.acked()
    bare = probes.wire(world.krz.folder.tls, "krz")["bytes_per_s"]
    step = world.krz.begin("document", **target(world), size=size).ready()
    begin = clock.now()
    step.go()

    def arrived() -> bool:
        for name, pid in watched.items():
            most[name] = max(most[name], resources.rss_mib(pid))
        return clock.acked() > before

    wait_for(arrived, seconds=300, what="the document")
    sealing = step.answer()
    received = world.krz.value(
        "SELECT max(received_at) FROM outbox_receipt WHERE link = 'nord' AND last_lseq > %s", before
    )
    # A core changes its speed: the bare stream is that of before and after.
    bare = (bare + probes.wire(world.krz.folder.tls, "krz")["bytes_per_s"]) / 2
    tables = sum(
        size / probes.stored_bytes_per_s(each.url("owner"), size=size, chunk=CHUNK_SIZE)
        for each in (world.krz, world.nord)
    )
    seconds = (received - begin).total_seconds()
    # A server that has run for a while writes its log into files that were there before.
    for each in (world.krz, world.nord):
        each.checkpoint()
    return {
        "share": size / seconds / bare,
        "share_of_durable": (size / bare + tables) / seconds,
        "seconds": seconds,
        "sealing_seconds": sealing["seconds"],
        "share_of_the_way": size / max(seconds - sealing["seconds"], 1e-3) / bare,
        "above_idle_mib": max(
            sealing["above_idle_mib"], *(most[name] - idle[name] for name in watched)
        ),
    }
