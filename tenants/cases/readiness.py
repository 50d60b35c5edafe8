"""Whether a request can be sent now: what is in it, and to whom it goes."""

from collections.abc import Iterable
from uuid import UUID

from centre.directory import selectors as directory
from centre.directory.interface import Directory
from centre.directory.records import ACTIVE
from centre.kernel import clock
from centre.tenancy.context import require_tenant
from tenants.cases import validation
from tenants.cases.drafts import RequestDraft
from tenants.cases.faults import Fault
from tenants.cases.words import Words


def unreachable(known: Directory, authority_id: UUID) -> str:
    """Return in German why nothing can be sent to an authority now; empty if it can."""
    authority = known.authority(authority_id)
    if authority is None or authority.state != ACTIVE:
        return "Diese Behörde nimmt zurzeit nicht teil."
    if known.seal_key(authority_id) is None:
        return Words(
            "Für %(name)s nennt das Verzeichnis keinen gültigen Schlüssel.", name=authority.name
        )
    return ""


def what_is_missing(draft: RequestDraft) -> tuple[Fault, ...]:
    """Return all that keeps a draft of the current municipality from being sent now."""
    faults = validation.errors(validation.validate(draft, today=clock.today()))
    return faults + tuple(_addressee_faults(draft.requested_authority))


def _addressee_faults(authority_id: UUID | None) -> Iterable[Fault]:
    path, hint = "requested_authority", "Wählen Sie eine andere Behörde aus dem Verzeichnis."
    if authority_id is None:
        return
    if authority_id == require_tenant().authority_id:
        yield Fault(path=path, text="Das ist die eigene Behörde.", hint=hint)
    elif (known := directory.present()) is None:
        yield Fault(
            path=path,
            text="Das Behördenverzeichnis ist noch nicht geladen.",
            hint="Fragen Sie Ihr Rechenzentrum.",
        )
    elif words := unreachable(known, authority_id):
        yield Fault(path=path, text=words, hint=hint)
