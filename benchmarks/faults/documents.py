"""The documents that go with answers: made from their names, so that all know what they hold."""

import random
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

if TYPE_CHECKING:
    from centre.registry.models import Municipality

#: One in so many is long: it is on its way while things break.
_LONG_ONE_IN: Final = 8
_SHORT: Final = 40_000
_LONG: Final = 3_000_000
_PIECE: Final = 64 * 1024


def name(case_id: UUID) -> str:
    """Return what the document of a case is called."""
    return f"{case_id}.pdf"


def content(called: str) -> Iterator[bytes]:
    """Yield the document of that name in pieces."""
    source = random.Random(called)  # noqa: S311 -- to be had again, not to be secret
    left = _LONG if source.randrange(_LONG_ONE_IN) == 0 else _SHORT
    yield b"%PDF-1.7\n"
    while left > 0:
        yield source.randbytes(min(left, _PIECE))
        left -= _PIECE


def check(town: "Municipality") -> tuple[int, list[str]]:
    """Read all documents that have come to a municipality.

    Return how many are whole, and what is wrong: every answer must have brought one.
    """
    from centre.kernel.actors import system
    from centre.kernel.errors import AmtsbrueckeError
    from centre.tenancy.context import tenant_scope
    from tenants.cases.models import CaseMessage
    from tenants.documents import selectors
    from tenants.documents.models import Document

    whole, wrong = 0, list[str]()
    with tenant_scope(town):
        come = Document.objects.filter(received=True)
        answers = CaseMessage.objects.filter(direction="in", kind="answer")
        bare = answers.exclude(id__in=come.values("message_id")).values_list("id", flat=True)
        wrong += [f"{town.slug}: answer {each} came without its document" for each in bare]
        for document in come.iterator():
            try:
                _, pieces = selectors.read(
                    document_id=document.id, reference="faults", by=system("faults")
                )
                same = _digest(pieces) == _digest(content(document.name))
            except AmtsbrueckeError as problem:
                wrong.append(f"{town.slug}: {document.name}: {problem}")
                continue
            whole += same
            if not same:
                wrong.append(f"{town.slug}: {document.name} holds something else")
    return whole, wrong


def _digest(pieces: Iterator[bytes]) -> bytes:
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
