"""From a PostgreSQL URL to Django's `DATABASES` entry."""

from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from centre.config.environment import Environment, EnvironmentInvalid, Process

# Each backend process keeps what it has seen of each schema: 3.5 MB fresh, 490 MB after all tables
# of 390 schemas. Connections therefore live minutes, not hours.
_POOL = {"min_size": 0, "max_size": 12, "max_lifetime": 600, "max_idle": 120, "timeout": 20}

# A migration that waits for a lock makes everybody behind it wait too: it gives up instead.
_OWNER_SESSION = "-c lock_timeout=4000"
_SERVER_SESSION = "-c idle_in_transaction_session_timeout=120000"

# Processes that hold streams to other centres: whatever hangs lets go of its locks soon, so that
# another process can take over. A server that has gone is noticed below TCP's own patience.
#
# Every statement of theirs is a few look-ups by index, and what the planner knows about a queue is
# old: it was counted while thousands waited, or while nothing did. It would read the whole table,
# or join it by hash, to find that nothing does; or take a smaller index and sort, and so read all
# that waits for each town. A bitmap scan never marks entries of letters that have left the queue,
# so each look meets them again. And to plan the numbering anew each time costs more than to number.
_STREAMING_SESSION = (
    "-c statement_timeout=20000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=15000"
    " -c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c enable_sort=off -c enable_incremental_sort=off -c plan_cache_mode=force_generic_plan"
)


def streaming(application_name: str) -> dict[str, Any]:
    """Return how gateway and dispatch connect: parameters of psycopg beside the URL."""
    return {
        "autocommit": True,
        "application_name": application_name,
        "options": _STREAMING_SESSION,
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }


def database(environment: Environment) -> dict[str, Any]:
    """Return the settings of this process's one database connection."""
    try:
        parts = conninfo_to_dict(environment.database_url)
    except ProgrammingError as error:
        variable = f"AMTSBRUECKE_{environment.process.upper()}_DATABASE_URL"
        # The error quotes the URL, and with it the password.
        raise EnvironmentInvalid(f"{variable} is no PostgreSQL URL.") from error
    owner = environment.process is Process.OWNER
    options: dict[str, Any] = {
        "application_name": f"amtsbruecke-{environment.process}",
        "options": _OWNER_SESSION if owner else _SERVER_SESSION,
        **{key: value for key, value in parts.items() if key not in _DJANGO_KEYS},
    }
    if parts and not owner:
        options["pool"] = dict(_POOL)
    return {
        "ENGINE": "centre.tenancy.backend",
        **{key: parts.get(name) or "" for name, key in _DJANGO_KEYS.items()},
        "NAME": parts.get("dbname") or "not-configured",
        "CONN_MAX_AGE": 0,
        # The pool may hold connections that a restart of PostgreSQL has ended.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


_DJANGO_KEYS = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}
