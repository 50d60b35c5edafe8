"""Whoever is woken by an alarm reads what to do, and is not sent to look for it."""

import pytest

from console import alarms
from federation.gateway.alarms import ALARMING
from federation.protocol.reasons import Reaction, Reason

#: What a peer's refusal of a call or of a letter makes an alarm (`dispatch/faults.py`).
_TOLD = {each for each in Reason if each.reaction in {Reaction.CALL_OPERATOR, Reaction.ALARM}}
_OURS = {
    "LETTER_PARKED",
    "MESSAGE_HELD_LONG",
    "MESSAGE_PARKED",
    "POSITION_IMPOSSIBLE",
    "RECEIPT_INVALID",
    "SERVER_CERTIFICATE_UNKNOWN",
    "WRONG_PEER",
}


@pytest.mark.parametrize("code", sorted({*map(str, ALARMING | _TOLD), *_OURS}))
def test_every_alarm_says_what_to_do(code: str) -> None:
    assert alarms.next_step(code) != alarms.next_step("of tomorrow")


def test_a_certificate_that_nobody_knows_may_be_our_own() -> None:
    assert "directory entry" in alarms.next_step("CERTIFICATE_UNKNOWN")
