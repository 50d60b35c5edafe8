"""Letters and receipts of the first release stay readable, and signatures given then hold for ever.

The golden files were written once with the fixed keys below. Never renew them: if one of these
tests fails, the code has changed what was promised, not the files.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from centre.keys.seal import SealPrivateKey, SealSuite
from centre.keys.sign import SigningKey
from federation.protocol import receipts
from federation.protocol.messages import BlobRef, MessageKind, OutboundMessage
from federation.protocol.reasons import Reason
from federation.wire import envelope, receipt

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=UTC)
AUTHORITY = SigningKey.from_bytes(bytes(range(32)))
CENTRE = SigningKey.from_bytes(bytes(range(32, 64)))
SEALS = {
    SealSuite.HYBRID: SealPrivateKey.from_bytes(SealSuite.HYBRID, bytes(range(96))),
    SealSuite.CLASSICAL: SealPrivateKey.from_bytes(SealSuite.CLASSICAL, bytes(range(32))),
}
SENDER = UUID("9a0c5a5e-7b0e-5d3c-8f43-0a0000000001")
MESSAGE = OutboundMessage(
    message_id=UUID("019ab0c0-0000-7000-8000-000000000001"),
    recipient=UUID("9a0c5a5e-7b0e-5d3c-8f43-0a0000000002"),
    case_id=UUID("019ab0c0-0000-7000-8000-000000000002"),
    case_sequence=1,
    kind=MessageKind.ASSISTANCE_REQUEST,
    schema_version=1,
    payload="Ersuchen um Vollstreckung über 1.234,56 €".encode(),
    expires_at=AT + timedelta(days=30),
    blobs=(BlobRef("ab" * 32, 262_160),),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def test_letters_of_the_first_release_open() -> None:
    for suite, key in SEALS.items():
        item = (GOLDEN / f"letter-{suite.name.lower()}.bin").read_bytes()
        carried = envelope.read_outer(item)
        carried.verify(AUTHORITY.verify_key)
        read = carried.read()
        assert (read.message_id, read.recipient, read.case_id, read.sender) == (
            MESSAGE.message_id,
            MESSAGE.recipient,
            MESSAGE.case_id,
            SENDER,
        )
        assert (read.kind, read.case_sequence, read.schema_version) == (MESSAGE.kind, 1, 1)
        assert (read.created_at, read.expires_at) == (AT, MESSAGE.expires_at)
        assert (read.origin_centre, read.blobs) == ("krz", MESSAGE.blobs)
        opening, payload = envelope.open_with_opening(read, key=key)
        assert payload == MESSAGE.payload
        assert opening == envelope.opening_of(MESSAGE.message_id, by=AUTHORITY)


def test_a_letter_that_was_signed_with_four_others_opens() -> None:
    """The last of five, whose way to the root is the shortest."""
    carried = envelope.read_outer((GOLDEN / "letter-together.bin").read_bytes())
    carried.verify(AUTHORITY.verify_key)
    assert carried.inclusion is not None
    assert (carried.inclusion.size, carried.inclusion.index) == (5, 4)
    key = SEALS[SealSuite.HYBRID]
    assert envelope.open_payload(carried.read(), key=key) == MESSAGE.payload


def test_receipts_of_the_first_release_hold() -> None:
    """Nothing in a receipt is random: today's code must write the very same bytes."""
    items = [
        (
            receipts.Sent(
                MESSAGE.message_id,
                envelope.read_outer((GOLDEN / "letter-hybrid.bin").read_bytes()).digest,
            ),
            receipts.ACCEPTED,
        ),
        (receipts.Sent(MESSAGE.message_id, bytes(32)), receipts.refused(Reason.MESSAGE_ID_REUSED)),
        (
            receipts.Sent(MESSAGE.case_id, bytes(32)),
            receipts.refused(Reason.BLOB_MISSING, retry_delay=timedelta(seconds=30)),
        ),
        (receipts.NOTHING, receipts.VOID),
    ]
    body, _ = receipts.compose(
        issuer="nord",
        origin="krz",
        first_lseq=41,
        items=items,
        prev_hash=receipts.GENESIS,
        issued_at=AT,
    )
    signed = receipt.sign_receipt(body, by=CENTRE)
    assert signed.body == (GOLDEN / "receipt-body.bin").read_bytes()
    assert signed.signature == (GOLDEN / "receipt-signature.bin").read_bytes()
    assert receipt.verify_receipt(signed, key=CENTRE.verify_key) == body
