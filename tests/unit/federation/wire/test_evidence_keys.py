"""A key proves what it signed while it was valid."""

from dataclasses import replace
from datetime import timedelta

import pytest

from centre.directory import encoding
from federation.wire.examination import Ruling
from tests.unit.federation.wire.case_file import (
    DIRECTORY,
    GOOD,
    KIEL,
    KIEL_ID,
    NOW,
    SNAPSHOT,
    UMBRELLA,
    bundle,
    examine,
    letter,
)

HOUR = timedelta(hours=1)


def listed(owner: str, begin: timedelta, end: timedelta | None, *, version: int = 4) -> bytes:
    """The directory where the key of Minden or of nord is valid from and until then."""
    when = {"not_before": NOW + begin, "not_after": None if end is None else NOW + end}
    changed = replace(
        DIRECTORY,
        version=version,
        centres=tuple(
            replace(each, keys=(replace(each.keys[0], **when),)) if each.id == owner else each
            for each in DIRECTORY.centres
        ),
        authorities=tuple(
            replace(each, keys=(replace(each.keys[0], **when),)) if each.name == owner else each
            for each in DIRECTORY.authorities
        ),
    )
    return encoding.sign_snapshot(changed, by=UMBRELLA)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("begin", "end"), [(-9 * HOUR, -HOUR), (HOUR, None)])
def test_a_letter_written_when_its_key_was_not_valid_is_refuted(
    begin: timedelta, end: timedelta | None, *, together: bool
) -> None:
    snapshots = (listed("Minden", begin, end),)
    file = bundle(letter(together=together), snapshots=snapshots, exporter=KIEL_ID, by=KIEL)
    verdict = examine(file, UMBRELLA)
    assert verdict.ruling is Ruling.REFUTED
    assert verdict.findings[0].problems == (
        "Der Schlüssel der Absenderin galt nicht, als sie die Nachricht schrieb.",
    )


def test_a_key_proves_for_ever_what_was_received_before_it_ended() -> None:
    file = bundle(
        letter(issued_at=NOW + HOUR / 2),
        snapshots=(listed("Minden", -HOUR, HOUR),),
        exporter=KIEL_ID,
        by=KIEL,
    )
    assert examine(file, UMBRELLA).ruling is Ruling.PROVEN


def test_what_was_received_after_its_key_had_ended_may_have_been_dated_back() -> None:
    file = bundle(
        letter(issued_at=NOW + 2 * HOUR),
        snapshots=(listed("Minden", -HOUR, HOUR),),
        exporter=KIEL_ID,
        by=KIEL,
    )
    verdict = examine(file, UMBRELLA)
    assert verdict.ruling is Ruling.PARTLY
    [gap] = verdict.findings[0].gaps
    assert gap.endswith("Wann sie die Nachricht schrieb, sagt nur sie selbst.")
    assert verdict.findings[0].delivered_at == NOW + 2 * HOUR


@pytest.mark.parametrize("newest_first", [False, True])
def test_when_a_key_ended_is_what_the_newest_directory_says(*, newest_first: bool) -> None:
    snapshots = (SNAPSHOT, listed("Minden", -9 * HOUR, -HOUR, version=5))
    file = bundle(
        GOOD, snapshots=snapshots[:: -1 if newest_first else 1], exporter=KIEL_ID, by=KIEL
    )
    assert examine(file, UMBRELLA).ruling is Ruling.REFUTED


def test_a_receipt_and_a_file_signed_when_their_keys_were_not_valid_are_refuted() -> None:
    verdict = examine(bundle(GOOD, snapshots=(listed("nord", -9 * HOUR, -HOUR),)), UMBRELLA)
    assert verdict.ruling is Ruling.REFUTED
    assert "Schlüssel der Quittung galt nicht" in verdict.findings[0].problems[0]
    verdict = examine(bundle(GOOD, snapshots=(listed("Minden", -9 * HOUR, -HOUR),)), UMBRELLA)
    assert "Schlüssel der ausstellenden Behörde galt nicht" in verdict.problems[0]


def test_a_receipt_of_an_ended_key_that_is_dated_back_is_refuted() -> None:
    """It names a time at which its key was valid, and at which the letter was not yet written."""
    nord = (listed("nord", -9 * HOUR, -HOUR),)
    verdict = examine(bundle(letter(issued_at=NOW - 2 * HOUR), snapshots=nord), UMBRELLA)
    assert verdict.ruling is Ruling.REFUTED
    assert "Schlüssel der Quittung galt nicht" in verdict.findings[0].problems[0]
