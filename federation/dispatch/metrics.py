"""Figures of each link for the operator's monitoring."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_letters_sent = Counter("amtsbruecke_dispatch_letters_sent", "Letters written to a peer.", ["link"])
_bytes_sent = Counter("amtsbruecke_dispatch_bytes_sent", "Bytes of letters written.", ["link"])
_frames_sent = Counter("amtsbruecke_dispatch_frames_sent", "Frames written to a peer.", ["link"])
_letters_receipted = Counter(
    "amtsbruecke_dispatch_letters_receipted", "Letters covered by stored receipts.", ["link"]
)
_duplicates = Counter(
    "amtsbruecke_dispatch_duplicates", "Letters that the peer already held.", ["link"]
)
_refusals = Counter(
    "amtsbruecke_dispatch_refusals", "Letters refused by the peer.", ["link", "reason", "final"]
)
_receipts_invalid = Counter(
    "amtsbruecke_dispatch_receipts_invalid", "Receipts that did not hold.", ["link"]
)
_failures = Counter(
    "amtsbruecke_dispatch_failures", "Calls that ended with an error.", ["link", "code"]
)
_receipt_seconds = Histogram(
    "amtsbruecke_dispatch_receipt_seconds",
    "Time from a frame to its receipt.",
    ["link"],
    buckets=_FAST,
)
backlog = Gauge("amtsbruecke_dispatch_backlog", "Letters not yet receipted.", ["link"])
oldest_seconds = Gauge(
    "amtsbruecke_dispatch_oldest_seconds", "Age of the oldest letter without receipt.", ["link"]
)
dead_letters = Gauge("amtsbruecke_dispatch_dead_letters", "Open dead letters.", ["link"])
connected = Gauge("amtsbruecke_dispatch_connected", "1 while a stream is open.", ["link"])
owned = Gauge("amtsbruecke_dispatch_owned", "1 while this process works on the link.", ["link"])
backoff_seconds = Gauge(
    "amtsbruecke_dispatch_backoff_seconds", "Time until the link is tried again.", ["link"]
)


def released(link: str) -> None:
    """Say nothing more of a link that is another process's now: its figures would stand still."""
    owned.labels(link).set(0)
    for gauge in (backlog, oldest_seconds, dead_letters, backoff_seconds):
        gauge.remove(link)


def sent(link: str, *, letters: int, size: int) -> None:
    _frames_sent.labels(link).inc()
    _letters_sent.labels(link).inc(letters)
    _bytes_sent.labels(link).inc(size)


def receipted(link: str, *, seconds: float) -> None:
    _receipt_seconds.labels(link).observe(seconds)


def stored(
    link: str, *, letters: int, duplicates: int, refusals: Sequence[tuple[str, bool]]
) -> None:
    _letters_receipted.labels(link).inc(letters)
    if duplicates:
        _duplicates.labels(link).inc(duplicates)
    for reason, final in refusals:
        _refusals.labels(link, reason, str(final).lower()).inc()


def failed(link: str, *, code: str) -> None:
    _failures.labels(link, code).inc()


def receipt_invalid(link: str) -> None:
    _receipts_invalid.labels(link).inc()
