"""The log tells the state: where a case stands, worked out anew from its messages. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from tenants.cases import lifecycle
from tenants.cases.graph import Kind, Side, State, Verb
from tenants.cases.lifecycle import Standing, take


class Fate(StrEnum):
    """What became of a message, as far as it matters here."""

    OPEN = "open"
    ARRIVED = "arrived"
    FAILED = "failed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A message in one side's log. `fate` counts for those that the side sent itself."""

    message_id: UUID
    kind: Kind
    sent: bool
    fate: Fate = Fate.OPEN
    #: The query that an answer answers.
    query_id: UUID | None = None
    #: The message that this one says again: what it does here was done by that one.
    repeats: UUID | None = None


def replay(side: Side, log: Iterable[Logged], *, ended_alone: bool = False) -> Standing:
    """Return where a case stands by its log. Raises `StepNotPossible` if that is broken.

    That a request failed is known after what was sent behind it, so it takes effect last. No
    message tells of an end without the other side: `ended_alone`, after which nothing counts.
    """
    standing = Standing(side=side, state=State.DRAFT if side is Side.REQUESTING else None)
    fate = Fate.OPEN
    for each in log:
        if not each.sent:
            standing = lifecycle.receive(
                standing, each.kind, message_id=each.message_id, query_id=each.query_id
            )
        elif each.kind is Kind.ASSISTANCE_REQUEST:
            standing = _requested(standing, each, before=fate)
            fate = each.fate
        else:
            standing = _sent(standing, each)
    if ended_alone:
        return take(standing, lifecycle.end_alone(side))
    if _has_failed(fate) and standing.state in lifecycle.step(Verb.FAIL).paths:
        standing = take(standing, Verb.FAIL)
    return take(standing, Verb.GIVE_UP) if fate is Fate.GIVEN_UP else standing


def _has_failed(fate: Fate) -> bool:
    return fate in {Fate.FAILED, Fate.GIVEN_UP}


def _requested(standing: Standing, request: Logged, *, before: Fate) -> Standing:
    if _has_failed(before):
        standing = take(take(standing, Verb.FAIL), Verb.RESUBMIT)
    else:
        standing = take(standing, Verb.SUBMIT)
    return take(standing, Verb.DELIVER) if request.fate is Fate.ARRIVED else standing


def _sent(standing: Standing, message: Logged) -> Standing:
    if message.repeats:
        anew = standing.query_id == message.repeats
        return replace(standing, query_id=message.message_id) if anew else standing
    recalled = message.kind is Kind.WITHDRAWAL and standing.state is State.WITHDRAWING
    # A recall repeats a withdrawal that was given up with its request.
    if recalled or message.kind is Kind.REGISTRATION:
        return standing
    return take(standing, lifecycle.SENDERS[message.kind], query_id=message.message_id)
