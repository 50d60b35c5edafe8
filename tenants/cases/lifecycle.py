"""The life of a full enforcement request: who may do what, when, and what the other side is told.

Two tables say everything. `STEPS` holds what one side does by itself: from which states a step is
possible, who takes it, where it leads and which message it sends. `RECEPTIONS` holds what a
message of the other side does, in every state in which it can arrive. Both sides run the same
tables on their own copy of the case, so nobody needs to see the other's database.

Messages cross. What then holds was decided so that both sides end alike (`docs/adr/0007`):

- A withdrawal beats everything but a completed request: an acceptance, a query or a refusal that
  meets a pending withdrawal changes nothing, and a withdrawal that meets a refusal is confirmed.
  Only when the other authority was done first does the case stay completed.
- An answer counts only for the query that is open: one that comes after the decision is kept in
  the file and changes nothing.
- A request that was given up as undeliverable and arrived after all is withdrawn at once.
- A side whose other authority has left the directory ends the case alone, from any state in which
  it would wait or write for ever. Nothing is sent, and what comes after all is sent back.

The tables are checked when this module is imported; an unreachable state, a dead end or a message
that nobody expects is an error of the program.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tenants.cases.errors import StepNotPossible
from tenants.cases.graph import Graph, Kind, Party, Reception, Side, State, Step, Verb
from tenants.cases.words import Words

_R, _E = Side.REQUESTING, Side.REQUESTED
_OPEN: Final = (
    State.REGISTERED,
    State.QUERIED,
    State.ACCEPTED,
    State.ACCEPTED_QUERIED,
)
#: Where the way to the end leads over the other side.
_UNENDED: Final = (*_OPEN, State.WITHDRAWING, State.REFUSED, State.COMPLETED, State.WITHDRAWN)


def _to(target: State, *sources: State | None) -> dict[State | None, State]:
    return dict.fromkeys(sources, target)


def _noted(*states: State) -> dict[State | None, State]:
    return {state: state for state in states}


STEPS: Final = (
    Step(
        Verb.SUBMIT, _R, Party.REQUESTING_CLERK,
        _to(State.SUBMITTED, State.DRAFT),
        Kind.ASSISTANCE_REQUEST, "Ersuchen absenden",
    ),
    Step(
        Verb.DELIVER, _R, Party.SYSTEM,
        _to(State.DELIVERED, State.SUBMITTED, State.UNDELIVERABLE),
        None, "Zustellung quittiert",
    ),
    Step(
        Verb.FAIL, _R, Party.SYSTEM,
        _to(State.UNDELIVERABLE, State.SUBMITTED, State.DELIVERED)
        | _to(State.GIVEN_UP, State.WITHDRAWING),
        None, "Unzustellbar",
    ),
    Step(
        Verb.RESUBMIT, _R, Party.REQUESTING_CLERK,
        _to(State.SUBMITTED, State.UNDELIVERABLE),
        Kind.ASSISTANCE_REQUEST, "Berichtigen und erneut senden",
    ),
    Step(
        Verb.GIVE_UP, _R, Party.REQUESTING_CLERK,
        _to(State.GIVEN_UP, State.UNDELIVERABLE),
        None, "Aufgeben",
    ),
    Step(
        Verb.RECALL, _R, Party.SYSTEM,
        _to(State.WITHDRAWING, State.GIVEN_UP),
        Kind.WITHDRAWAL, "Doch noch angekommen: zurücknehmen",
    ),
    Step(
        Verb.REGISTER, _E, Party.SYSTEM,
        _to(State.REGISTERED, None),
        Kind.REGISTRATION, "Eingang bestätigen",
    ),
    Step(
        Verb.ACCEPT, _E, Party.REQUESTED_CLERK,
        _to(State.ACCEPTED, State.REGISTERED, State.QUERIED),
        Kind.ACCEPTANCE, "Annehmen",
    ),
    Step(
        Verb.REFUSE, _E, Party.REQUESTED_CLERK,
        _to(State.REFUSED, State.REGISTERED, State.QUERIED),
        Kind.REFUSAL, "Ablehnen",
    ),
    Step(
        Verb.ASK, _E, Party.REQUESTED_CLERK,
        _to(State.QUERIED, State.REGISTERED) | _to(State.ACCEPTED_QUERIED, State.ACCEPTED),
        Kind.QUERY, "Rückfrage stellen",
    ),
    Step(
        Verb.ANSWER, _R, Party.REQUESTING_CLERK,
        _to(State.REGISTERED, State.QUERIED) | _to(State.ACCEPTED, State.ACCEPTED_QUERIED),
        Kind.ANSWER, "Rückfrage beantworten",
    ),
    Step(
        Verb.COMPLETE, _E, Party.REQUESTED_CLERK,
        _to(State.COMPLETED, State.ACCEPTED, State.ACCEPTED_QUERIED),
        Kind.COMPLETION, "Erledigung melden",
    ),
    Step(
        Verb.WITHDRAW, _R, Party.REQUESTING_CLERK,
        _to(State.WITHDRAWING, State.SUBMITTED, State.DELIVERED, *_OPEN),
        Kind.WITHDRAWAL, "Zurücknehmen",
    ),
    Step(
        Verb.CONFIRM_WITHDRAWAL, _E, Party.REQUESTED_CLERK,
        _to(State.WITHDRAWN, State.WITHDRAWING),
        Kind.WITHDRAWAL_CONFIRMATION, "Rücknahme bestätigen",
    ),
    Step(
        Verb.CLOSE, _R, Party.REQUESTING_CLERK,
        _to(State.CLOSED, State.REFUSED, State.COMPLETED, State.WITHDRAWN),
        Kind.CLOSURE, "Vorgang abschließen",
    ),
    Step(
        Verb.END_REQUEST, _R, Party.REQUESTING_CLERK,
        _to(State.CLOSED, State.DELIVERED, *_UNENDED),
        None, "Ohne die andere Behörde abschließen", alone=True,
    ),
    Step(
        Verb.END_ASSISTANCE, _E, Party.REQUESTED_CLERK,
        _to(State.CLOSED, *_UNENDED),
        None, "Ohne die andere Behörde abschließen", alone=True,
    ),
)  # fmt: skip

RECEPTIONS: Final = (
    # At the requested authority
    Reception(
        Kind.ASSISTANCE_REQUEST, _E,
        # A second one is a correction: its sender took the first for undeliverable.
        _to(State.REGISTERED, None) | _noted(*_OPEN, State.REFUSED, State.COMPLETED),
        "Ersuchen eingegangen",
    ),
    Reception(
        Kind.ANSWER, _E,
        _to(State.REGISTERED, State.QUERIED)
        | _to(State.ACCEPTED, State.ACCEPTED_QUERIED)
        | _noted(State.ACCEPTED, State.REFUSED, State.COMPLETED),
        "Antwort eingegangen",
    ),
    Reception(
        Kind.WITHDRAWAL, _E,
        _to(State.WITHDRAWING, *_OPEN, State.REFUSED)
        | _noted(State.COMPLETED, State.WITHDRAWING, State.WITHDRAWN),
        "Rücknahme eingegangen",
    ),
    Reception(
        Kind.CLOSURE, _E,
        _to(State.CLOSED, State.REFUSED, State.COMPLETED, State.WITHDRAWN),
        "Vorgang durch die ersuchende Behörde abgeschlossen",
    ),
    # At the requesting authority
    Reception(
        Kind.REGISTRATION, _R,
        _to(State.REGISTERED, State.SUBMITTED, State.UNDELIVERABLE, State.DELIVERED)
        | _noted(State.WITHDRAWING),
        "Eingang bestätigt",
    ),
    Reception(
        Kind.ACCEPTANCE, _R,
        _to(State.ACCEPTED, State.REGISTERED, State.QUERIED) | _noted(State.WITHDRAWING),
        "Ersuchen angenommen",
    ),
    Reception(
        Kind.REFUSAL, _R,
        _to(State.REFUSED, State.REGISTERED, State.QUERIED) | _noted(State.WITHDRAWING),
        "Ersuchen abgelehnt",
    ),
    Reception(
        Kind.QUERY, _R,
        _to(State.QUERIED, State.REGISTERED)
        | _to(State.ACCEPTED_QUERIED, State.ACCEPTED)
        | _noted(State.WITHDRAWING),
        "Rückfrage eingegangen",
    ),
    Reception(
        Kind.COMPLETION, _R,
        _to(State.COMPLETED, State.ACCEPTED, State.ACCEPTED_QUERIED, State.WITHDRAWING),
        "Erledigung gemeldet",
    ),
    Reception(
        Kind.WITHDRAWAL_CONFIRMATION, _R,
        _to(State.WITHDRAWN, State.WITHDRAWING),
        "Rücknahme bestätigt",
    ),
)  # fmt: skip

STARTS: Final = MappingProxyType({_R: State.DRAFT, _E: State.REGISTERED})
FINAL: Final = MappingProxyType(
    {_R: frozenset({State.CLOSED, State.GIVEN_UP}), _E: frozenset({State.CLOSED})}
)

_LABELS: Final[Mapping[State, tuple[str, str]]] = MappingProxyType({
    State.DRAFT: ("Entwurf", ""),
    State.SUBMITTED: ("Abgesandt, noch nicht zugestellt", ""),
    State.UNDELIVERABLE: ("Unzustellbar", ""),
    State.DELIVERED: ("Zugestellt", ""),
    State.REGISTERED: ("Eingang bestätigt, in Prüfung", "Neu, zu prüfen"),
    State.QUERIED: ("Rückfrage zu beantworten", "Rückfrage gestellt"),
    State.ACCEPTED: ("Angenommen, in Vollstreckung", "Angenommen, in Vollstreckung"),
    State.ACCEPTED_QUERIED: (
        "Angenommen, Rückfrage zu beantworten", "Angenommen, Rückfrage gestellt",
    ),
    State.WITHDRAWING: ("Rücknahme läuft", "Rücknahme zu bestätigen"),
    State.REFUSED: ("Abgelehnt", "Abgelehnt"),
    State.COMPLETED: ("Erledigt", "Erledigt gemeldet"),
    State.WITHDRAWN: ("Zurückgenommen", "Zurückgenommen"),
    State.GIVEN_UP: ("Aufgegeben (unzustellbar)", ""),
    State.CLOSED: ("Abgeschlossen", "Abgeschlossen"),
})  # fmt: skip

GRAPH: Final = Graph(steps=STEPS, receptions=RECEPTIONS, starts=STARTS, final=FINAL, labels=_LABELS)
GRAPH.check()

#: Our own steps as a timeline tells them, afterwards.
DONE: Final[Mapping[Verb, str]] = MappingProxyType({
    Verb.SUBMIT: "Ersuchen abgesandt",
    Verb.DELIVER: "Zustellung quittiert",
    Verb.FAIL: "Unzustellbar",
    Verb.RESUBMIT: "Ersuchen berichtigt und erneut abgesandt",
    Verb.GIVE_UP: "Ersuchen aufgegeben",
    Verb.RECALL: "Doch noch angekommen, daher zurückgenommen",
    Verb.REGISTER: "Eingang bestätigt",
    Verb.ACCEPT: "Ersuchen angenommen",
    Verb.REFUSE: "Ersuchen abgelehnt",
    Verb.ASK: "Rückfrage gestellt",
    Verb.ANSWER: "Rückfrage beantwortet",
    Verb.COMPLETE: "Erledigung gemeldet",
    Verb.WITHDRAW: "Ersuchen zurückgenommen",
    Verb.CONFIRM_WITHDRAWAL: "Rücknahme bestätigt",
    Verb.CLOSE: "Vorgang abgeschlossen",
    Verb.END_REQUEST: "Vorgang ohne die andere Behörde abgeschlossen",
    Verb.END_ASSISTANCE: "Vorgang ohne die andere Behörde abgeschlossen",
})  # fmt: skip

#: The step that sends a kind, where one does.
SENDERS: Final = MappingProxyType({
    row.sends: row.verb
    for row in STEPS
    if row.sends and row.verb not in {Verb.RESUBMIT, Verb.RECALL}
})  # fmt: skip
_STEPS: Final = MappingProxyType({step.verb: step for step in STEPS})
_VERBS: Final = frozenset(Verb)
_ALONE: Final = MappingProxyType({step.side: step.verb for step in STEPS if step.alone})
_RECEPTIONS: Final = MappingProxyType({reception.kind: reception for reception in RECEPTIONS})
_QUERIED: Final = frozenset({State.QUERIED, State.ACCEPTED_QUERIED})


class MessageUnexpected(StepNotPossible):
    """A message came that the other side could not send in this state."""

    reason = "MESSAGE_UNEXPECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that decides what may happen next."""

    side: Side
    #: None before the first message.
    state: State | None = None
    #: The query that waits for its answer.
    query_id: UUID | None = None


