"""Why a letter is not accepted, or not moved."""

from centre.kernel.errors import AmtsbrueckeError


class OutboxError(AmtsbrueckeError):
    """The outbox does not accept this."""

    reason = "OUTBOX"


class RecipientUnreachable(OutboxError):
    """The directory does not allow to send anything to this authority now."""

    reason = "RECIPIENT_UNREACHABLE"


class RecipientUnknown(RecipientUnreachable):
    """The directory does not know this authority, or it takes no letters."""

    reason = "RECIPIENT_UNKNOWN"


class RecipientWithoutKey(RecipientUnreachable):
    """The directory has no key of this authority that a letter could be sealed to."""

    reason = "RECIPIENT_WITHOUT_KEY"


class BacklogFull(OutboxError):
    """Too many letters wait for this centre. Try again when some of them have gone."""

    reason = "BACKLOG_FULL"
    #: Seconds after which another try makes sense.
    retry_after = 60


class AlreadyPosted(OutboxError):
    """A letter with this id was posted before."""

    reason = "ALREADY_POSTED"


class NotDead(OutboxError):
    """Only a letter that was refused, has expired or was parked can be re-sent or cancelled."""

    reason = "NOT_DEAD"


class LetterExpired(OutboxError):
    """The time of this letter is over; write a new one."""

    reason = "LETTER_EXPIRED"


class LinkUnknown(OutboxError):
    """There is no link of this name."""

    reason = "LINK_UNKNOWN"
