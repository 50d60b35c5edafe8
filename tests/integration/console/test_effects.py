"""Effects are counted where there are municipalities, not where there were some."""

from typing import Any

import psycopg
import pytest
from django.db import connection

from centre.kernel import clock
from centre.kernel.ids import new_id
from centre.registry.models import Municipality
from console import effects

pytestmark = [pytest.mark.slow, pytest.mark.process("owner")]


def test_deleted_and_half_founded_municipalities_are_passed_over(alpha: Municipality) -> None:
    connection.ensure_connection()
    owner: psycopg.Connection[Any] = connection.connection
    before = effects.schemas(owner)
    assert alpha.schema_name in before
    for slug, schema in (("weg", "t_weg"), ("halb", "t_halb")):
        Municipality.objects.create(
            slug=slug,
            name=slug,
            ags="05770009",
            ars=f"0577000090{len(slug):02}",
            authority_id=new_id(),
            schema_name=schema,
            tenant_role=f"krz_{schema}",
            state="deleted" if slug == "weg" else "founding",
            created_at=clock.now(),
        )
    owner.execute("CREATE SCHEMA t_halb")
    assert effects.schemas(owner) == before
    assert effects.count(owner).duplicates == 0
