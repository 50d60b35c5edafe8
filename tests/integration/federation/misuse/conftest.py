"""One database for all cases: a case leaves rows in the federation's tables at most, if in any."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections

from tests.plugins.database import Cluster

_TABLES = """
SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables
 WHERE schemaname = 'public' AND tablename ~ '^(outbox|inbox|blobs)_'
"""


@pytest.fixture(scope="module")
def _one_database(cluster: Cluster) -> Iterator[None]:
    yield
    connections.close_all()
    cluster.renew()


@pytest.fixture
def committed_db(
    _one_database: None, cluster: Cluster, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    """A database in which a case commits; emptied afterwards, which is quicker than a copy."""
    with django_db_blocker.unblock():
        yield
        connections.close_all()
    with psycopg.connect(cluster.url("owner"), autocommit=True) as owner:
        (tables,) = owner.execute(_TABLES).fetchone() or ("",)
        owner.execute(f"TRUNCATE {tables}")
