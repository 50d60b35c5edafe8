"""Who may do what with cases.

The life cycle says what is possible in a state; here stands what a person's role allows. Processes
and operators act without a role: what they do is written in the program.
"""

from centre.kernel.actors import Actor, ActorKind
from tenants.cases.errors import NotAllowed
from tenants.cases.graph import Party, Side, Step
from tenants.cases.lifecycle import Standing, possible
from tenants.clerks import selectors as clerks
from tenants.clerks.roles import Role

_CLERKS = {Side.REQUESTING: Party.REQUESTING_CLERK, Side.REQUESTED: Party.REQUESTED_CLERK}


def may_read(by: Actor) -> bool:
    """Return whether somebody may see worklists and cases."""
    return _has(by, Role.READER)


def may_work(by: Actor) -> bool:
    """Return whether somebody may write drafts and take steps."""
    return _has(by, Role.CASEWORKER)


def may_see_danger(by: Actor) -> bool:
    """Return whether somebody may read hints of danger and blocked addresses."""
    return _has(by, Role.CASEWORKER)


def steps(by: Actor, standing: Standing, *, alone: bool) -> tuple[Step, ...]:
    """Return the steps that somebody may take now; `alone` once the other authority is gone."""
    return possible(standing, by=_CLERKS[standing.side], alone=alone) if may_work(by) else ()


def require_reader(by: Actor) -> None:
    """Raise `NotAllowed` unless somebody may read."""
    if not may_read(by):
        raise NotAllowed


def require_worker(by: Actor) -> None:
    """Raise `NotAllowed` unless somebody may write."""
    if not may_work(by):
        raise NotAllowed


def require_danger_sight(by: Actor) -> None:
    """Raise `NotAllowed` unless somebody may read all that a request says."""
    if not may_see_danger(by):
        raise NotAllowed


def _has(by: Actor, role: Role) -> bool:
    if by.kind != ActorKind.CLERK:
        return by.kind in {ActorKind.SYSTEM, ActorKind.OPERATOR}
    held = clerks.role_of(by.id)
    return held is not None and held.includes(role)
