"""What keeps the gateway from serving."""

from centre.kernel.errors import AmtsbrueckeError


class GatewayError(AmtsbrueckeError):
    """The gateway cannot serve."""

    reason = "GATEWAY"


class AddressOccupied(GatewayError):
    """The gateway's address is in use."""

    reason = "ADDRESS_OCCUPIED"
