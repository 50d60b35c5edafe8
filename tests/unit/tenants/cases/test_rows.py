"""Rows that are only written have exactly the columns of their models."""

from dataclasses import fields
from typing import Any

import pytest
from django.db.models import Model

from tenants.cases.models import CaseEvent, CaseMessage, RequestContent
from tenants.cases.services.rows import ContentRow, EventRow, LogRow


@pytest.mark.parametrize(
    ("row", "model"), [(LogRow, CaseMessage), (EventRow, CaseEvent), (ContentRow, RequestContent)]
)
def test_a_row_has_the_columns_of_its_model(row: Any, model: type[Model]) -> None:
    columns = [field.attname for field in model._meta.concrete_fields]
    assert [field.name for field in fields(row)] == columns
