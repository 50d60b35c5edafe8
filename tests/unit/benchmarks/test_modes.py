"""What is measured: only if it is what it is called."""

from typing import Any

import pytest

from benchmarks import modes
from benchmarks.world import BenchmarkError


class _Clockwork:
    """A link that lets out so many letters while they are posted; the town has no recipients."""

    def __init__(self, leaks: int) -> None:
        self.world, self.krz, self.nord = self, self, self
        self.tenants, self.authorities = 1, ["nobody"]
        self._leaks, self._acked = leaks, 7

    def acked(self) -> int:
        return self._acked

    def step(self, name: str, **said: Any) -> None:
        assert (name, said["count"]) == ("post", 100)
        self._acked += self._leaks


def _clockwork(leaks: int) -> Any:
    """As much of one as is asked for."""
    return _Clockwork(leaks)


def test_a_backlog_is_one_only_if_nothing_goes_out() -> None:
    """A pause before the link was there let a million letters be drained at once."""
    modes._pile_up(_clockwork(leaks=0), 100)
    with pytest.raises(BenchmarkError, match="paused link"):
        modes._pile_up(_clockwork(leaks=1), 100)
