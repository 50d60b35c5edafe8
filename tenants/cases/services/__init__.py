"""Writes of cases. Import the package and call `services.verb(...)`.

`drafting` writes and sends requests, `steps` holds what clerks do with a case afterwards, `ending`
what they do where the other authority is gone, `resending` what did not get there; `work` makes the
writes of one transaction.
"""

from tenants.cases.services.drafting import (
    create_draft,
    create_drafts,
    delete_draft,
    give_up,
    resubmit,
    submit_draft,
    submit_request,
    submit_requests,
    update_draft,
)
from tenants.cases.services.ending import end_alone
from tenants.cases.services.resending import resend_message
from tenants.cases.services.steps import (
    Result,
    accept,
    accept_many,
    answer,
    ask,
    close,
    complete,
    confirm_withdrawal,
    refuse,
    withdraw,
)

__all__ = [
    "Result",
    "accept",
    "accept_many",
    "answer",
    "ask",
    "close",
    "complete",
    "confirm_withdrawal",
    "create_draft",
    "create_drafts",
    "delete_draft",
    "end_alone",
    "give_up",
    "refuse",
    "resend_message",
    "resubmit",
    "submit_draft",
    "submit_request",
    "submit_requests",
    "update_draft",
    "withdraw",
]
