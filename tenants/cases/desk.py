"""What a batch of news is about: read with few statements, kept current while it is worked on.

The cases are locked first and everything else is read afterwards, so that nothing here is older
than the lock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from centre.kernel.actors import Actor
from federation.protocol.messages import InboundMessage
from tenants.cases.graph import Kind
from tenants.cases.models import Case, CaseMessage, Direction, Outcome
from tenants.cases.services.reading import locked_many, peer
from tenants.cases.services.work import Work


@dataclass(slots=True)
class Desk:
    """Cases that are worked on together, and what has been written about them so far."""

    work: Work
    #: Locked. Cases that come into being are added.
    cases: dict[UUID, Case]
    #: Messages of ours, by id.
    ours: dict[UUID, CaseMessage]
    #: Our newest request in a case to an authority.
    requests: dict[tuple[UUID, UUID], CaseMessage]
    #: By case, our messages that did not get through.
    failed: dict[UUID, set[UUID]]
    _peers: dict[UUID, Actor]

    @classmethod
    def of(
        cls,
        cases: Collection[UUID],
        *,
        by: Actor,
        ours: Iterable[UUID] = (),
        requests_of: Collection[UUID] = (),
        failures_of: Collection[UUID] = (),
    ) -> Self:
        """Lock `cases`; read the messages `ours`, and of some cases our requests and failures."""
        desk = cls(Work(by=by), locked_many(cases), {}, {}, defaultdict(set), {})
        out = CaseMessage.objects.filter(direction=Direction.OUT).defer("payload")
        if wanted := list(ours):
            desk.ours = {message.id: message for message in out.filter(id__in=wanted)}
        if requests_of:
            requests = out.filter(case_id__in=requests_of, kind=Kind.ASSISTANCE_REQUEST)
            for message in requests.order_by("case_id", "number"):
                known = desk.ours.setdefault(message.id, message)
                desk.requests[message.case_id, message.other_authority] = known
        troubled = {case.id for case in desk.cases.values() if case.trouble} | set(failures_of)
        if troubled:
            failed = out.filter(case_id__in=troubled, outcome=Outcome.FAILED)
            for case_id, message_id in failed.values_list("case_id", "id"):
                desk.failed[case_id].add(message_id)
        return desk

    def turn_to(self, message: InboundMessage) -> None:
        """Let all that follows be the doing of a message's sender."""
        actor = self._peers.get(message.sender)
        if actor is None:
            actor = self._peers[message.sender] = peer(message)
        self.work.begin(by=actor)

    def outcome(self, message: CaseMessage, outcome: Outcome, *, reason: str = "") -> None:
        """Note what became of a message of ours."""
        self.work.outcome(message, outcome, reason=reason)
        if outcome == Outcome.FAILED:
            self.failed[message.case_id].add(message.id)
        else:
            self.failed[message.case_id].discard(message.id)
