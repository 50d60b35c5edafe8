"""What happens to single letters: overtaken, unreadable, spoilt; and what operators then do."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import psycopg

from benchmarks.faults.plan import CENTRES
from benchmarks.faults.world import StepBroken, World

_PATIENCE_S: Final = 120.0
_TICK_S: Final = 0.1
#: So long a link is held still for two letters that nobody has sent yet.
_STILL_S: Final = 6.0

_DEFER: Final = """
UPDATE outbox_letter SET held = true, not_before = clock_timestamp() + make_interval(secs => %s)
 WHERE id IN (SELECT id FROM outbox_letter
               WHERE link = %s AND lseq IS NULL AND NOT held AND kind <> 'assistance_request'
               ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED)
 RETURNING id
"""
#: Letters that the receiver has signed for wait again, as if they had never been sent.
_AGAIN: Final = """
UPDATE outbox_letter SET lseq = NULL
 WHERE id IN (SELECT letter.id FROM outbox_letter letter JOIN outbox_link link
                  ON link.name = letter.link AND letter.lseq BETWEEN 1 AND link.acked_lseq
               WHERE letter.link = %s AND letter.expires_at > clock_timestamp() + interval '1 day'
                 AND NOT EXISTS (SELECT FROM outbox_deadletter WHERE message_id = letter.id)
               ORDER BY letter.lseq DESC LIMIT 40)
 RETURNING id::text
"""
_PAUSE: Final = "UPDATE outbox_link SET state = 'paused' WHERE name = %s"
_GO_ON: Final = "UPDATE outbox_link SET state = 'active', next_try_at = NULL WHERE name = %s"
_WAKE: Final = "SELECT pg_notify('amtsbruecke_dispatch', %s)"
_TAKE: Final = """
SELECT id, envelope FROM outbox_letter
 WHERE link = %s AND lseq IS NULL AND NOT held AND kind = 'assistance_request'
 ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED
"""
_REWRITE: Final = "UPDATE outbox_letter SET envelope = %s, digest = %s WHERE id = %s"
_DEAD: Final = """
SELECT message_id::text, state, reason FROM outbox_deadletter
 WHERE message_id = ANY(%s) AND resolution = ''
"""
_KNOWN: Final = "SELECT id FROM inbox_inboundmessage WHERE id = ANY(%s) AND origin = %s"
_RECEIVED: Final = "SELECT state FROM inbox_inboundmessage WHERE id = %s AND origin = %s"


class WalkFailed(Exception):
    """A letter did not go the way that it should."""


def other(centre: str) -> str:
    """Return the peer of a centre."""
    (peer,) = (each for each in CENTRES if each != centre)
    return peer


def reorder(world: World, centre: str, *, seconds: float) -> int:
    """Keep back letters that wait, so that later ones of the same cases go first; how many."""
    begin, moved = time.monotonic(), 0
    while time.monotonic() < begin + (seconds if moved else _PATIENCE_S):
        moved += len(world.rows(centre, _DEFER, seconds, other(centre)))
        time.sleep(_TICK_S)
    return moved


def twice(world: World, centre: str) -> list[str]:
    """Send letters that the other centre has signed for once more, at new positions; their ids."""
    peer = other(centre)
    found = _insist(lambda: world.rows(centre, _AGAIN, peer), "letters to send twice")
    world.rows(centre, _WAKE, peer)
    return [identifier for (identifier,) in found]


def poison(world: World, centre: str) -> str:
    """Send what nobody can read; at the receiver it is parked, seen and discarded.

    Returns the message's id.
    """
    peer = other(centre)
    message = str(_insist(lambda: world.step(centre, "poison"), "poison posted")["message"])

    def parked() -> bool:
        return world.rows(peer, _RECEIVED, message, centre) == [("parked",)]

    _insist(parked, f"poison {message} parked")
    _insist(lambda: message in world.command(peer, "inbox", "list")[1], "poison listed")
    command = ("inbox", "discard", message, "--reason", "unreadable", "--yes")
    _insist(lambda: world.command(peer, *command)[0] == 0, "poison discarded")
    return message


def dead_letters(world: World, centre: str) -> str:
    """Spoil two letters on their way; see them refused; send one again and cancel the other.

    Returns the id of the cancelled one. Whether the one that was sent again arrives is counted at
    the end, like that of every letter: written by a clock that was an hour fast, it waits for its
    time.
    """
    peer = other(centre)
    originals = _spoil(world, centre, peer)
    resent, cancelled = originals

    def dead() -> bool:
        return len(world.rows(centre, _DEAD, list(originals))) == len(originals)

    _insist(dead, f"spoilt letters {resent} and {cancelled} dead")

    def seen() -> bool:
        said = world.command(centre, "deadletter", "list")[1]
        return all(each in said for each in originals)

    _insist(seen, "dead letters listed")
    envelope = originals[resent]
    world.rows(centre, _REWRITE, envelope, sha256(envelope).digest(), resent)
    _decide(world, centre, "resend", resent)
    _decide(world, centre, "cancel", cancelled, "--yes")
    if world.rows(peer, _RECEIVED, cancelled, centre):
        raise WalkFailed(f"the cancelled letter {cancelled} arrived all the same")
    return cancelled


def _decide(world: World, centre: str, verb: str, message: str, *options: str) -> None:
    """Give an operator's order until it is carried out: a kill may have come between."""

    def decided() -> bool:
        code, _ = world.command(centre, "deadletter", verb, message, *options)
        return code == 0 or not world.rows(centre, _DEAD, [message])

    _insist(decided, f"letter {message}: {verb}")


def _spoil(world: World, centre: str, peer: str) -> dict[str, bytes]:
    """Flip a byte in two letters that nobody has sent yet; return their true bytes by id."""

    def held_still() -> dict[str, bytes]:
        """Look while nothing moves; in between everything does, or there might never be any."""
        world.rows(centre, _PAUSE, peer)
        try:
            # The clerks may have nothing to send as long as nothing comes back.
            world.step(centre, "requests", count=2)
            until = time.monotonic() + _STILL_S
            while not (found := _spoil_two(world, centre, peer)) and time.monotonic() < until:
                time.sleep(_TICK_S)
            return found
        finally:
            world.rows(centre, _GO_ON, peer)
            world.rows(centre, _WAKE, peer)

    return _insist(held_still, "two letters to spoil", every=1.0)


def _spoil_two(world: World, centre: str, peer: str) -> dict[str, bytes]:
    with world.connect(centre) as connection, connection.transaction():
        waiting = {row[0]: bytes(row[1]) for row in connection.execute(_TAKE, (peer,))}
        # What is sent for the second time cannot be spoilt any more: it has had its effect.
        known = {row[0] for row in world.rows(peer, _KNOWN, list(waiting), centre)}
        fresh = [identifier for identifier in waiting if identifier not in known][:2]
        if len(fresh) < 2:
            return {}
        found = {str(identifier): waiting[identifier] for identifier in fresh}
        for identifier, envelope in found.items():
            spoilt = bytearray(envelope)
            spoilt[len(spoilt) // 2] ^= 0xFF
            connection.execute(
                _REWRITE, (bytes(spoilt), sha256(bytes(spoilt)).digest(), identifier)
            )
    return found


def _insist[T](look: Callable[[], T], what: str, *, every: float = _TICK_S) -> T:
    """Return what `look` finds, trying again: everything may be broken at the moment."""
    deadline = time.monotonic() + _PATIENCE_S
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
        except (psycopg.Error, StepBroken, OSError) as error:
            problem = error
        time.sleep(every)
    raise WalkFailed(f"not within {_PATIENCE_S:.0f} s: {what} ({problem})")
