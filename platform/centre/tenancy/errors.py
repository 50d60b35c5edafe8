"""What tenancy refuses."""

from centre.kernel.errors import AmtsbrueckeError


class TenancyError(AmtsbrueckeError):
    """The tenancy rules of this centre forbid this."""

    reason = "TENANCY"


class WrongTenant(TenancyError):  # noqa: N818 -- the name under which the whole house knows it
    """Something of one tenant met another tenant. Nothing was read or written."""

    reason = "WRONG_TENANT"


class TenantRequired(TenancyError):  # noqa: N818
    """This needs a tenant: enter `tenant_scope` first."""

    reason = "TENANT_REQUIRED"
