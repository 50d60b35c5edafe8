"""Whether the other authority of a case has left the directory, and what came of that."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from centre.directory import selectors as directory
from centre.tenancy import binary
from tenants.cases import lifecycle
from tenants.cases.graph import Kind, Side, State
from tenants.cases.models import Case, CaseEvent, CaseMessage, Direction, Outcome
from tenants.cases.selectors.deliveries import TITLES

# From one to the next along the index: costs what the authorities cost, not the cases.
_OTHERS: Final = """
WITH RECURSIVE other AS (
    (SELECT other_authority AS id FROM cases_case
      WHERE other_authority IS NOT NULL ORDER BY other_authority LIMIT 1)
    UNION ALL
    SELECT (SELECT other_authority FROM cases_case WHERE other_authority > other.id
             ORDER BY other_authority LIMIT 1)
      FROM other WHERE other.id IS NOT NULL
)
SELECT id FROM other WHERE id IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """The directory does not name the other authority: nothing reaches it any more."""

    #: Our first message that did not get there, and of when it is; empty where all others did.
    first_title: str = ""
    first_at: datetime | None = None


def is_absent(case: Case) -> bool:
    """Return whether there is a directory here and it does not name the other authority."""
    known = directory.present()
    if case.other_authority is None or known is None:
        return False
    return known.authority(case.other_authority) is None


def absent_authorities() -> frozenset[UUID]:
    """Return the other authorities of all cases here that have left the directory."""
    known = directory.present()
    if known is None:
        return frozenset()
    return frozenset(each for (each,) in binary.run(_OTHERS, []) if known.authority(each) is None)


def of_case(case: Case) -> Absence | None:
    """Return the absence of the other authority as long as the case is open; None if it is there.

    Costs a query only where it is absent.
    """
    if State(case.state) in lifecycle.FINAL[Side(case.side)]:
        return None
    if case.other_authority is None or not is_absent(case):
        return None
    lost = CaseMessage.objects.filter(
        case=case,
        direction=Direction.OUT,
        other_authority=case.other_authority,
        outcome=Outcome.FAILED,
    )
    first = lost.only("kind", "created_at").order_by("number").first()
    if first is None:
        return Absence()
    return Absence(first_title=TITLES[Kind(first.kind)], first_at=first.created_at)


def ended_alone(case: Case) -> bool:
    """Return whether the case was ended here without the other authority.

    No message tells of it, so the timeline does. Costs a query only where the case is closed.
    """
    if case.state != State.CLOSED:
        return False
    verb = lifecycle.end_alone(Side(case.side))
    return CaseEvent.objects.filter(case=case, what=verb).exists()
