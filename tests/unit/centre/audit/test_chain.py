import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.audit import chain
from centre.audit.chain import Entry
from centre.audit.events import AuditEvent, page
from centre.kernel.actors import Actor, ActorKind

AT = datetime(2026, 2, 15, 8, 30, tzinfo=UTC)
CLERK = Actor(kind=ActorKind.CLERK, id="7", name="Änne Öhler")


def _entry(subject: str = "A-1", **detail: str) -> Entry:
    return Entry(event=AuditEvent.CASE_REQUEST_READ, by=CLERK, subject=subject, detail=detail)


def test_body_is_canonical() -> None:
    zone = timezone(timedelta(hours=1))
    first = chain.body(_entry(b="2", a="1"), AT)
    assert first == chain.body(_entry(a="1", b="2"), AT.astimezone(zone))
    assert first == (
        '{"actor":{"id":"7","kind":"clerk","name":"Änne Öhler"},'
        '"at":"2026-02-15T08:30:00.000000+00:00","detail":{"a":"1","b":"2"},'
        '"event":"case:request:read","subject":"A-1"}'
    )


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_becomes_a_body(subject: str, detail: dict[str, str]) -> None:
    body = chain.body(_entry(subject), AT)
    assert "\0" not in json.loads(body)["subject"]
    entry = Entry(event=AuditEvent.CASE_REQUEST_READ, by=CLERK, subject=subject, detail=detail)
    chain.body(entry, AT).encode()


def test_digest_covers_number_predecessor_and_body() -> None:
    reference = chain.digest(number=1, previous=chain.START, body="{}")
    by_hand = hashlib.sha256(b"amtsbruecke audit v1\0" + b"\0" * 7 + b"\1" + bytes(32) + b"{}")
    assert reference == by_hand.digest()
    assert reference != chain.digest(number=2, previous=chain.START, body="{}")
    assert reference != chain.digest(number=1, previous=b"\1" * 32, body="{}")
    assert reference != chain.digest(number=1, previous=chain.START, body="{ }")


@pytest.mark.parametrize("event", AuditEvent)
def test_event_names_follow_the_grammar(event: AuditEvent) -> None:
    assert f"{event.source}:{event.subject}:{event.action}" == event
    assert event.name == event.value.replace(":", "_").upper()
    assert event.sentence.endswith(".")
    assert f"`{event}`" in page()
