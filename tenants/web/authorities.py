"""Which authorities a clerk may choose from, and why."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from centre.directory import selectors
from centre.directory.records import AuthorityRecord
from centre.tenancy.context import require_tenant

_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Authorities to choose from; `outcome` says how the directory came to them."""

    outcome: str
    found: tuple[AuthorityRecord, ...]
    chosen: AuthorityRecord | None = None

    @property
    def offered(self) -> tuple[AuthorityRecord, ...]:
        """Return the chosen authority first, then the others."""
        if self.chosen is None:
            return self.found
        others = tuple(record for record in self.found if record.id != self.chosen.id)
        return (self.chosen, *others)


def choices(
    *, postcode: str, place: str, search: str, chosen: UUID | None, today: date
) -> Choices:
    """Return the competent authorities for an address, or those whose name matches a search.

    The one competent authority is taken as chosen, unless somebody chose before.
    """
    directory = selectors.current()
    own = require_tenant().authority_id
    if search:
        outcome = "search"
        found = tuple(record for record in directory.search(search, _MOST) if record.id != own)
    elif postcode or place:
        resolution = directory.resolve(postcode=postcode, place=place, on=today)
        outcome = str(resolution.outcome)
        found = tuple(record for record in resolution.candidates if record.id != own)
    else:
        outcome, found = "nothing_asked", ()
    picked = directory.authority(chosen) if chosen else None
    if picked is None and outcome == "unique" and len(found) == 1:
        picked = found[0]
    return Choices(outcome=outcome, found=found, chosen=picked)