def label(state: State, side: Side) -> str:
    """Return the words for a state as a side's clerk reads them."""
    return GRAPH.label(state, side)


def step(verb: Verb) -> Step:
    """Return the row of a verb."""
    return _STEPS[verb]


def done(what: str) -> str:
    """Return the words for a step that was taken, or nothing if `what` is no step of ours."""
    return DONE.get(Verb(what), "") if what in _VERBS else ""


def is_automatic(what: str) -> bool:
    """Say whether a step is taken by the program itself."""
    return what in _VERBS and _STEPS[Verb(what)].by is Party.SYSTEM


def reception(kind: Kind) -> Reception:
    """Return the row of a message kind."""
    return _RECEPTIONS[kind]


def possible(standing: Standing, *, by: Party, alone: bool = False) -> tuple[Step, ...]:
    """Return the steps that a party may take now; `alone` once the other authority is gone."""
    return tuple(
        row
        for row in STEPS
        if row.side is standing.side
        and row.by is by
        and standing.state in row.paths
        and (alone or not row.alone)
    )


def end_alone(side: Side) -> Verb:
    """Return the step by which a side ends a case whose other authority is gone."""
    return _ALONE[side]


def take(standing: Standing, verb: Verb, *, query_id: UUID | None = None) -> Standing:
    """Return where a case stands after a step. `query_id` names the query that `ASK` sends.

    Raises `StepNotPossible` if the step is not possible now.
    """
    row = _STEPS[verb]
    if row.side is not standing.side or standing.state not in row.paths:
        now = label(standing.state, standing.side) if standing.state else "neu"
        raise StepNotPossible(
            Words(
                "„%(step)s“ ist nicht möglich: Der Vorgang steht auf „%(state)s“.",
                step=Words(row.label),
                state=Words(now),
            )
        )
    return _at(standing, row.paths[standing.state], query_id)


def receive(
    standing: Standing, kind: Kind, *, message_id: UUID, query_id: UUID | None = None
) -> Standing:
    """Return where a case stands after a message of the other side.

    `query_id` names the query that an answer answers. Raises `MessageUnexpected`.
    """
    row = _RECEPTIONS[kind]
    if row.side is not standing.side or standing.state not in row.paths:
        raise MessageUnexpected(f"A message {kind} cannot come in the state {standing.state}.")
    noted = row.paths[standing.state] is standing.state
    if noted or (kind is Kind.ANSWER and query_id != standing.query_id):
        return standing
    return _at(standing, row.paths[standing.state], message_id)


def _at(standing: Standing, state: State, query_id: UUID | None) -> Standing:
    if state not in _QUERIED:
        return replace(standing, state=state, query_id=None)
    return replace(standing, state=state, query_id=query_id)
