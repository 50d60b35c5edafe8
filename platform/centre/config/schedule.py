"""What happens at regular times. Static: tasks without payload that ask the database what is due.

A line reads `"name": {"task": "dotted.name", "schedule": seconds}`.
"""

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "go on with imports": {"task": "importers.look_around", "schedule": 60.0},
    "find the first directory": {"task": "sync.fetch_first_directory", "schedule": 2.0},
    "bring the directory up to date": {"task": "sync.fetch_directory", "schedule": 300.0},
    # The gateway wakes the worker after each commit; this is the safety net.
    "apply what has come in": {"task": "inbox.apply_due_messages", "schedule": 1.0},
    "watch for gaps": {"task": "inbox.watch_gaps", "schedule": 600.0},
    "delete old notes about failed calls": {"task": "outbox.tidy", "schedule": 6 * 3600.0},
    "clear sessions": {"task": "clerks.clear_sessions", "schedule": 24 * 3600.0},
    "clear abandoned documents": {"task": "blobs.clear_abandoned", "schedule": 6 * 3600.0},
    "look after files": {"task": "blobs.look_after_files", "schedule": 6 * 3600.0},
    "tell tenants what became of letters": {"task": "outbox.deliver_outcomes", "schedule": 1.0},
    "vouch for the trail": {"task": "audit.sign_heads", "schedule": 60.0},
}
