"""From a stored envelope to the message that a handler gets, and the answer if that fails."""

from datetime import timedelta

import structlog
from django.db import transaction

from centre.kernel import clock
from centre.kernel.errors import AmtsbrueckeError
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.keys.errors import KeyUnknown, SealBroken
from federation.inbox.claims import Claimed
from federation.inbox.models import InboundMessage as Row
from federation.outbox import services as outbox
from federation.protocol import limits
from federation.protocol.errors import ItemRefused, MessageUnprocessable
from federation.protocol.messages import UNORDERED, InboundMessage, MessageKind, OutboundMessage
from federation.protocol.notices import ProcessingFailureNotice
from federation.wire import notices
from federation.wire.envelope import open_payload, read_outer

_FAILURE_LIFETIME = timedelta(days=30)

log = structlog.get_logger(__name__)


def open_letter(row: Claimed) -> InboundMessage:
    """Open the seal with a key of the current tenant; raise `MessageUnprocessable` if none fits."""
    try:
        # The gateway has verified the signature over these bytes before it stored them.
        envelope = read_outer(row.envelope).read()
        payload = open_payload(envelope, key=keystore.seal_private_key(envelope.seal_kid))
    except (ItemRefused, KeyUnknown, SealBroken) as error:
        raise MessageUnprocessable(error.reason, error.message) from error
    return InboundMessage(
        message_id=envelope.message_id,
        origin_centre=row.origin,
        sender=envelope.sender,
        recipient=envelope.recipient,
        case_id=envelope.case_id,
        case_sequence=envelope.case_sequence,
        kind=envelope.kind,
        schema_version=envelope.schema_version,
        payload=payload,
        created_at=envelope.created_at,
        received_at=row.received_at,
        blobs=envelope.blobs,
        traceparent=envelope.traceparent,
    )


def answer_with_failure(row: Claimed | Row, *, reason: str, text: str) -> None:
    """Tell the sender that its message can have no effect here. Nobody answers such an answer.

    If the sender can no longer be written to, the alarm of the parked message has to do.
    """
    if row.kind == MessageKind.PROCESSING_FAILURE:
        return
    notice = ProcessingFailureNotice(
        message_id=row.id,
        reason=reason[: limits.MAX_NOTICE_REASON],
        text=text[: limits.MAX_NOTICE_TEXT],
    )
    answer = OutboundMessage(
        message_id=new_id(),
        recipient=row.sender,
        case_id=row.case_id,
        case_sequence=UNORDERED,
        kind=MessageKind.PROCESSING_FAILURE,
        schema_version=notices.SCHEMA_VERSION,
        payload=notices.write_processing_failure(notice),
        expires_at=clock.now() + _FAILURE_LIFETIME,
    )
    try:
        with transaction.atomic():
            outbox.post(messages=[answer])
    except AmtsbrueckeError as error:
        log.warning("failure not answered", message_id=str(row.id), reason=error.reason)
