"""Every kind of event that the trail knows. Pure.

An event is named `source:subject:action`: the room that tells it, the thing it is about, and what
happened to the thing, as a past participle. A name once used stays for ever, since old entries
carry it; one that no code writes any more moves to the end of the class.

`docs/audit-events.md` is generated from here (`python -m centre.audit.events`).
"""

import re
from enum import StrEnum
from typing import Self

_GRAMMAR = re.compile(r"(?P<source>[a-z]+):(?P<subject>[a-z]+):(?P<action>[a-z_]+)")


class _Event(StrEnum):
    """A name of the grammar `source:subject:action`, with a sentence for people."""

    sentence: str

    def __new__(cls, name: str, sentence: str) -> Self:
        if not _GRAMMAR.fullmatch(name):
            message = f"{name!r} is not source:subject:action"
            raise ValueError(message)
        event = str.__new__(cls, name)
        event._value_ = name
        event.sentence = sentence
        return event

    @property
    def source(self) -> str:
        return self.value.split(":")[0]

    @property
    def subject(self) -> str:
        return self.value.split(":")[1]

    @property
    def action(self) -> str:
        return self.value.split(":")[2]


class AuditEvent(_Event):
    """What may stand in the trail."""

    # The inbox
    INBOX_MESSAGE_RETRIED = (
        "inbox:message:retried",
        "Eine zurückgestellte Nachricht wurde zur erneuten Verarbeitung freigegeben.",
    )
    INBOX_MESSAGE_DISCARDED = (
        "inbox:message:discarded",
        "Eine zurückgestellte Nachricht wurde endgültig nicht verarbeitet.",
    )

    # The centre's operators and the registry
    TENANT_MUNICIPALITY_CREATED = "tenant:municipality:created", "Eine Kommune wurde eingerichtet."
    TENANT_MUNICIPALITY_SUSPENDED = "tenant:municipality:suspended", "Eine Kommune wurde gesperrt."
    TENANT_MUNICIPALITY_RESUMED = (
        "tenant:municipality:resumed",
        "Eine gesperrte Kommune wurde wieder freigegeben.",
    )
    TENANT_MUNICIPALITY_EXPORTED = (
        "tenant:municipality:exported",
        "Alle Daten einer Kommune wurden in eine Archivdatei geschrieben.",
    )
    TENANT_DELETION_BEGUN = "tenant:deletion:begun", "Die Löschung einer Kommune hat begonnen."
    TENANT_DELETION_ABANDONED = (
        "tenant:deletion:abandoned",
        "Die Löschung einer Kommune ist vor dem Export gescheitert; die Kommune bleibt.",
    )
    TENANT_MUNICIPALITY_DELETED = (
        "tenant:municipality:deleted",
        "Schema, Rolle und Schlüssel einer Kommune wurden gelöscht.",
    )
    KEY_CENTRE_CREATED = "key:centre:created", "Schlüssel des Rechenzentrums wurden erzeugt."
    DIRECTORY_VERSION_PUBLISHED = (
        "directory:version:published",
        "Eine neue Fassung des Behördenverzeichnisses wurde veröffentlicht.",
    )
    DIRECTORY_VERSION_APPLIED = (
        "directory:version:applied",
        "Eine geprüfte Fassung des Behördenverzeichnisses wurde übernommen.",
    )
    DIRECTORY_CENTRE_SUSPENDED = (
        "directory:centre:suspended",
        "Ein Rechenzentrum wurde von der Teilnahme ausgeschlossen.",
    )
    DIRECTORY_CENTRE_RESUMED = (
        "directory:centre:resumed",
        "Ein ausgeschlossenes Rechenzentrum nimmt wieder teil.",
    )
    LINK_PEER_RETRIED = (
        "link:peer:retried",
        "Die Verbindung zu einem Rechenzentrum wurde sofort neu versucht.",
    )
    LINK_PEER_PAUSED = "link:peer:paused", "Die Verbindung zu einem Rechenzentrum wurde angehalten."
    LINK_PEER_RESUMED = (
        "link:peer:resumed",
        "Die Verbindung zu einem Rechenzentrum wurde wieder aufgenommen.",
    )
    OUTBOX_MESSAGE_RESENT = (
        "outbox:message:resent",
        "Eine geparkte Nachricht wurde erneut auf den Weg gebracht.",
    )
    OUTBOX_MESSAGE_CANCELLED = (
        "outbox:message:cancelled",
        "Eine nicht zustellbare Nachricht wurde abgebrochen.",
    )
    OUTBOX_ALARM_ACKNOWLEDGED = (
        "outbox:alarm:acknowledged",
        "Jemand hat einen Alarm zur Kenntnis genommen.",
    )

    # Clerks
    CLERK_ACCOUNT_CREATED = "clerk:account:created", "Ein Benutzerkonto wurde angelegt."
    CLERK_ACCOUNT_CHANGED = "clerk:account:changed", "Ein Benutzerkonto wurde geändert."
    CLERK_ACCOUNT_CLOSED = "clerk:account:closed", "Ein Benutzerkonto wurde gesperrt."
    CLERK_SESSION_OPENED = "clerk:session:opened", "Jemand hat sich angemeldet."
    CLERK_SESSION_REFUSED = "clerk:session:refused", "Eine Anmeldung wurde abgewiesen."
    CLERK_SESSION_CLOSED = "clerk:session:closed", "Jemand hat sich abgemeldet."

    # What is read of cases
    CASE_WORKLIST_READ = "case:worklist:read", "Eine Arbeitsliste wurde angezeigt."
    CASE_REQUEST_READ = "case:request:read", "Ein Vorgang wurde angezeigt."
    CASE_EVIDENCE_EXPORTED = (
        "case:evidence:exported",
        "Der Nachweis zu einem Vorgang wurde ausgegeben.",
    )

    # Cases: writes, by either side
    CASE_REQUEST_DRAFTED = "case:request:drafted", "Ein Ersuchen wurde entworfen."
    CASE_REQUEST_CHANGED = "case:request:changed", "Der Entwurf eines Ersuchens wurde geändert."
    CASE_REQUEST_DISCARDED = (
        "case:request:discarded",
        "Der Entwurf eines Ersuchens wurde verworfen.",
    )
    CASE_REQUEST_SUBMITTED = "case:request:submitted", "Ein Ersuchen wurde abgesandt."
    CASE_REQUEST_RECEIVED = "case:request:received", "Ein Ersuchen ist eingegangen."
    CASE_REQUEST_REGISTERED = "case:request:registered", "Ein Ersuchen wurde registriert."
    CASE_REQUEST_ACCEPTED = "case:request:accepted", "Ein Ersuchen wurde angenommen."
    CASE_REQUEST_REFUSED = "case:request:refused", "Ein Ersuchen wurde abgelehnt."
    CASE_REQUEST_COMPLETED = "case:request:completed", "Ein Ersuchen wurde erledigt."
    CASE_REQUEST_CLOSED = "case:request:closed", "Ein Vorgang wurde abgeschlossen."
    CASE_REQUEST_WITHDRAWN = "case:request:withdrawn", "Ein Ersuchen wurde zurückgenommen."
    CASE_QUERY_ASKED = "case:query:asked", "Eine Rückfrage wurde gestellt."
    CASE_QUERY_ANSWERED = "case:query:answered", "Eine Rückfrage wurde beantwortet."
    CASE_MESSAGE_RECEIVED = (
        "case:message:received",
        "Eine Nachricht der anderen Behörde wurde in den Vorgang übernommen.",
    )
    CASE_DELIVERY_CHANGED = (
        "case:delivery:changed",
        "Der Zustellstand einer Nachricht hat sich geändert.",
    )

    # Files, those kept and those read in
    DOCUMENT_FILE_ADDED = "document:file:added", "Ein Dokument wurde hinzugefügt."
    DOCUMENT_FILE_READ = "document:file:read", "Ein Dokument wurde geöffnet."
    DOCUMENT_FILE_REMOVED = "document:file:removed", "Ein Dokument wurde entfernt."
    IMPORT_FILE_CHECKED = "import:file:checked", "Eine Importdatei wurde geprüft."
    IMPORT_FILE_IMPORTED = "import:file:imported", "Eine Importdatei wurde übernommen."
    IMPORT_FILE_DISCARDED = "import:file:discarded", "Eine geprüfte Importdatei wurde verworfen."
    IMPORT_ROW_ASSIGNED = (
        "import:row:assigned",
        "Für eine Zeile einer Importdatei wurde die Behörde gewählt.",
    )
    IMPORT_FILE_READ = "import:file:read", "Zeilen einer Importdatei wurden angezeigt."
    IMPORT_FAULTS_EXPORTED = (
        "import:faults:exported",
        "Die nicht übernommenen Zeilen einer Importdatei wurden ausgegeben.",
    )


_PAGE = """# Audit events

Every entry of the trail carries one of these names, in the form `source:subject:action`. Names are
never reused. This page is generated: `python -m centre.audit.events > docs/audit-events.md`.

| Event | Meaning |
|---|---|
{rows}
"""


def page() -> str:
    """Return the list of all events as a page for `docs/`."""
    rows = "\n".join(f"| `{event}` | {event.sentence} |" for event in AuditEvent)
    return _PAGE.format(rows=rows)


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
