"""The inbox with a handler that only takes notes, and a way to put letters into it."""

from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest
from pytest_django import Settings

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.keys import keystore
from centre.registry.models import Municipality
from federation.inbox import handlers
from federation.outbox import services as outbox
from federation.protocol.messages import MessageKind
from tests.factories.desks import DESK, RECIPIENT, SENDER, Deliver, Desk, handle
from tests.factories.letters import Office, letter


@pytest.fixture
def desk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    DESK.__init__()  # type: ignore[misc]
    settings.FEDERATION_HANDLERS = dict.fromkeys(MessageKind, "tests.factories.desks.handle")
    monkeypatch.setattr(handlers, "resolve", lambda _name: handle)
    monkeypatch.setattr(keystore, "seal_private_key", lambda _kid: RECIPIENT.sealing)
    monkeypatch.setattr(outbox, "post", lambda *, messages: DESK.posted.extend(messages))
    handlers.handlers.cache_clear()
    yield DESK
    handlers.handlers.cache_clear()


@pytest.fixture
def deliver(dsn: Callable[[str], str]) -> Deliver:
    """Return the function that puts a letter into a tenant's inbox, as the gateway would."""

    def put(
        tenant: Municipality,
        content: str,
        *,
        sequence: int = 1,
        case_id: UUID | None = None,
        kind: MessageKind = MessageKind.ASSISTANCE_REQUEST,
        sender: Office = SENDER,
    ) -> UUID:
        message_id, now, case_id = new_id(), clock.now(), case_id or new_id()
        item = letter(
            sender,
            RECIPIENT,
            message_id=message_id,
            payload=content.encode(),
            case_sequence=sequence,
            case_id=case_id,
            kind=kind,
        )
        with psycopg.connect(dsn("federation")) as link:
            link.execute(
                "INSERT INTO inbox_inboundmessage (origin, id, tenant_role, link, lseq, sender,"
                " case_id, case_sequence, kind, envelope, digest, received_at, state, due_at)"
                " VALUES ('nord', %s, %s, 'nord', 1, %s, %s, %s, %s, %s, '', %s, 'pending', %s)",
                (
                    message_id,
                    tenant.tenant_role,
                    sender.id,
                    case_id,
                    sequence,
                    kind,
                    item,
                    now,
                    now,
                ),
            )
        return message_id

    return put
