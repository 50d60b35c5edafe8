"""Why something is refused, how gRPC says it, and what the sender's dispatcher then does.

One table for both sides: what a receiver may answer is what a sender knows how to take. A reason's
name is part of the protocol and never changes its meaning. The German words are what clerks and
operators read.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """The status codes of gRPC that the federation uses (AIP-193), without gRPC."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    ABORTED = "ABORTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"


class Reaction(StrEnum):
    """What the dispatcher does."""

    #: Tries again with the link's back-off.
    RETRY = "retry"
    #: Waits as long as it is told, then tries again.
    WAIT = "wait"
    #: Opens a new stream and goes on at the receiver's durable position.
    RESUME = "resume"
    #: Fetches the directory, then tries again.
    REFRESH = "refresh"
    #: Halves the batch until the one guilty letter is found.
    BISECT = "bisect"
    #: Parks the letter among the dead letters and tells an operator.
    PARK = "park"
    #: Parks the letter and raises an alarm: somebody errs badly or attacks.
    ALARM = "alarm"
    #: Ends the letter as expired.
    EXPIRE = "expire"
    #: Keeps all letters, tries again with the link's back-off, tells an operator.
    CALL_OPERATOR = "call_operator"


class Reason(StrEnum):
    # The peer.
    PEER_UNKNOWN = "PEER_UNKNOWN"
    CERTIFICATE_UNKNOWN = "CERTIFICATE_UNKNOWN"
    CENTRE_SUSPENDED = "CENTRE_SUSPENDED"
    ORIGIN_MISMATCH = "ORIGIN_MISMATCH"
    RATE_EXCEEDED = "RATE_EXCEEDED"
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    CREDIT_EXCEEDED = "CREDIT_EXCEEDED"
    STREAM_SUPERSEDED = "STREAM_SUPERSEDED"
    SLOW_READER = "SLOW_READER"
    DRAINING = "DRAINING"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"
    # The frame.
    HELLO_MISSING = "HELLO_MISSING"
    PROTOCOL_UNSUPPORTED = "PROTOCOL_UNSUPPORTED"
    FRAME_MALFORMED = "FRAME_MALFORMED"
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE"
    SEQUENCE_GAP = "SEQUENCE_GAP"
    SEQUENCE_REWIND = "SEQUENCE_REWIND"
    # The letter, before it is read.
    ENVELOPE_TOO_LARGE = "ENVELOPE_TOO_LARGE"
    ENVELOPE_MALFORMED = "ENVELOPE_MALFORMED"
    SIGNER_UNKNOWN = "SIGNER_UNKNOWN"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    # The letter, once it is read.
    ENVELOPE_NOT_CANONICAL = "ENVELOPE_NOT_CANONICAL"
    VERSION_UNSUPPORTED = "VERSION_UNSUPPORTED"
    KIND_UNKNOWN = "KIND_UNKNOWN"
    AUTHORITY_NOT_REPRESENTED = "AUTHORITY_NOT_REPRESENTED"
    AUTHORITY_SUSPENDED = "AUTHORITY_SUSPENDED"
    RECIPIENT_UNKNOWN = "RECIPIENT_UNKNOWN"
    RECIPIENT_SUSPENDED = "RECIPIENT_SUSPENDED"
    RECIPIENT_DELETED = "RECIPIENT_DELETED"
    EXPIRED = "EXPIRED"
    CREATED_IN_FUTURE = "CREATED_IN_FUTURE"
    MESSAGE_ID_REUSED = "MESSAGE_ID_REUSED"
    BLOB_MISSING = "BLOB_MISSING"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    # The document.
    BLOB_MALFORMED = "BLOB_MALFORMED"
    BLOB_TOO_LARGE = "BLOB_TOO_LARGE"
    BLOB_OFFSET_WRONG = "BLOB_OFFSET_WRONG"
    BLOB_DIGEST_MISMATCH = "BLOB_DIGEST_MISMATCH"
    # The directory.
    SNAPSHOT_UNKNOWN = "SNAPSHOT_UNKNOWN"
    OFFSET_WRONG = "OFFSET_WRONG"

    @property
    def code(self) -> Code:
        return RULES[self].code

    @property
    def final(self) -> bool:
        """Whether sending the same bytes again can never help."""
        return RULES[self].reaction in _FINAL

    @property
    def reaction(self) -> Reaction:
        return RULES[self].reaction

    @property
    def german(self) -> str:
        return RULES[self].german


