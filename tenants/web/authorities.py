"""Which authorities a clerk may choose from, and why."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from centre.directory import selectors
from centre.directory.competence import Candidate
from centre.directory.errors import DirectoryMissing
from centre.directory.records import AuthorityRecord
from centre.tenancy.context import require_tenant
from tenants.web.phrases import in_words, say

_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Authorities to choose from, and how the directory came to them."""

    reason: str
    #: Nobody was found, or several: somebody has to do something.
    needs_care: bool
    candidates: tuple[Candidate, ...] = ()
    chosen: AuthorityRecord | None = None


def choices(*, postcode: str, place: str, search: str, chosen: UUID | None) -> Choices:
    """Return the competent authorities for an address, or those whose name matches a search.

    The one competent authority is taken as chosen, unless somebody chose before.
    """
    directory = selectors.present()
    if directory is None:
        return Choices(reason=in_words(DirectoryMissing()), needs_care=True)
    picked = directory.authority(chosen) if chosen else None
    if search:
        found = directory.search(search, limit=_MOST)
        candidates = tuple(Candidate(authority=each, reason="") for each in found)
        reason = _("Suche nach „%(name)s“") % {"name": search}
        if not candidates:
            reason = _("Keine angeschlossene Behörde heißt „%(name)s“.") % {"name": search}
    elif postcode or place:
        resolution = directory.resolve(postcode=postcode, place=place)
        candidates = resolution.candidates
        reason = f"{resolution.reason} {say(resolution.advice)}".strip()
        picked = picked or resolution.authority
    else:
        candidates = ()
        reason = _(
            "Tragen Sie beim Schuldner Postleitzahl und Ort ein: daraus ergibt sich die zuständige "
            "Behörde."
        )
    own = require_tenant().authority_id
    others = tuple(each for each in candidates if each.authority.id != own)
    if picked is not None and picked.id not in {each.authority.id for each in others}:
        others = (Candidate(authority=picked, reason=_("zuvor gewählt")), *others)
    if picked is not None and picked.id == own:
        reason = _(
            "Der Schuldner wohnt in Ihrer eigenen Kommune: Sie brauchen niemanden zu ersuchen."
        )
        picked, others = None, tuple(each for each in others if each.authority.id != own)
    return Choices(reason=reason, needs_care=picked is None, candidates=others, chosen=picked)
