"""When a link looks: at once if idle, after a linger under load, then less and less often."""

from federation.dispatch.pace import Pace


def test_lone_letter_is_looked_for_at_once() -> None:
    pace = Pace()
    pace.looked(found=0)
    pace.poked()
    assert pace.wait(under_way=False, full=False) == 0.0


def test_linger_makes_the_batch_while_letters_are_under_way() -> None:
    pace = Pace(linger=0.003)
    pace.looked(found=5)
    assert pace.wait(under_way=True, full=False) == 0.003
    assert pace.lingers


def test_linger_behind_a_lone_letter_ends_with_its_receipt() -> None:
    pace = Pace()
    pace.looked(found=1)
    assert pace.lingers
    assert pace.until_receipt
    pace.looked(found=2)
    assert pace.lingers
    assert not pace.until_receipt


def test_full_frame_does_not_linger() -> None:
    pace = Pace()
    pace.looked(found=64)
    assert pace.wait(under_way=True, full=True) == 0.0


def test_looks_ease_and_then_rest() -> None:
    pace = Pace()
    waits = []
    for _ in range(6):
        pace.looked(found=0)
        waits.append(pace.wait(under_way=False, full=False))
    assert waits[-1] is None
    assert waits[:-1] == sorted(waits[:-1])


def test_looks_after_a_poke_outlast_the_pokes_that_were_suppressed() -> None:
    """A sender stays silent for 20 ms after a poke: the looks must go on for longer."""
    pace = Pace()
    pace.poked()
    total = 0.0
    while True:
        pace.looked(found=0)
        wait = pace.wait(under_way=False, full=False)
        if wait is None:
            break
        total += wait
    assert total > 0.020 * 2
