"""Processes die; letters do not."""

import pytest

from tests.two_centres.conftest import Pair, eventually

pytestmark = [pytest.mark.two_centres, pytest.mark.slow]


def test_letters_cross_in_both_directions(pair: Pair) -> None:
    there = pair.krz.post(pair.nord, 150)
    back = pair.nord.post(pair.krz, 150)
    pair.settled(pair.krz, pair.nord, there)
    pair.settled(pair.nord, pair.krz, back)


def test_neighbours_of_one_centre_take_the_same_road(pair: Pair) -> None:
    ids = pair.krz.post(pair.krz, 20)
    pair.settled(pair.krz, pair.krz, ids)


def test_receiver_is_killed_and_comes_back(pair: Pair) -> None:
    before = pair.krz.acked("nord")
    ids = pair.krz.post(pair.nord, 1500)
    eventually(lambda: pair.krz.acked("nord") > before, what="first receipts")
    pair.nord.kill("gateway")
    more = pair.krz.post(pair.nord, 50)
    pair.nord.start("gateway")
    pair.settled(pair.krz, pair.nord, ids + more)


def test_sender_is_killed_and_another_dispatcher_takes_over(pair: Pair) -> None:
    pair.krz.start("dispatch", named="dispatch-2")
    owners = "SELECT count(DISTINCT owner) FROM outbox_link WHERE lease_until > now()"
    eventually(lambda: pair.krz.rows(owners)[0]["count"] == 2, what="shared links")
    before = pair.krz.acked("nord")
    ids = pair.krz.post(pair.nord, 1500)
    eventually(lambda: pair.krz.acked("nord") > before, what="first receipts")
    (link,) = pair.krz.rows("SELECT owner FROM outbox_link WHERE name = 'nord'")
    process_id = int(link["owner"].split(":")[1])
    (victim,) = [name for name, each in pair.krz.processes.items() if each.pid == process_id]
    pair.krz.kill(victim)
    more = pair.krz.post(pair.nord, 50)
    pair.settled(pair.krz, pair.nord, ids + more)


def test_orderly_stop_leaves_nothing_under_way(pair: Pair) -> None:
    ids = pair.krz.post(pair.nord, 500)
    eventually(lambda: pair.krz.rows("SELECT FROM outbox_letter WHERE lseq > 0"), what="a number")
    assert pair.krz.stop("dispatch") == 0
    assert not pair.krz.rows("SELECT FROM outbox_link WHERE owner <> ''")
    pair.krz.start("dispatch")
    pair.settled(pair.krz, pair.nord, ids)
