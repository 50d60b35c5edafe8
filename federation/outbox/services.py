"""Writing to the outbox: post letters, decide about dead ones, steer links.

All of it happens in the caller's transaction.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.db import connection, transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.directory.selectors import Directory, current
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.keys.seal import SealPublicKey
from centre.tenancy.context import require_tenant
from federation.outbox import poke, quota
from federation.outbox.errors import (
    AlreadyPosted,
    LetterExpired,
    LinkUnknown,
    NotDead,
    RecipientUnknown,
    RecipientWithoutKey,
)
from federation.outbox.models import Alarm, Link, LinkState
from federation.protocol.limits import MAX_SIGNED_TOGETHER
from federation.protocol.messages import MessageKind, OutboundMessage
from federation.protocol.notices import VoidNotice
from federation.protocol.reasons import Reason
from federation.wire.envelope import Written, write_letters
from federation.wire.notices import SCHEMA_VERSION, write_void

log = structlog.get_logger(__name__)

_POST = """
INSERT INTO outbox_letter
    (id, link, recipient, case_id, case_sequence, kind, size, envelope, digest, held, expires_at,
     accepted_at)
SELECT item.id, item.link, item.recipient, item.case_id, item.case_sequence, item.kind,
       octet_length(item.envelope), item.envelope, item.digest, item.held, item.expires_at,
       %(now)s
  FROM unnest(%(ids)b::uuid[], %(links)b::text[], %(recipients)b::uuid[], %(cases)b::uuid[],
              %(sequences)b::int[], %(kinds)b::text[], %(envelopes)b::bytea[],
              %(digests)b::bytea[], %(held)b::bool[], %(expiries)b::timestamptz[])
       AS item (id, link, recipient, case_id, case_sequence, kind, envelope, digest, held,
                expires_at)
"""

_UPLOADS = """
INSERT INTO outbox_upload (message_id, link, sender, recipient, digest, size)
SELECT item.message_id, item.link, %(sender)s, item.recipient, item.digest, item.size
  FROM unnest(%(ids)b::uuid[], %(links)b::text[], %(recipients)b::uuid[], %(digests)b::bytea[],
              %(sizes)b::bigint[]) AS item (message_id, link, recipient, digest, size)
