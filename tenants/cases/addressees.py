"""Whom a letter can be sent to."""

from uuid import UUID

from centre.directory.interface import Directory
from centre.directory.records import ACTIVE
from tenants.cases.words import Words


def unreachable(directory: Directory, authority_id: UUID) -> str:
    """Return in German why nothing can be sent to an authority now; empty if it can."""
    authority = directory.authority(authority_id)
    if authority is None or authority.state != ACTIVE:
        return "Diese Behörde nimmt zurzeit nicht teil."
    if directory.seal_key(authority_id) is None:
        return Words(
            "Für %(name)s nennt das Verzeichnis keinen gültigen Schlüssel.", name=authority.name
        )
    return ""
