"""What breaks when is a pure function of the seed."""

from benchmarks.faults.plan import CENTRES, SPARED, TARGETS, Kind, make


def test_the_same_seed_breaks_the_same_things() -> None:
    assert make(7, kills=50, others=3) == make(7, kills=50, others=3)
    assert make(7, kills=50, others=3) != make(8, kills=50, others=3)


def test_every_process_of_both_centres_dies_once_kills_are_enough() -> None:
    every = len(CENTRES) * len(TARGETS)
    killed = {(each.centre, each.what) for each in make(3, kills=every) if each.kind is Kind.KILL}
    assert killed == {(centre, target) for centre in CENTRES for target in TARGETS}


def test_spared_processes_live_through_the_run() -> None:
    killed = {(each.centre, each.what) for each in make(3, kills=100, spared=SPARED)}
    assert not killed & set(SPARED)
    assert ("krz", "dispatch-2") in killed


def test_every_kind_comes_as_often_as_asked_and_at_both_centres() -> None:
    faults = make(5, kills=10, others=2)
    for kind in Kind:
        found = [each for each in faults if each.kind is kind]
        assert len(found) == (10 if kind is Kind.KILL else 2)
        assert kind is Kind.KILL or {each.centre for each in found} == set(CENTRES)


def test_clocks_jump_both_ways() -> None:
    jumps = [each.what for each in make(5, kills=0) if each.kind is Kind.SKEW]
    assert sorted(jumps) == ["-3600", "3600"]


def test_in_a_long_run_the_clock_of_each_centre_jumps_both_ways() -> None:
    faults = make(5, kills=0, others=4)
    jumps = {(each.centre, each.what) for each in faults if each.kind is Kind.SKEW}
    assert jumps == {(centre, jump) for centre in CENTRES for jump in ("-3600", "3600")}


def test_faults_come_in_order_while_there_is_traffic() -> None:
    places = [each.at for each in make(11, kills=100, others=5)]
    assert places == sorted(places)
    assert places[0] >= 0.05
    assert places[-1] <= 0.95


def test_only_what_was_asked_for_breaks() -> None:
    (fault,) = make(1, kills=9, others=1, kinds=[Kind.CUT])
    assert fault.kind is Kind.CUT
    assert 2.0 <= fault.seconds <= 6.0
