"""All SQL of dispatch. No ORM: a connection that carries a tenant has no place in asyncio.

Every function runs on an autocommit connection of the login role `federation`; each is one
statement, or says that it opens a transaction. What moves a link names the fence of its caller:
if another process has become the owner, nothing is written and `FenceLost` is raised.
"""

from typing import Final

from federation.dispatch.sql.documents import (
    chunks,
    document,
    finish_upload,
    note_upload,
    pending_uploads,
    refuse_upload,
)
from federation.dispatch.sql.letters import (
    dead_positions,
    envelopes,
    links_unsettled,
    links_waiting,
    links_with_work,
    newest_posted,
    positions,
    release_deferred,
)
from federation.dispatch.sql.links import (
    ensure_links,
    figures,
    link,
    links,
    note_failure,
    note_welcome,
    release_leases,
    renew_contacts,
    renew_leases,
    retry_now,
    show_end,
    show_life,
    take_leases,
)
from federation.dispatch.sql.numbering import Numbered, number
from federation.dispatch.sql.outcomes import acknowledge, expire, park
from federation.dispatch.sql.types import (
    Connection,
    Document,
    Figures,
    Lease,
    Letter,
    LinkRow,
    ReceivedReceipt,
    Refused,
    Upload,
)
from federation.outbox.alarms import raise_alarm

__all__ = [
    "CHANNEL",
    "DOCUMENTS",
    "Connection",
    "Document",
    "Figures",
    "Lease",
    "Letter",
    "LinkRow",
    "Numbered",
    "ReceivedReceipt",
    "Refused",
    "Upload",
    "acknowledge",
    "chunks",
    "dead_positions",
    "document",
    "ensure_links",
    "envelopes",
    "expire",
    "figures",
    "finish_upload",
    "link",
    "links",
    "links_unsettled",
    "links_waiting",
    "links_with_work",
    "newest_posted",
    "note_failure",
    "note_upload",
    "note_welcome",
    "number",
    "park",
    "pending_uploads",
    "positions",
    "raise_alarm",
    "refuse_upload",
    "release_deferred",
    "release_leases",
    "renew_contacts",
    "renew_leases",
    "retry_now",
    "show_end",
    "show_life",
    "take_leases",
]

#: Where pokes are heard, and those for documents.
CHANNEL: Final = "amtsbruecke_dispatch"
DOCUMENTS: Final = "amtsbruecke_documents"
