"""Reads of the trail. Row-level security shows a tenant its own chain only."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from centre.audit import chain
from centre.audit.events import AuditEvent
from centre.audit.models import TrailEntry, TrailHead

_BATCH = 2_000
_MANY = 20


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of a chain found. Without `problems`, every entry is as it was written."""

    chain: str
    entries: int
    signed_up_to: int
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        return not self.problems


def trail(*, subject: str) -> QuerySet[TrailEntry]:
    """Return what the current tenant's trail tells about a subject, oldest first."""
    return TrailEntry.objects.filter(subject=subject).order_by("number")


def newest_of_centre(*, event: AuditEvent, subject: str) -> TrailEntry | None:
    """Return the centre's own newest entry of this event about a subject, or None."""
    found = TrailEntry.objects.filter(tenant_role=chain.CENTRE, subject=subject, event=event)
    return found.order_by("number").last()


def chains() -> list[str]:
    """Return the names of all chains that may be seen: for the owner and the worker, all.

    One whose entries are gone is still named by its heads.
    """
    entries = TrailEntry.objects.values_list("tenant_role", flat=True)
    return sorted(entries.union(TrailHead.objects.values_list("tenant_role", flat=True)))


def verify(
    tenant_role: str,
    *,
    check_signature: Callable[[TrailHead, bytes], bool] | None = None,
    kept: Iterable[TrailHead] = (),
) -> Verification:
    """Compute a chain anew and compare every entry, and every head that the centre signed.

    `kept` are heads from outside the database; those of other chains are passed over. Without
    `check_signature` heads are compared with the chain but their signatures are not looked at. At
    most 20 problems are told. A chain without any entry is not intact: each begins with a founding.
    """
    heads = _by_number(
        *TrailHead.objects.filter(tenant_role=tenant_role),
        *(head for head in kept if head.tenant_role == tenant_role),
    )
    problems: list[str] = []
    previous, number, signed = chain.START, 0, 0
    for entry in _entries(tenant_role):
        number += 1
        if entry.number != number:
            problems.append(f"Entry {number} is missing; the next one is {entry.number}.")
            number = entry.number
        expected = chain.digest(number=number, previous=previous, body=entry.body)
        if bytes(entry.digest) != expected:
            problems.append(f"Entry {number} does not fit its digest: it was changed.")
        elif not _columns_fit(entry):
            problems.append(f"Entry {number} has columns that its body does not say.")
        previous = bytes(entry.digest)
        for head in heads.pop(number, ()):
            problems += _head_problems(head, previous, check_signature)
            signed = number
        if len(problems) >= _MANY:
            return Verification(tenant_role, number, signed, tuple(problems))
    if number == 0:
        problems.append("There is no entry at all: the whole chain was deleted.")
    for missing in sorted(heads):
        problems.append(f"The centre signed entry {missing}, which is gone: the end was cut off.")
    return Verification(tenant_role, number, signed, tuple(problems))


def _by_number(*heads: TrailHead) -> dict[int, list[TrailHead]]:
    found: dict[int, list[TrailHead]] = defaultdict(list)
    for head in heads:
        found[head.number].append(head)
    return found


def _entries(tenant_role: str) -> Iterator[TrailEntry]:
    """Read a chain in portions, so that a long one needs little memory and no long cursor."""
    after = 0
    while True:
        portion = list(
            TrailEntry.objects.filter(tenant_role=tenant_role, number__gt=after).order_by("number")[
                :_BATCH
            ]
        )
        yield from portion
        if len(portion) < _BATCH:
            return
        after = portion[-1].number


def _columns_fit(entry: TrailEntry) -> bool:
    content = entry.content
    return (
        content["event"] == entry.event
        and content["subject"] == entry.subject
        and datetime.fromisoformat(content["at"]) == entry.at
    )


def _head_problems(
    head: TrailHead, digest: bytes, check: Callable[[TrailHead, bytes], bool] | None
) -> list[str]:
    if bytes(head.digest) != digest:
        return [f"The centre signed another entry {head.number} than the one that is here."]
    message = chain.head_message(
        chain=head.tenant_role, number=head.number, digest=digest, at=head.at
    )
    if check is not None and not check(head, message):
        return [f"The signature under entry {head.number} is not the centre's."]
    return []
