"""All misuses: importing a module of cases enters them into the table."""

from tests.integration.federation.misuse import (
    callers,
    connections,
    contents,
    documents,
    fields,
    floods,
    frames,
    ownership,
    receivers,
    replays,
)
from tests.integration.federation.misuse.table import CASES, HOSTILE_RECEIVERS, page

MODULES = (
    callers,
    ownership,
    contents,
    fields,
    replays,
    frames,
    documents,
    connections,
    floods,
    receivers,
)

__all__ = ["CASES", "HOSTILE_RECEIVERS", "MODULES", "page"]
