"""What happens at regular times. Static: tasks without payload that ask the database what is due.

A line reads `"name": {"task": "dotted.name", "schedule": seconds}`.
"""

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "vouch for the trail": {"task": "audit.sign_heads", "schedule": 60.0},
}
