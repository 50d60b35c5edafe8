"""What tenancy refuses."""

from centre.kernel.errors import AmtsbrueckeError


class TenancyError(AmtsbrueckeError):
    """The tenancy rules of this centre forbid this."""

    reason = "TENANCY"


class WrongTenant(TenancyError):
    """Something of one tenant met another tenant. Nothing was read or written."""

    reason = "WRONG_TENANT"


class TenantRequired(TenancyError):
    """This needs a tenant: enter `tenant_scope` first."""

    reason = "TENANT_REQUIRED"
