"""Gathers what proves a case's deliveries into one file (`federation.wire.evidence`)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
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


class _Signer(NamedTuple):
    """A key that the file's directories must name: an authority's, or that of its centre."""

    authority: UUID
    kid: str
    for_centre: bool


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
        own, key = require_tenant().authority_id, keystore.signing_key()
        file = evidence.write(
            Bundle(
                case_id=case.id,
                case_reference=case.reference,
                exported_at=clock.now(),
                exported_by=own,
                umbrella_keys=settings.AMTSBRUECKE.umbrella_keys,
                snapshots=_snapshots({_Signer(own, key.kid, for_centre=False), *_signers(letters)}),
                letters=letters,
            ),
            by=key,
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


def _snapshots(wanted: set[_Signer]) -> tuple[bytes, ...]:
    """Return the newest directory, and older ones as far as it has dropped a signer's key."""
    newest = selectors.signed_snapshot()
    if newest is None:
        return ()
    version, signed = newest
    chosen = [signed]
    missing = {signer for signer in wanted if not _names(selectors.current(), signer)}
    while missing and version > 1:
        version -= 1
        older = selectors.signed_snapshot(version)
        if older is None:
            continue
        directory = Directory(encoding.read_trusted(older[1]), digest="")
        named = {signer for signer in missing if _names(directory, signer)}
        if named:
            chosen.append(older[1])
        missing -= named
    return tuple(chosen)


def _signers(letters: Sequence[LetterPart]) -> Iterator[_Signer]:
    for part in letters:
        carried = read_outer(part.item)
        yield _Signer(carried.signer, carried.kid, for_centre=False)
        if part.receipt is not None:
            yield _Signer(carried.read().recipient, part.receipt.receipt.kid, for_centre=True)


def _names(directory: Directory, signer: _Signer) -> bool:
    if not signer.for_centre:
        return directory.verify_key(signer.authority, signer.kid) is not None
    authority = directory.authority(signer.authority)
    return (
        authority is not None
        and directory.receipt_key(authority.home_centre, signer.kid) is not None
    )
