"""A process is compared with itself, never with the one before it."""

from benchmarks.faults.memory import LONG_RUN, Memory
from benchmarks.faults.plan import SPARED

NAMES = [f"{centre} {name}" for centre, name in SPARED]
OTHERS = ["krz gateway", "krz dispatch-2", "krz postgresql"]


def memory(growth: float = 0.0, *, letters: int = LONG_RUN, names: list[str] = NAMES) -> Memory:
    """Return what was seen of processes that grew by so many MB in all."""
    found = Memory()
    for pid, name in enumerate(names):
        for step in range(101):
            found.samples[name, pid].append((letters * step // 100, 70 + growth * step / 100))
    return found


def test_who_stays_as_it_is_is_well() -> None:
    assert memory().problems(asked=LONG_RUN) == []
    assert len(memory().notes()) == len(SPARED)


def test_who_grows_with_the_letters_is_found() -> None:
    problems = memory(40).problems(asked=LONG_RUN)
    assert len(problems) == len(SPARED)
    assert "it grows" in problems[0]


def test_a_short_run_bears_warming_and_finds_what_is_more() -> None:
    """Short by what was asked: its faults may have taken many more letters."""
    for letters in (LONG_RUN // 2, LONG_RUN + 2_000):
        assert memory(15, letters=letters).problems(asked=600) == []
        assert len(memory(120, letters=letters).problems(asked=600)) == len(SPARED)


def test_in_a_long_run_the_others_may_get_warm_and_not_grow_on() -> None:
    def problems(growth: float) -> list[str]:
        found = memory()
        found.samples |= memory(growth, names=OTHERS).samples
        return [each.split(":")[0] for each in found.problems(asked=LONG_RUN)]

    assert problems(15) == []
    assert problems(120) == ["own memory of krz dispatch-2", "own memory of krz gateway"]


def test_a_long_run_must_be_able_to_say_something_of_each() -> None:
    (problem,) = memory(names=NAMES[1:]).problems(asked=LONG_RUN)
    assert problem == f"nothing can be said of {NAMES[0]}"


def test_two_lives_of_a_service_are_not_one() -> None:
    found = Memory()
    for step in range(24):
        found.samples[NAMES[0], step // 12].append((step * 1_000, 50 if step < 12 else 500))
    assert found.compare() == []
    assert found.notes() == ["own memory: no process lived long enough to compare it with itself"]
