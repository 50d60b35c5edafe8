"""The clerks of one centre: they send requests and work on those of others, until told to stop.

    python -m benchmarks.faults.driver JOURNAL [PAUSE]      in the environment of the centre

Everything goes through the product's services. Whatever the database refuses is tried again later,
as a clerk would. What a service has returned was promised: it goes into the journal (the case, the
message, the state), so that the count can ask for it afterwards.

Of sixteen cases one takes the long road (query, answer with a document, acceptance, completion,
closure), two are accepted and completed, one is refused; the others stay with their registration.
"""

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO
from uuid import UUID

from centre.kernel.actors import system
from console.roles import become

if TYPE_CHECKING:
    from centre.registry.models import Municipality
    from tenants.cases.models import Case

BY: Final = system("faults")
#: Requests at once; none while so many have no receipt.
BATCH: Final = 20
MOST_WAITING: Final = 150
STEPS_AT_ONCE: Final = 15
_ASKED, _ACCEPTED, _REFUSED = frozenset("0"), frozenset("12"), frozenset("3")
#: Letters that the requested side has sent in a case of which nobody has done anything yet.
_ONLY_REGISTERED: Final = 1
_TROUBLE_PAUSE_S: Final = 0.3


class Stop:
    """Set by SIGTERM: what is begun is finished."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def main() -> None:
    """Work until SIGTERM."""
    stop = Stop()
    become("web")
    from centre.registry import selectors as registry

    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    towns: list[Municipality] = []
    while not towns and not stop.asked:
        with _patient():
            towns = list(registry.active())
    with Path(sys.argv[1]).open("a", encoding="ascii") as journal:
        clerks = [Clerks(town, journal) for town in towns]
        while not stop.asked:
            for each in clerks:
                with _patient():
                    each.work()
            time.sleep(pause)


@contextmanager
def _patient() -> Iterator[None]:
    """Survive whatever a broken centre answers; what is wrong in the program ends it."""
    from django.db import Error, InterfaceError, connection

    from centre.kernel.errors import AmtsbrueckeError

    try:
        yield
    except (Error, InterfaceError, AmtsbrueckeError, OSError) as problem:
        sys.stderr.write(f"{type(problem).__name__}: {str(problem)[:200]}\n")
        sys.stderr.flush()
        connection.close()
        time.sleep(_TROUBLE_PAUSE_S)


class Clerks:
    """Those of one municipality."""

    def __init__(self, town: "Municipality", journal: TextIO) -> None:
        self._town = town
        self._journal = journal
        self._others: Iterator[UUID] = iter(())

    def work(self) -> None:
        """Send some requests if not too many wait, then take some steps with cases."""
        from centre.tenancy.context import tenant_scope

        with tenant_scope(self._town):
            self._send()
            for step in (self._begin, self._resume, self._answer, self._close):
                step()

    def _send(self) -> None:
        from tenants.cases import services
        from tenants.cases.models import Case
        from tests.factories.requests import request

        if Case.objects.filter(side="requesting", state="submitted").count() >= MOST_WAITING:
            return
        drafts = [request(to=self._next_other()) for _ in range(BATCH)]
        cases = services.submit_requests(drafts=drafts, by=BY)
        self._note(cases, "assistance_request", "submitted")

    def _note(self, cases: "Iterable[Case]", kind: str, state: str) -> None:
        """Write down what was promised: that these cases have this message and came so far."""
        self._journal.writelines(f"{case.id} {kind} {state}\n" for case in cases)
        self._journal.flush()

    def _next_other(self) -> UUID:
        other = next(self._others, None)
        if other is None:
            from centre.directory import selectors as directory
            from centre.registry import selectors as registry

            own = {each.authority_id for each in registry.active()}
            found = directory.current().snapshot.authorities
            self._others = cycle([each.id for each in found if each.id not in own])
            other = next(self._others)
        return other

    # -- steps -------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Ask, accept or refuse what has arrived; complete at once what is accepted.

        Acceptance and completion leave right after each other, so that they can overtake.
        """
        from tenants.cases import services

        for case in self._cases("requested", "registered"):
            sort = str(case.id)[-1]
            if sort in _ASKED and case.out_sequence == _ONLY_REGISTERED:
                services.ask(
                    case_id=case.id, version=case.version, topic="debtor", text="Stimmt das?", by=BY
                )
                self._note([case], "query", "queried")
            elif sort in _REFUSED:
                services.refuse(
                    case_id=case.id, version=case.version, reason="not_competent", by=BY
                )
                self._note([case], "refusal", "refused")
            else:
                self._accept_and_complete(case)

    def _resume(self) -> None:
        """Complete what was accepted when something broke."""
        from tenants.cases.models import Case

        answered = Case.objects.filter(side="requested", state="accepted")
        for case in answered.order_by("created_at")[:STEPS_AT_ONCE]:
            self._complete(case)

    def _accept_and_complete(self, case: "Case") -> None:
        from tenants.cases import services

        own = f"V-{case.reference}"[:40]
        accepted = services.accept(case_id=case.id, version=case.version, own_reference=own, by=BY)
        self._note([case], "acceptance", "accepted")
        self._complete(accepted)

    def _complete(self, case: "Case") -> None:
        from tenants.cases import services

        services.complete(
            case_id=case.id,
            version=case.version,
            result="paid_here",
            collected_cents=case.total_cents,
            costs_cents=2_600,
            by=BY,
        )
        self._note([case], "completion", "completed")

    def _answer(self) -> None:
        from tenants.cases import services

        for case in self._all("requesting", "queried"):
            services.answer(
                case_id=case.id,
                version=case.version,
                text="Ja.",
                document_ids=[self._document(case)],
                by=BY,
            )
            self._note([case], "answer", "registered")

    def _document(self, case: "Case") -> UUID:
        """Attach a document, unless that was done when something broke."""
        from benchmarks.faults import documents
        from tenants.documents import selectors, services

        for each in selectors.unsent_of_case(case.id):
            return each.id
        called = documents.name(case.id)
        made = services.attach(
            case_id=case.id,
            reference=case.reference,
            name=called,
            chunks=documents.content(called),
            by=BY,
        )
        return made.id

    def _close(self) -> None:
        from tenants.cases import services

        for state in ("completed", "refused"):
            for case in self._all("requesting", state):
                services.close(case_id=case.id, version=case.version, by=BY)
                self._note([case], "closure", "closed")

    def _cases(self, side: str, state: str) -> "list[Case]":
        """Return cases on which somebody works here, the oldest first."""
        from django.db.models import CharField
        from django.db.models.functions import Cast, Right

        from tenants.cases.models import Case

        sort = Right(Cast("id", CharField()), 1)
        wanted = [*_ASKED, *_ACCEPTED, *_REFUSED]
        found = Case.objects.filter(side=side, state=state).annotate(sort=sort)
        return list(found.filter(sort__in=wanted).order_by("created_at")[:STEPS_AT_ONCE])

    def _all(self, side: str, state: str) -> "list[Case]":
        from tenants.cases.models import Case

        found = Case.objects.filter(side=side, state=state)
        return list(found.order_by("created_at")[:STEPS_AT_ONCE])


if __name__ == "__main__":
    main()