"""


def post(*, messages: Sequence[OutboundMessage]) -> None:
    """Seal, sign and queue messages of the current tenant, in the caller's transaction.

    All or none: raises `RecipientUnknown`, `RecipientWithoutKey`, `BacklogFull` or `AlreadyPosted`
    and then has queued nothing. A message with documents waits until these are at the receiving
    centre. Post many messages in one call: it costs one statement.
    """
    if not messages:
        return
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("post() belongs into the case's transaction")
    directory = current()
    homes = {
        recipient: _home(directory, recipient) for recipient in {m.recipient for m in messages}
    }
    links = [homes[message.recipient][0] for message in messages]
    for link, letters in Counter(links).items():
        quota.take(link, letters)
    written = _write(messages, homes)
    now = clock.now()
    _execute(
        _POST,
        {
            "now": now,
            "ids": [each.message_id for each in messages],
            "links": links,
            "recipients": [each.recipient for each in messages],
            "cases": [each.case_id for each in messages],
            "sequences": [each.case_sequence for each in messages],
            "kinds": [each.kind.value for each in messages],
            "envelopes": [each.item for each in written],
            "digests": [each.digest for each in written],
            "held": [bool(each.blobs) for each in messages],
            "expiries": [each.expires_at for each in messages],
        },
    )
    _queue_uploads(messages, homes)
    plain = [link for link, each in zip(links, messages, strict=True) if not each.blobs]
    transaction.on_commit(partial(poke.poke, dict.fromkeys(plain)), robust=True)
    # A letter with documents moves when these have been uploaded.
    held = [link for link, each in zip(links, messages, strict=True) if each.blobs]
    uploader = partial(poke.poke, dict.fromkeys(held), channel=poke.DOCUMENTS)
    transaction.on_commit(uploader, robust=True)


type _Home = tuple[str, SealPublicKey]


def _home(directory: Directory, recipient: UUID) -> _Home:
    """Return the centre of an authority and the key that it reads with."""
    authority = directory.authority(recipient)
    if authority is None or authority.state != "active":
        raise RecipientUnknown(f"The directory has no active authority {recipient}.")
    key = directory.seal_key(recipient)
    if key is None:
        raise RecipientWithoutKey(f"The directory has no key to seal to for {authority.name}.")
    return authority.home_centre, key


def _write(messages: Sequence[OutboundMessage], homes: Mapping[UUID, _Home]) -> list[Written]:
    sender, signing_key, now = require_tenant().authority_id, keystore.signing_key(), clock.now()
    links: dict[str, list[OutboundMessage]] = {}
    for message in messages:
        links.setdefault(homes[message.recipient][0], []).append(message)
    able = _taking_one_signature_for_many(links) if len(messages) > 1 else set()
    written: dict[UUID, Written] = {}
    # A signature for letters to several centres would tell each how many went elsewhere.
    for link, letters in links.items():
        finished = write_letters(
            letters,
            [homes[message.recipient][1] for message in letters],
            origin_centre=settings.AMTSBRUECKE.centre,
            sender=sender,
            created_at=now,
            by=signing_key,
            together=link in able,
        )
        written |= zip((each.message_id for each in letters), finished, strict=True)
    return [written[message.message_id] for message in messages]


def _taking_one_signature_for_many(links: Collection[str]) -> set[str]:
    """Return the links whose peers have said that they do."""
    able = Link.objects.filter(name__in=links, max_signed_together__gte=MAX_SIGNED_TOGETHER)
    return set(able.values_list("name", flat=True))


def _queue_uploads(messages: Sequence[OutboundMessage], homes: Mapping[UUID, _Home]) -> None:
    uploads = [(message, blob) for message in messages for blob in message.blobs]
    if not uploads:
        return
    _execute(
        _UPLOADS,
        {
            "sender": require_tenant().authority_id,
            "ids": [message.message_id for message, _ in uploads],
            "links": [homes[message.recipient][0] for message, _ in uploads],
            "recipients": [message.recipient for message, _ in uploads],
            "digests": [bytes.fromhex(blob.digest) for _, blob in uploads],
            "sizes": [blob.size for _, blob in uploads],
        },
    )


def _execute(statement: str, parameters: Mapping[str, object]) -> None:
    """Run a statement with arrays in binary form, which Django's own cursor cannot send.

    Opening Django's cursor first brings the connection to the tenant, as for every other statement.
    """
    with connection.cursor(), connection.wrap_database_errors:
        try:
            with psycopg.Cursor(connection.connection) as cursor:
                cursor.execute(statement, parameters)
        except psycopg.errors.UniqueViolation as error:
            raise AlreadyPosted(str(error)) from error


# -- dead letters ----------------------------------------------------------------------------


def resend(*, message_id: UUID, by: Actor) -> None:
    """Put a refused or parked letter back into the queue, as it is: its tenant, or an operator.

    Raises `NotDead` if it is neither, and `LetterExpired` once its signed time is over: no centre
    would take it any more, and the matter needs a new letter.
    """
    _resolve(message_id, "resent", by)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox_letter SET lseq = NULL, not_before = NULL, held = EXISTS ("
            "  SELECT FROM outbox_upload WHERE message_id = %(id)s AND done_at IS NULL)"
            " WHERE id = %(id)s AND expires_at > %(now)s RETURNING link",
            {"id": message_id, "now": clock.now()},
        )
        row = cursor.fetchone()
        if row is None:
            raise LetterExpired
    transaction.on_commit(partial(poke.poke, row), robust=True)
    _tell(AuditEvent.OUTBOX_MESSAGE_RESENT, message_id, by)


def cancel(*, message_id: UUID, by: Actor) -> None:
    """Give a dead letter of the current tenant up for good.

    Later letters of the case must not wait for it at the recipient: a letter of kind `void` takes
    its place in the order, unless the recipient was deleted or the directory no longer knows it.
    """
    reason = _resolve(message_id, "cancelled", by)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox_letter SET lseq = 0 WHERE id = %s"
            " RETURNING recipient, case_id, case_sequence, expires_at - accepted_at, kind",
            [message_id],
        )
        recipient, case_id, case_sequence, lifetime, kind = cursor.fetchone()
    # A failure stands outside the order, and where nobody is any more nothing waits.
    if kind != MessageKind.PROCESSING_FAILURE and reason != Reason.RECIPIENT_DELETED:
        _post_void(message_id, recipient, case_id, case_sequence, lifetime)
    _tell(AuditEvent.OUTBOX_MESSAGE_CANCELLED, message_id, by)


def renew_voids(*, case_id: UUID, by: Actor) -> None:
    """Send new voids for those of a case that expired before they were handed over.

    Nobody is told of the end of a void, and at the recipient all later letters of the case wait.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT message_id FROM outbox_deadletter WHERE case_id = %s AND kind = %s"
            "   AND reason = 'NEVER_SENT' AND resolution = '' ORDER BY message_id",
            [case_id, MessageKind.VOID.value],
        )
        dead = [message_id for (message_id,) in cursor.fetchall()]
    for message_id in dead:
        with suppress(NotDead):  # an operator has just done it
            cancel(message_id=message_id, by=by)


