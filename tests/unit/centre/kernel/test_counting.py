import pytest

from centre.kernel.counting import counted, times


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 letters"), (1, "1 letter"), (2, "2 letters"), (21, "21 letters")]
)
def test_one_of_a_thing_is_said_otherwise_than_none_and_several(number: int, words: str) -> None:
    assert counted(number, "letter", "letters") == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 times"), (1, "once"), (2, "2 times")])
def test_what_happened_one_time_happened_once(number: int, words: str) -> None:
    assert times(number) == words