_FINAL: Final = frozenset({Reaction.PARK, Reaction.ALARM, Reaction.EXPIRE})


@dataclass(frozen=True, slots=True)
class Rule:
    code: Code
    reaction: Reaction
    german: str


_C, _R = Code, Reaction
RULES: Final = {
    Reason.PEER_UNKNOWN: Rule(
        _C.UNAUTHENTICATED, _R.CALL_OPERATOR, "Das Rechenzentrum ist dort nicht bekannt."
    ),
    Reason.CERTIFICATE_UNKNOWN: Rule(
        _C.UNAUTHENTICATED,
        _R.CALL_OPERATOR,
        "Das Zertifikat des Rechenzentrums steht nicht im Verzeichnis.",
    ),
    Reason.CENTRE_SUSPENDED: Rule(
        _C.PERMISSION_DENIED, _R.CALL_OPERATOR, "Das Rechenzentrum ist gesperrt."
    ),
    Reason.ORIGIN_MISMATCH: Rule(
        _C.PERMISSION_DENIED,
        _R.CALL_OPERATOR,
        "Das Rechenzentrum gibt sich als ein anderes aus, als sein Zertifikat sagt.",
    ),
    Reason.RATE_EXCEEDED: Rule(_C.RESOURCE_EXHAUSTED, _R.WAIT, "Zu viele Aufrufe in kurzer Zeit."),
    Reason.TOO_MANY_STREAMS: Rule(
        _C.RESOURCE_EXHAUSTED, _R.WAIT, "Zu viele Verbindungen gleichzeitig."
    ),
    Reason.CREDIT_EXCEEDED: Rule(
        _C.RESOURCE_EXHAUSTED, _R.RESUME, "Es wurde mehr gesendet, als der Empfänger erlaubt hat."
    ),
    Reason.STREAM_SUPERSEDED: Rule(
        _C.ABORTED, _R.RESUME, "Eine neuere Verbindung hat die Übertragung übernommen."
    ),
    Reason.SLOW_READER: Rule(
        _C.DEADLINE_EXCEEDED, _R.RESUME, "Die Quittungen wurden nicht rechtzeitig abgeholt."
    ),
    Reason.DRAINING: Rule(_C.UNAVAILABLE, _R.RETRY, "Das Rechenzentrum wird gerade neu gestartet."),
    Reason.UNAVAILABLE: Rule(_C.UNAVAILABLE, _R.RETRY, "Das Rechenzentrum ist nicht erreichbar."),
    Reason.DEADLINE_EXCEEDED: Rule(
        _C.DEADLINE_EXCEEDED, _R.RETRY, "Das Rechenzentrum hat nicht rechtzeitig geantwortet."
    ),
    Reason.INTERNAL: Rule(_C.INTERNAL, _R.RETRY, "Beim Empfänger ist ein Fehler aufgetreten."),
    Reason.HELLO_MISSING: Rule(
        _C.FAILED_PRECONDITION, _R.RETRY, "Die Übertragung begann nicht mit einer Vorstellung."
    ),
    Reason.PROTOCOL_UNSUPPORTED: Rule(
        _C.FAILED_PRECONDITION,
        _R.CALL_OPERATOR,
        "Die Rechenzentren sprechen keine gemeinsame Fassung des Protokolls.",
    ),
    Reason.FRAME_MALFORMED: Rule(
        _C.INVALID_ARGUMENT, _R.BISECT, "Eine Sendung ist nicht wohlgeformt."
    ),
    Reason.BATCH_TOO_LARGE: Rule(_C.INVALID_ARGUMENT, _R.BISECT, "Eine Sendung ist zu groß."),
    Reason.SEQUENCE_GAP: Rule(
        _C.FAILED_PRECONDITION, _R.RESUME, "In der Folge der Sendungen fehlt etwas."
    ),
    Reason.SEQUENCE_REWIND: Rule(
        _C.FAILED_PRECONDITION, _R.RESUME, "Die Folge der Sendungen läuft zurück."
    ),
    Reason.ENVELOPE_TOO_LARGE: Rule(_C.INVALID_ARGUMENT, _R.PARK, "Die Nachricht ist zu groß."),
    Reason.ENVELOPE_MALFORMED: Rule(
        _C.INVALID_ARGUMENT, _R.PARK, "Die Nachricht ist nicht wohlgeformt."
    ),
    Reason.SIGNER_UNKNOWN: Rule(
        _C.FAILED_PRECONDITION,
        _R.REFRESH,
        "Der Empfänger kennt den Schlüssel der sendenden Behörde noch nicht.",
    ),
    Reason.SIGNATURE_INVALID: Rule(
        _C.INVALID_ARGUMENT, _R.ALARM, "Die Unterschrift der sendenden Behörde stimmt nicht."
    ),
    Reason.ENVELOPE_NOT_CANONICAL: Rule(
        _C.INVALID_ARGUMENT, _R.PARK, "Die Nachricht enthält Teile, die der Empfänger nicht kennt."
    ),
    Reason.VERSION_UNSUPPORTED: Rule(
        _C.FAILED_PRECONDITION, _R.PARK, "Der Empfänger kennt diese Fassung der Nachricht nicht."
    ),
    Reason.KIND_UNKNOWN: Rule(
        _C.FAILED_PRECONDITION, _R.PARK, "Der Empfänger kennt diese Art von Nachricht nicht."
    ),
    Reason.AUTHORITY_NOT_REPRESENTED: Rule(
        _C.PERMISSION_DENIED,
        _R.PARK,
        "Das sendende Rechenzentrum darf für diese Behörde nicht sprechen.",
    ),
    Reason.AUTHORITY_SUSPENDED: Rule(
        _C.PERMISSION_DENIED, _R.PARK, "Die sendende Behörde ist gesperrt."
    ),
    Reason.RECIPIENT_UNKNOWN: Rule(
        _C.FAILED_PRECONDITION,
        _R.REFRESH,
        "Die empfangende Behörde ist bei diesem Rechenzentrum nicht bekannt.",
    ),
    Reason.RECIPIENT_SUSPENDED: Rule(
        _C.FAILED_PRECONDITION, _R.WAIT, "Die empfangende Behörde nimmt zurzeit nichts an."
    ),
    Reason.RECIPIENT_DELETED: Rule(
        _C.FAILED_PRECONDITION,
        _R.PARK,
        "Die empfangende Behörde wird bei ihrem Rechenzentrum nicht mehr geführt.",
    ),
    Reason.EXPIRED: Rule(_C.FAILED_PRECONDITION, _R.EXPIRE, "Die Frist der Zustellung ist vorbei."),
    Reason.CREATED_IN_FUTURE: Rule(
        _C.FAILED_PRECONDITION, _R.WAIT, "Die Uhren der Rechenzentren gehen auseinander."
    ),
    Reason.MESSAGE_ID_REUSED: Rule(
        _C.ALREADY_EXISTS, _R.ALARM, "Unter derselben Kennung kam schon eine andere Nachricht an."
    ),
    Reason.BLOB_MISSING: Rule(
        _C.FAILED_PRECONDITION, _R.WAIT, "Eine Anlage ist noch nicht vollständig angekommen."
    ),
    Reason.QUOTA_EXCEEDED: Rule(
        _C.RESOURCE_EXHAUSTED, _R.WAIT, "Der Posteingang des Empfängers ist voll."
    ),
    Reason.BLOB_MALFORMED: Rule(
        _C.INVALID_ARGUMENT, _R.PARK, "Die Übertragung einer Anlage ist nicht wohlgeformt."
    ),
    Reason.BLOB_TOO_LARGE: Rule(_C.INVALID_ARGUMENT, _R.PARK, "Eine Anlage ist zu groß."),
    Reason.BLOB_OFFSET_WRONG: Rule(
        _C.OUT_OF_RANGE, _R.RESUME, "Eine Anlage wird an der falschen Stelle fortgesetzt."
    ),
    Reason.BLOB_DIGEST_MISMATCH: Rule(
        _C.INVALID_ARGUMENT, _R.RETRY, "Eine Anlage ist unterwegs verändert worden."
    ),
    Reason.SNAPSHOT_UNKNOWN: Rule(
        _C.NOT_FOUND, _R.RETRY, "Diese Fassung des Verzeichnisses ist dort nicht vorhanden."
    ),
    Reason.OFFSET_WRONG: Rule(
        _C.OUT_OF_RANGE, _R.RETRY, "Das Verzeichnis wird an der falschen Stelle fortgesetzt."
    ),
}

if missing := set(Reason) - set(RULES):
    message = f"reasons without a rule: {sorted(missing)}"
    raise LookupError(message)
