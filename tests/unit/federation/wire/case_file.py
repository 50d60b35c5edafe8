"""The file of a case as evidence, its letters, and the directory that proves it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from centre.directory import encoding
from centre.directory.records import (
    SEAL,
    SIGN,
    AuthorityRecord,
    CentreRecord,
    PublicKey,
    Snapshot,
)
from centre.kernel.ids import new_id
from centre.keys.seal import SealPrivateKey, SealSuite
from centre.keys.sign import SigningKey
from federation.protocol import receipts
from federation.protocol.messages import MessageKind, OutboundMessage
from federation.protocol.receipts import GENESIS, Sent
from federation.wire import evidence, examination
from federation.wire.envelope import opening_of, write_letters
from federation.wire.evidence import Bundle, LetterPart, ReceiptPart
from federation.wire.examination import Verdict
from federation.wire.receipt import sign_receipt

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UMBRELLA, KRZ, NORD = (SigningKey.from_bytes(bytes([n]) * 32) for n in (1, 2, 3))
MINDEN, KIEL, BONN = (SigningKey.from_bytes(bytes([n]) * 32) for n in (4, 5, 6))
SUCCESSOR = SigningKey.from_bytes(bytes([7]) * 32)
SEALING = SealPrivateKey.generate(SealSuite.CLASSICAL)
MINDEN_ID, KIEL_ID, BONN_ID, CASE = uuid4(), uuid4(), uuid4(), uuid4()
REFERENCE = "05770024-2026-1"
CONTENT = f"{REFERENCE}: who owes what".encode()


def sign_key(key: SigningKey) -> PublicKey:
    return PublicKey(
        kid=key.kid, purpose=SIGN, suite="Ed25519", raw=key.verify_key.raw, not_before=NOW
    )


DIRECTORY = Snapshot(
    version=4,
    published_at=NOW,
    expires_at=NOW + timedelta(days=7),
    centres=(
        CentreRecord(id="krz", name="krz", endpoint="a:1", keys=(sign_key(KRZ),)),
        CentreRecord(id="nord", name="nord", endpoint="b:1", keys=(sign_key(NORD),)),
    ),
    authorities=(
        AuthorityRecord(id=MINDEN_ID, name="Minden", home_centre="krz", keys=(sign_key(MINDEN),)),
        AuthorityRecord(id=BONN_ID, name="Bonn", home_centre="krz", keys=(sign_key(BONN),)),
        AuthorityRecord(
            id=KIEL_ID,
            name="Kiel",
            home_centre="nord",
            keys=(
                sign_key(KIEL),
                PublicKey(
                    kid=SEALING.kid,
                    purpose=SEAL,
                    suite=SEALING.suite,
                    raw=SEALING.public.raw,
                    not_before=NOW,
                ),
            ),
        ),
    ),
)
SNAPSHOT = encoding.sign_snapshot(DIRECTORY, by=UMBRELLA)


def letter(
    *,
    by: SigningKey = MINDEN,
    origin: str = "krz",
    case: UUID = CASE,
    issuer: SigningKey = NORD,
    issuer_id: str = "nord",
    receipt_for: str = "",
    verdict: receipts.Verdict = receipts.ACCEPTED,
    number: int = 1,
    content: bytes = CONTENT,
    together: bool = False,
    issued_at: datetime = NOW,
) -> LetterPart:
    """A letter from Minden to Kiel among nine others in its receipt."""
    message = OutboundMessage(
        message_id=new_id(),
        recipient=KIEL_ID,
        case_id=case,
        case_sequence=number,
        kind=MessageKind.ASSISTANCE_REQUEST,
        schema_version=1,
        payload=content,
        expires_at=NOW + timedelta(days=30),
        blobs=(),
        traceparent="",
    )
    written, _ = write_letters(
        [message, replace(message, message_id=new_id(), case_id=new_id())],
        [SEALING.public] * 2,
        origin_centre=origin,
        sender=MINDEN_ID,
        created_at=NOW,
        by=by,
        together=together,
    )
    items = [(Sent(new_id(), bytes([n]) * 32), receipts.ACCEPTED) for n in range(9)]
    items.insert(5, (Sent(message.message_id, written.digest), verdict))
    body, leaves = receipts.compose(
        issuer=issuer_id,
        origin=receipt_for or origin,
        first_lseq=100,
        items=items,
        prev_hash=GENESIS,
        issued_at=issued_at,
    )
    return LetterPart(
        item=written.item,
        receipt=ReceiptPart(
            lseq=105,
            receipt=sign_receipt(body, by=issuer),
            path=receipts.proof(leaves, index=5),
        ),
        opening=opening_of(message.message_id, by=by),
        content=content,
    )


def bundle(
    *letters: LetterPart,
    reference: str = REFERENCE,
    snapshots: tuple[bytes, ...] = (SNAPSHOT,),
    umbrella: tuple[SigningKey, ...] = (UMBRELLA,),
    exporter: UUID = MINDEN_ID,
    by: SigningKey = MINDEN,
) -> bytes:
    return evidence.write(
        Bundle(
            case_id=CASE,
            case_reference=reference,
            exported_at=NOW,
            exported_by=exporter,
            umbrella_keys=tuple(key.verify_key.raw for key in umbrella),
            snapshots=snapshots,
            letters=letters,
        ),
        by=by,
    )


def reference_in(kind: MessageKind, schema_version: int, content: bytes) -> str | None:
    assert (kind, schema_version) == (MessageKind.ASSISTANCE_REQUEST, 1)
    reference, colon, _ = content.decode().partition(":")
    return reference if colon else None


def examine(file: bytes, *umbrella: SigningKey) -> Verdict:
    return examination.verify(
        file,
        umbrella_keys=[key.verify_key.raw for key in umbrella],
        reference_in=reference_in,
    )


GOOD = letter()
FILE = bundle(GOOD)
