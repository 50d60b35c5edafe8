"""Which letters may come in. No database: everything is decided from bytes, directory and clock.

The order of the checks is part of the protocol: what costs little and needs no trust comes first,
the signature before anything that it covers is read. Each letter is judged by itself; one that is
refused never touches the others of its batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from federation.inbox.arrivals import NO_ID, Arrival, Item, Settled
from federation.inbox.lookups import ListedKey, Lookups
from federation.protocol import limits
from federation.protocol.errors import ItemRefused
from federation.protocol.messages import Envelope
from federation.protocol.reasons import Reason
from federation.protocol.receipts import NOTHING, VOID, Sent, refused
from federation.wire.envelope import Carried, read_outer

#: How long a sender should wait where nobody can say.
_SOON = timedelta(seconds=30)
_LATER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Host:
    """A municipality that is hosted here."""

    tenant_role: str
    active: bool
    #: It was, and never will be again.
    deleted: bool = False


def host_of(
    recipient: UUID, *, receiver: str, directory: Lookups, hosts: Mapping[UUID, Host]
) -> Host:
    """Return where this centre takes what is for an authority; raise `ItemRefused` if it does not.

    The directory says whose authority it is: one that has moved away gets nothing here, even where
    its municipality is still hosted.
    """
    authority, host = directory.authority(recipient), hosts.get(recipient)
    elsewhere = authority is not None and authority.home_centre != receiver
    if host is not None and host.deleted and not elsewhere:
        raise ItemRefused(Reason.RECIPIENT_DELETED, "The recipient is not hosted any more.")
    if host is None or authority is None or elsewhere:
        raise _deferred(Reason.RECIPIENT_UNKNOWN, "The recipient is not hosted here.", _LATER)
    if not host.active or authority.state != "active":
        raise _deferred(Reason.RECIPIENT_SUSPENDED, "The recipient is suspended.", _LATER)
    return host


type _Framed = tuple[Carried, ListedKey]
type _Letter = tuple[Carried, ListedKey, Envelope]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Judges the letters of one peer as of one moment."""

    #: The centre that sends, as its certificate says.
    origin: str
    #: This centre.
    receiver: str
    directory: Lookups
    hosts: Mapping[UUID, Host]
    now: datetime

    def examine(self, items: Sequence[bytes], *, first_lseq: int) -> list[Item]:
        """Return what becomes of each item of a batch, in order.

        A check is made for all letters before the next one is: a processor that does one thing
        many times does it faster than several in turns.
        """
        opened = _each(self._open, [item for item in items if item])
        letters = iter(_each(_read, _each(_verify, opened)))
        return [
            self._conclude(lseq, item, next(letters)) if item else Settled(lseq, NOTHING, VOID)
            for lseq, item in enumerate(items, start=first_lseq)
        ]

    def _open(self, item: bytes) -> _Framed:
        carried = read_outer(item)
        key = self.directory.verify_key(carried.signer, carried.kid)
        if key is None:
            raise _deferred(Reason.SIGNER_UNKNOWN, "The directory does not know this key.", _SOON)
        return carried, key

    def _conclude(self, lseq: int, item: bytes, letter: _Letter | ItemRefused) -> Item:
        message_id = NO_ID
        try:
            if isinstance(letter, ItemRefused):
                raise letter
            carried, key, envelope = letter
            message_id = envelope.message_id
            host = self._check(envelope, key)
        except ItemRefused as error:
            delay = None if error.retry_delay is None else timedelta(seconds=error.retry_delay)
            sent = Sent(message_id, sha256(item).digest())
            return Settled(lseq, sent, refused(error.why, retry_delay=delay))
        return Arrival(
            lseq=lseq,
            message_id=message_id,
            digest=carried.digest,
            envelope=item,
            tenant_role=host.tenant_role,
            sender=envelope.sender,
            case_id=envelope.case_id,
            case_sequence=envelope.case_sequence,
            kind=envelope.kind.value,
            blobs=tuple((bytes.fromhex(each.digest), each.size) for each in envelope.blobs),
        )

    def _check(self, envelope: Envelope, key: ListedKey) -> Host:
        """Return the recipient's host where all that the letter says of itself may be."""
        self._check_sender(envelope)
        host = host_of(
            envelope.recipient,
            receiver=self.receiver,
            directory=self.directory,
            hosts=self.hosts,
        )
        if envelope.expires_at <= self.now:
            raise ItemRefused(Reason.EXPIRED, "The letter has expired.")
        early = envelope.created_at - self.now - limits.CLOCK_SKEW
        if early > timedelta():
            # No receipt may name a longer time, however wrong the sender's clock was.
            wait = min(early, limits.MAX_LIFETIME)
            raise _deferred(Reason.CREATED_IN_FUTURE, "The letter comes from the future.", wait)
        # When the letter was written, not now: it may have been under way when its key ended.
        # Never for good: a newer directory may say that the key began sooner or ends later.
        if not key.valid_at(envelope.created_at, skew=limits.CLOCK_SKEW):
            raise _deferred(
                Reason.SIGNER_UNKNOWN, "The key was not valid when the letter was written.", _LATER
            )
        return host

    def _check_sender(self, envelope: Envelope) -> None:
        sender = self.directory.authority(envelope.sender)
        represented = (
            envelope.origin_centre == self.origin
            and sender is not None
            and sender.home_centre == self.origin
        )
        if not represented:
            raise ItemRefused(
                Reason.AUTHORITY_NOT_REPRESENTED, "This centre does not speak for the sender."
            )
        if sender is not None and sender.state != "active":
            raise ItemRefused(Reason.AUTHORITY_SUSPENDED, "The sender is suspended.")


def _each[Before, After](
    check: Callable[[Before], After], letters: Sequence[Before | ItemRefused]
) -> list[After | ItemRefused]:
    """Return what a check makes of each letter, or why it is refused, by this check or before."""

    def tried(letter: Before | ItemRefused) -> After | ItemRefused:
        if isinstance(letter, ItemRefused):
            return letter
        try:
            return check(letter)
        except ItemRefused as refusal:
            return refusal

    return [tried(letter) for letter in letters]


def _verify(framed: _Framed) -> _Framed:
    """Return the frame once it is sure who signed what it carries."""
    carried, listed = framed
    carried.verify(listed.key)
    return framed


def _read(framed: _Framed) -> _Letter:
    carried, listed = framed
    return carried, listed, carried.read()


def _deferred(reason: Reason, words: str, delay: timedelta) -> ItemRefused:
    return ItemRefused(reason, words, retry_delay=delay.total_seconds())
