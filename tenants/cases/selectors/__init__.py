"""Reads of cases. `read_...` leaves a trace in the trail and is what doors use."""

from tenants.cases.selectors.absence import absent_authorities, ended_alone
from tenants.cases.selectors.case import (
    CaseView,
    TimelineEntry,
    case_named,
    case_view,
    message_ids,
    message_log,
    payload_of,
    read_case,
    reference_of,
)
from tenants.cases.selectors.deliveries import DeliveryView
from tenants.cases.selectors.suggestions import read_suggestions
from tenants.cases.selectors.worklist import (
    MAX_AUTHORITIES,
    Counts,
    Filters,
    Row,
    authorities,
    counts,
    read_worklist,
    rows,
    what_deletion_cuts_off,
    worklist,
)

__all__ = [
    "MAX_AUTHORITIES",
    "CaseView",
    "Counts",
    "DeliveryView",
    "Filters",
    "Row",
    "TimelineEntry",
    "absent_authorities",
    "authorities",
    "case_named",
    "case_view",
    "counts",
    "ended_alone",
    "message_ids",
    "message_log",
    "payload_of",
    "read_case",
    "read_suggestions",
    "read_worklist",
    "reference_of",
    "rows",
    "what_deletion_cuts_off",
    "worklist",
]
