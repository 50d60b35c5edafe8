"""The words of the life cycle, and what makes its tables legal. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from centre.kernel.errors import AmtsbrueckeError


class Side(StrEnum):
    REQUESTING = "requesting"
    REQUESTED = "requested"

    @property
    def other(self) -> "Side":
        return Side.REQUESTED if self is Side.REQUESTING else Side.REQUESTING


class State(StrEnum):
    """Where a case stands. Each municipality sees its own side."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    UNDELIVERABLE = "undeliverable"
    DELIVERED = "delivered"
    REGISTERED = "registered"
    QUERIED = "queried"
    ACCEPTED = "accepted"
    ACCEPTED_QUERIED = "accepted_queried"
    WITHDRAWING = "withdrawing"
    REFUSED = "refused"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    GIVEN_UP = "given_up"
    CLOSED = "closed"


class Party(StrEnum):
    """Who takes a step."""

    REQUESTING_CLERK = "requesting_clerk"
    REQUESTED_CLERK = "requested_clerk"
    #: The program, upon a receipt, its absence, or a letter that arrived.
    SYSTEM = "system"


class Kind(StrEnum):
    """The messages of a case; the words of `federation.protocol.messages.MessageKind`."""

    ASSISTANCE_REQUEST = "assistance_request"
    REGISTRATION = "registration"
    ACCEPTANCE = "acceptance"
    REFUSAL = "refusal"
    QUERY = "query"
    ANSWER = "answer"
    COMPLETION = "completion"
    CLOSURE = "closure"
    WITHDRAWAL = "withdrawal"
    WITHDRAWAL_CONFIRMATION = "withdrawal_confirmation"


class Verb(StrEnum):
    SUBMIT = "submit"
    RESUBMIT = "resubmit"
    GIVE_UP = "give_up"
    DELIVER = "deliver"
    FAIL = "fail"
    RECALL = "recall"
    REGISTER = "register"
    ACCEPT = "accept"
    REFUSE = "refuse"
    ASK = "ask"
    ANSWER = "answer"
    COMPLETE = "complete"
    WITHDRAW = "withdraw"
    CONFIRM_WITHDRAWAL = "confirm_withdrawal"
    CLOSE = "close"
    END_REQUEST = "end_request"
    END_ASSISTANCE = "end_assistance"


@dataclass(frozen=True, slots=True)
class Step:
    """A row of `STEPS`. `paths` maps each state in which the step is possible to the next."""

    verb: Verb
    side: Side
    by: Party
    paths: Mapping[State | None, State]
    sends: Kind | None
    #: What stands on the button and in the timeline.
    label: str
    #: Only for a case whose other authority has left the directory.
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """A row of `RECEPTIONS`: what a message does at `side`. A state that maps to itself: noted."""

    kind: Kind
    side: Side
    paths: Mapping[State | None, State]
    label: str


class GraphIllegal(AmtsbrueckeError):
    """The tables of the life cycle contradict themselves."""

    reason = "GRAPH_ILLEGAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Everything that is checked together."""

    steps: tuple[Step, ...]
    receptions: tuple[Reception, ...]
    starts: Mapping[Side, State]
    final: Mapping[Side, frozenset[State]]
    #: What the requesting and the requested side call a state; empty if it cannot be there.
    labels: Mapping[State, tuple[str, str]]

    def check(self) -> None:
        """Raise `GraphIllegal` with all that is wrong."""
        if faults := [*_faults(self), *(f for side in Side for f in _faults_of(side, self))]:
            raise GraphIllegal("; ".join(faults))

    def label(self, state: State, side: Side) -> str:
        """Return the words for a state as a side's clerk reads them."""
        return self.labels[state][0 if side is Side.REQUESTING else 1]


_CLERKS = {Side.REQUESTING: Party.REQUESTING_CLERK, Side.REQUESTED: Party.REQUESTED_CLERK}


def _faults(graph: Graph) -> Iterator[str]:
    verbs = [row.verb for row in graph.steps]
    if sorted(verbs) != sorted(Verb):
        yield "each verb needs exactly one row"
    kinds = [row.kind for row in graph.receptions]
    if sorted(kinds) != sorted(Kind):
        yield "each message kind needs exactly one row"
    expected = {(row.kind, row.side) for row in graph.receptions}
    sent = {(row.sends, row.side.other) for row in graph.steps if row.sends}
    yield from (f"nobody expects {kind} at {side}" for kind, side in sorted(sent - expected))
    yield from (f"nobody sends {kind} to {side}" for kind, side in sorted(expected - sent))
    for row in graph.steps:
        if row.by not in {Party.SYSTEM, _CLERKS[row.side]}:
            yield f"{row.verb}: {row.by} does not sit at the side {row.side}"
        if row.alone and row.sends:
            yield f"{row.verb}: nobody is there to read {row.sends}"


def _faults_of(side: Side, graph: Graph) -> Iterator[str]:
    rows: list[Step | Reception] = [*graph.steps, *graph.receptions]
    moves = {move for row in rows if row.side is side for move in row.paths.items()}
    reached: set[State | None] = {None, graph.starts[side]}
    while more := {target for source, target in moves if source in reached} - reached:
        reached |= more
    for source, target in sorted(moves, key=str):
        if source not in reached:
            yield f"{side}: {source} is a source but cannot be reached"
        if not graph.label(target, side):
            yield f"{side}: {target} has no words"
    leaving = {source for source, target in moves if source != target}
    dead_ends = {state for state in reached if state} - leaving - graph.final[side]
    if dead_ends:
        yield f"{side}: dead ends {sorted(dead_ends)}"
    if State.CLOSED in leaving:
        yield f"{side}: a closed case opens again"
