"""Numbers of things as people say them: 1 letter, 2 letters."""


def counted(number: int, one: str, several: str) -> str:
    """Return a number and what there is so many of; none of a thing is said like several."""
    return f"{number} {one if number == 1 else several}"


def times(number: int) -> str:
    """Return how often something happened."""
    return "once" if number == 1 else f"{number} times"
