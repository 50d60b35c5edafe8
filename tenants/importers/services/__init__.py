"""Writes of imports. Import the package and call `services.verb(...)`.

`files` takes a file and checks it, `decisions` holds what people decide about it, `running` turns
its rows into requests. A run can be interrupted at any moment: its check is one transaction, its
rows become requests in chunks, each one transaction with the requests, so that a row is imported
once or not at all.
"""

from tenants.importers.services.decisions import choose, confirm, discard
from tenants.importers.services.files import Rehearsal, check_run, rehearse, start
from tenants.importers.services.running import CHUNK, run_import, work_off

__all__ = [
    "CHUNK",
    "Rehearsal",
    "check_run",
    "choose",
    "confirm",
    "discard",
    "rehearse",
    "run_import",
    "start",
    "work_off",
]
