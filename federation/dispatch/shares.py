"""Which links a dispatch process works on, when several share them. Pure."""

from collections.abc import Collection


def fair_share(links: int, processes: int) -> int:
    """Return how many links each process may hold, so that all are held."""
    return -(-links // max(processes, 1))


def surplus(held: Collection[str], *, share: int, busy: Collection[str]) -> list[str]:
    """Return links to give up so that `share` remain: resting ones first, by name."""
    excess = max(len(held) - share, 0)
    return sorted(held, key=lambda link: (link in busy, link))[:excess]