def _post_void(
    message_id: UUID, recipient: UUID, case_id: UUID, case_sequence: int, lifetime: timedelta
) -> None:
    void = OutboundMessage(
        message_id=new_id(),
        recipient=recipient,
        case_id=case_id,
        case_sequence=case_sequence,
        kind=MessageKind.VOID,
        schema_version=SCHEMA_VERSION,
        payload=write_void(VoidNotice(message_id)),
        expires_at=clock.now() + lifetime,
    )
    try:
        post(messages=[void])
    except (RecipientUnknown, RecipientWithoutKey) as error:
        log.info("no void posted", message_id=str(message_id), reason=error.reason)


def _tell(event: AuditEvent, message_id: UUID, by: Actor) -> None:
    audit.record(events=[Entry(event=event, by=by, subject=str(message_id), detail={})])


def _resolve(message_id: UUID, resolution: str, by: Actor) -> str:
    """Mark the open dead letter of a message, return why it died; raise `NotDead` without one."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("a dead letter moves in a transaction")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox_deadletter SET resolution = %s, resolved_at = %s, resolved_by = %s,"
            " told = %s WHERE message_id = %s AND resolution = '' RETURNING reason",
            [resolution, clock.now(), by.name, resolution != "cancelled", message_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotDead
    return str(row[0])


# -- links: by an operator -------------------------------------------------------------------


@transaction.atomic
def retry_now(*, link: str, by: Actor) -> None:
    """End every wait of a link: the next call goes out at once, and with it what was deferred."""
    _change(link, AuditEvent.LINK_PEER_RETRIED, by, next_try_at=None, backoff_ms=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE outbox_letter SET not_before = %(now)s WHERE link = %(link)s"
            "   AND lseq IS NULL AND held AND not_before > %(now)s",
            {"link": link, "now": clock.now()},
        )


def pause(*, link: str, by: Actor) -> bool:
    """Send nothing to a centre until `resume`. Letters are accepted and queue; expiry goes on.

    What has its number already is under way and still goes; nothing else gets one. Return False
    where the link is paused already: then nothing is noted.
    """
    return _change(link, AuditEvent.LINK_PEER_PAUSED, by, state=LinkState.PAUSED)


def resume(*, link: str, by: Actor) -> bool:
    """Send again to a centre, at once. Return False where the link is active already."""
    fields = {"state": LinkState.ACTIVE, "next_try_at": None, "backoff_ms": 0}
    return _change(link, AuditEvent.LINK_PEER_RESUMED, by, **fields)


@transaction.atomic
def _change(link: str, event: AuditEvent, by: Actor, **fields: object) -> bool:
    """Change a link and note who did; return False where it has the wanted state already."""
    wanted = Link.objects.filter(name=link)
    if not wanted.exists():
        raise LinkUnknown(f"There is no link {link!r}.")
    if "state" in fields:
        wanted = wanted.exclude(state=fields["state"])
    if not wanted.update(**fields):
        return False
    log.info(event.value, link=link, by=by.name)
    transaction.on_commit(partial(poke.poke, [link]), robust=True)
    audit.record(events=[Entry(event=event, by=by, subject=link, detail={})])
    return True


@transaction.atomic
def acknowledge_alarms(*, alarm_id: UUID | None, by: Actor) -> int:
    """Note that a person has seen an open alarm, or with None all of them; return how many."""
    wanted = Alarm.objects.filter(acknowledged_at=None)
    if alarm_id is not None:
        wanted = wanted.filter(id=alarm_id)
    seen = wanted.update(acknowledged_at=clock.now(), acknowledged_by=by.name)
    if seen:
        subject, event = str(alarm_id or "all"), AuditEvent.OUTBOX_ALARM_ACKNOWLEDGED
        entry = Entry(event=event, by=by, subject=subject, detail={"alarms": str(seen)})
        audit.record(events=[entry])
    return seen
