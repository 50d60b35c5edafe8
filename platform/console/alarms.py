"""What an operator does about an alarm, by its code. Pure."""

from collections.abc import Mapping
from typing import Final

_STEPS: Final[Mapping[str, str]] = {
    "MESSAGE_PARKED": "amtsbruecke inbox list; mend the cause and retry, or discard.",
    "MESSAGE_HELD_LONG": "an earlier message of the case is missing: amtsbruecke inbox list. If it"
    " is parked here, decide about it; else ask the sending centre for its dead letters.",
    "MESSAGE_ID_REUSED": "the peer sent other content under a known id. Nothing was overwritten;"
    " call that centre: its database may have gone back in time.",
    "SEQUENCE_REWIND": "the peer counts from an earlier number than this database knows: one of"
    " both was restored to an earlier moment. See docs/guides/operating.md, Back-up and restore.",
    "SIGNATURE_INVALID": "a letter was not signed by whom it names. Call that centre; suspend it"
    " at the umbrella if it cannot explain this.",
    "AUTHORITY_NOT_REPRESENTED": "a centre spoke for somebody else's authority. Compare its entry"
    " in the directory: amtsbruecke directory show.",
    "CERTIFICATE_UNKNOWN": "a certificate is not in the directory. Was it renewed without being"
    " registered? amtsbruecke directory fetch, then call that centre. If it is our own (doctor says"
    " so): amtsbruecke directory entry, which the umbrella is to publish.",
    "ORIGIN_MISMATCH": "a certificate and the name in a letter differ. Call that centre.",
    "PEER_UNKNOWN": "one of the two centres is not in the other's directory: amtsbruecke directory"
    " fetch, here and there; then ask the umbrella.",
    "CENTRE_SUSPENDED": "the umbrella has suspended a centre; its letters wait. Ask the umbrella.",
    "PROTOCOL_UNSUPPORTED": "the two centres speak no common version: upgrade the older one.",
    "CREDIT_EXCEEDED": "the peer sent more than it may, so it errs. Nothing is lost; call it.",
    "SERVER_CERTIFICATE_UNKNOWN": "who answers at the peer's address has a certificate that our"
    " directory does not list. Was it renewed before it was published? amtsbruecke directory fetch."
    " Otherwise treat it as an attack.",
    "WRONG_PEER": "another centre answers at the peer's address. Compare its entry in the"
    " directory: amtsbruecke directory show.",
    "RECEIPT_INVALID": "the peer signed something else than we sent, or with another key, or with"
    " one that was not valid then. Has it changed its key without the directory, or is its clock"
    " wrong? Otherwise treat it as an attack.",
    "POSITION_IMPOSSIBLE": "one of both databases was restored to an earlier moment: amtsbruecke"
    " link pause PEER, and keep both as they are. See docs/guides/operating.md, Back-up and"
    " restore.",
    "LETTER_PARKED": "a letter ended call after call and was set aside: amtsbruecke deadletter"
    " list. Look at the peer's log for that time; resend it after it was mended, or cancel it.",
}
_ANY: Final = "see docs/guides/operating.md, then: amtsbruecke alarm acknowledge ID"


def next_step(code: str) -> str:
    """Return what to do, in one sentence."""
    return _STEPS.get(code, _ANY)
