"""All misuses: importing a module of cases enters them into the table."""

from tests.integration.federation.misuse import (
    callers,
    connections,
    contents,
    documents,
    fields,
    floods,
    frames,
    inclusions,
    multitudes,
    ownership,
    rates,
    receipts,
    receivers,
    replays,
    strangers,
)
from tests.integration.federation.misuse.table import (
    CASES,
    HOSTILE_RECEIVERS,
    STRANGE_RECEIVERS,
    STRANGERS,
    page,
)

MODULES = (
    callers,
    ownership,
    contents,
    fields,
    inclusions,
    replays,
    frames,
    documents,
    connections,
    floods,
    rates,
    strangers,
    receivers,
    receipts,
    multitudes,
)

__all__ = ["CASES", "HOSTILE_RECEIVERS", "MODULES", "STRANGERS", "STRANGE_RECEIVERS", "page"]
