"""What other rooms say in German, in the language of the page."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from centre.directory.errors import DirectoryMissing
from centre.kernel.errors import AmtsbrueckeError
from federation.outbox.errors import BacklogFull, RecipientUnreachable
from tenants.cases.words import Words


def say(words: str) -> str:
    """Return words that stand as plain data in the language of the page."""
    if isinstance(words, Words):
        return words.said(gettext)
    return gettext(words) if words else ""


def told(fault: Mapping[str, Any], part: str) -> str:
    """Return the text or the hint of a fault that was stored in the language of the page."""
    # Faults of earlier releases have only their German text.
    kept = fault.get("words", {}).get(part)
    return say(Words.of(kept) if kept else fault[part])


def in_words(error: AmtsbrueckeError) -> str:
    """Return what to tell a clerk about an error, also about one of another room."""
    match error:
        case RecipientUnreachable():
            return gettext(
                "An die andere Behörde kann zurzeit nichts gesandt werden: im Verzeichnis ist sie "
                "gesperrt, ausgeschieden oder ohne gültigen Schlüssel. Nichts wurde gespeichert. "
                "Versuchen Sie es später noch einmal, oder fragen Sie Ihr Rechenzentrum."
            )
        case DirectoryMissing():
            return gettext(
                "Das Behördenverzeichnis ist noch nicht geladen. Fragen Sie Ihr Rechenzentrum."
            )
        case BacklogFull():
            return gettext(
                "Zu viele Nachrichten warten schon auf das Rechenzentrum des Empfängers."
            )
        case other:
            return say(other.message)
