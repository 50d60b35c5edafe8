"""Gathers what proves a case's deliveries into one file (`federation.wire.evidence`)."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import transaction

from centre.audit import services as audit
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent
from centre.directory import encoding, selectors
from centre.directory.interface import Directory
from centre.kernel import clock
from centre.kernel.actors import Actor
from centre.keys import keystore
from centre.tenancy.context import require_tenant
from federation.inbox import selectors as inbox
from federation.outbox import selectors as outbox
from federation.protocol import receipts
from federation.protocol.receipts import SignedReceipt
from federation.wire import evidence
from federation.wire.envelope import open_with_opening, opening_of, read_outer
from federation.wire.evidence import Bundle, LetterPart, ReceiptPart
from federation.wire.receipt import decode_body
from tenants.cases import policies
from tenants.cases.errors import CaseNotFound
from tenants.cases.models import Case, CaseMessage, Direction

type _Proof = outbox.ReceiptProof | inbox.IssuedProof


def export_evidence(*, case_id: UUID, by: Actor) -> bytes:
    """Return the evidence of a case of the current tenant and note that it was taken.

    Content is proven whole or not at all: who may not see all of it gets no file.
    """
    policies.require_danger_sight(by)
    with transaction.atomic():
        case = Case.objects.filter(id=case_id).first()
        if case is None:
            raise CaseNotFound
        messages = CaseMessage.objects.filter(case=case).order_by("number")
        letters = tuple(part for each in messages if (part := _letter(each)) is not None)
        file = evidence.write(
            Bundle(
                case_id=case.id,
                case_reference=case.reference,
                exported_at=clock.now(),
                exported_by=_own_name(),
                umbrella_key=next(iter(settings.AMTSBRUECKE.umbrella_keys), b""),
                snapshots=_snapshots(letters),
                letters=letters,
            )
        )
        detail = {"letters": str(len(letters))}
        audit.record(
            events=[
                Entry(
                    event=AuditEvent.CASE_EVIDENCE_EXPORTED,
                    by=by,
                    subject=case.reference,
                    detail=detail,
                )
            ]
        )
    return file


def _own_name() -> str:
    own = selectors.current().authority(require_tenant().authority_id)
    return own.name if own else require_tenant().slug


def _letter(message: CaseMessage) -> LetterPart | None:
    proof: _Proof | None
    if message.direction == Direction.OUT:
        item, proof = outbox.envelope(message.id), outbox.receipt_proof(message.id)
    else:
        item, proof = inbox.envelope(message.id), inbox.issued_receipt(message.id)
    if item is None:
        return None
    carried = read_outer(item)
    if message.direction == Direction.OUT:
        opening = opening_of(message.id, by=keystore.own_signing_key(carried.kid))
    else:
        envelope = carried.read()
        key = keystore.seal_private_key(envelope.seal_kid)
        opening, _ = open_with_opening(envelope, key=key)
    return LetterPart(
        item=item,
        receipt=_receipt(proof) if proof is not None else None,
        opening=opening,
        content=bytes(message.payload),
    )


def _receipt(proof: _Proof) -> ReceiptPart:
    first = decode_body(proof.body).first_lseq
    return ReceiptPart(
        lseq=proof.lseq,
        receipt=SignedReceipt(body=proof.body, kid=proof.kid, signature=proof.signature),
        path=receipts.proof(proof.leaves, index=proof.lseq - first),
    )


def _snapshots(letters: Sequence[LetterPart]) -> tuple[bytes, ...]:
    """Return the newest directory, and older ones as far as it has dropped a signer's key."""
    newest = selectors.signed_snapshot()
    if newest is None:
        return ()
    version, signed = newest
    chosen = [signed]
    missing = _missing(letters, selectors.current())
    while missing and version > 1:
        version -= 1
        older = selectors.signed_snapshot(version)
        if older is None:
            continue
        directory = Directory(encoding.read_trusted(older[1]), digest="")
        still = [part for part in missing if part in _missing(missing, directory)]
        if len(still) < len(missing):
            chosen.append(older[1])
        missing = still
    return tuple(chosen)


def _missing(letters: Sequence[LetterPart], directory: Directory) -> list[LetterPart]:
    found = []
    for part in letters:
        carried = read_outer(part.item)
        known = directory.verify_key(carried.signer, carried.kid) is not None
        if known and part.receipt is not None:
            recipient = directory.authority(carried.read().recipient)
            kid = part.receipt.receipt.kid
            known = recipient is not None and (
                directory.receipt_key(recipient.home_centre, kid) is not None
            )
        if not known:
            found.append(part)
    return found
