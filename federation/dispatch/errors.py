"""What ends the work on a link."""

from centre.kernel.errors import AmtsbrueckeError


class DispatchError(AmtsbrueckeError):
    """A link cannot go on as it is."""

    reason = "DISPATCH"


class FenceLost(DispatchError):
    """Another process owns this link now. What we wanted to write was not written."""

    reason = "FENCE_LOST"


class PeerFault(DispatchError):
    """The peer has broken the protocol. A person is told; the link backs off."""

    reason = "PEER_FAULT"


class ReceiptInvalid(PeerFault):
    """A receipt does not fit what was sent, or its signature does not hold."""

    reason = "RECEIPT_INVALID"


class Unreachable(DispatchError):
    """The peer cannot be called: it is suspended, unknown or not what it should be."""

    reason = "UNREACHABLE"
