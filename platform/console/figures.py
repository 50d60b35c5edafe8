"""What the worker's metrics door tells of the centre: what waits, and for whom.

Asked of the database when Prometheus asks, so that it is true whichever worker answers.
"""

from collections.abc import Iterator

import psycopg
from kombu.connection import Connection
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from console import waiting
from console.doors import Check

_PATIENCE_S = 3


class _Figures(Collector):
    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def collect(self) -> Iterator[Metric]:
        """Yield what waits; `amtsbruecke_database_up` alone when the database does not answer."""
        up = GaugeMetricFamily("amtsbruecke_database_up", "1 if the database answers.")
        try:
            found = waiting.count(self._url)
        except psycopg.Error:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        messages = GaugeMetricFamily(
            "amtsbruecke_inbox_messages", "Messages that were not applied yet.", labels=["state"]
        )
        oldest = GaugeMetricFamily(
            "amtsbruecke_inbox_oldest_seconds",
            "Age of the oldest message in a state.",
            labels=["state"],
        )
        for state in ("pending", "held", "parked"):
            messages.add_metric([state], getattr(found, state))
        oldest.add_metric(["pending"], found.oldest_pending)
        oldest.add_metric(["held"], found.oldest_held)
        yield messages
        yield oldest
        for name, words, value in (
            ("dead_letters", "Letters that were not delivered and wait for a person.", found.dead),
            ("alarms", "Alarms that nobody has seen.", found.alarms),
            ("outcome_debts", "News that a municipality could not be told of yet.", found.debts),
        ):
            yield GaugeMetricFamily(f"amtsbruecke_{name}", words, value=value)


def collect(database_url: str) -> None:
    """Tell these figures whenever this process is asked for its figures."""
    REGISTRY.register(_Figures(database_url))


def reaches_broker(url: str) -> Check:
    """Return the check that the broker answers."""

    def check() -> str:
        try:
            with Connection(url, connect_timeout=_PATIENCE_S) as broker:  # type: ignore[no-untyped-call]
                broker.ensure_connection(max_retries=1, timeout=_PATIENCE_S)
        except Exception:  # noqa: BLE001 -- each transport has errors of its own
            return "no broker"
        return ""

    return check
