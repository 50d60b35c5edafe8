"""All misuses: importing a module of cases enters them into the table."""

from tests.integration.federation.misuse import (
    callers,
    connections,
    contents,
    documents,
    fields,
    floods,
    frames,
    multitudes,
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
    multitudes,
)

__all__ = ["CASES", "HOSTILE_RECEIVERS", "MODULES", "page"]
