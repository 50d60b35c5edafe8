from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from centre.kernel.errors import AmtsbrueckeError
from federation.protocol.reasons import Reason

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class FederationError(AmtsbrueckeError):
    """The federation refuses something."""

    reason = "FEDERATION_ERROR"


class MessageInvalid(FederationError):
    """This message cannot be posted as it is."""

    reason = "MESSAGE_INVALID"


class MessageUnprocessable(FederationError):
    """A delivered message can never have its effect here.

    Raised by handlers with a reason for machines and a text for people; the message is parked, and
    its sender is told both.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text, reason=reason)


class Refusal(FederationError):
    """Something a peer sent is refused, for one of the reasons of the protocol.

    `retry_delay` (seconds) tells when to come again; `metadata` holds facts for machines, never
    content.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_delay: float | None = None,
        metadata: Mapping[str, str] = _NOTHING,
    ) -> None:
        super().__init__(message, reason=reason.value)
        self.why = reason
        self.retry_delay = retry_delay
        self.metadata = metadata


class CallRefused(Refusal):
    """A call, or a stream, ends with an error."""


class ItemRefused(Refusal):
    """One item of a batch is not accepted; the others are not touched by it."""


class ReceiptInvalid(FederationError):
    """A receipt does not state what was sent, or was not given by whom it should."""

    reason = "RECEIPT_INVALID"


class EvidenceInvalid(FederationError):
    """This file is no evidence that can be read."""

    reason = "EVIDENCE_INVALID"
