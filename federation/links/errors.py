"""What goes wrong on the way to another centre."""

from centre.kernel.errors import AmtsbrueckeError


class LinkError(AmtsbrueckeError):
    """The way to another centre is not usable now."""

    reason = "LINK"


class ChannelClosed(LinkError):
    """Our own side has closed the channel under the call."""

    reason = "CHANNEL_CLOSED"


class CredentialsUnreadable(LinkError):
    """The certificate, its key or the federation's authority cannot be read."""

    reason = "CREDENTIALS_UNREADABLE"


class TlsUnsafe(LinkError):
    """gRPC was imported before `federation` and would speak TLS 1.2: import `federation` first."""

    reason = "TLS_UNSAFE"


class Unreached(LinkError):
    """Nobody answers at the centre's endpoint, or nobody that the federation vouches for."""

    reason = "UNAVAILABLE"


class ServerUnknown(LinkError):
    """Who answers at the centre's endpoint is not whom the directory names. Nothing was sent."""

    reason = "SERVER_CERTIFICATE_UNKNOWN"
