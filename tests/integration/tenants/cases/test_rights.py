"""Whoever may only read writes nothing, whichever service he finds a way to."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from centre.kernel.ids import new_id
from tenants.cases import codes, services
from tenants.cases.errors import NotAllowed
from tenants.clerks.roles import Role
from tenants.importers import services as importers
from tests.factories.clerks import clerk
from tests.factories.requests import request

Town = Any

#: Work of the program, for files that somebody with the right has confirmed.
OF_NOBODY = {"check_run", "run_import", "work_off"}
SERVICES: dict[str, Callable[..., Any]] = {
    f"{module.__name__.split('.')[1]}.{name}": service
    for module in (services, importers)
    for name in module.__all__
    if inspect.isfunction(service := getattr(module, name)) and name not in OF_NOBODY
}
REASONS = {
    "cases.refuse": next(iter(codes.REFUSAL_REASONS)),
    "cases.withdraw": next(iter(codes.WITHDRAWAL_REASONS)),
}


def _arguments(name: str, to: Any) -> dict[str, Any]:
    """Return good values for whatever the service asks for."""
    good = {
        "authority_id": to,
        "case_id": new_id(),
        "choices": [(new_id(), 1, "V-1")],
        "chunks": [b"Aktenzeichen\n1\n"],
        "draft": request(to=to),
        "drafts": [request(to=to)],
        "line": 2,
        "message_id": new_id(),
        "name": "datei.csv",
        "own_reference": "V-1",
        "reason": REASONS.get(name),
        "result": next(iter(codes.COMPLETION_RESULTS)),
        "run_id": new_id(),
        "shown": 1,
        "text": "Geklärt am Telefon.",
        "topic": next(iter(codes.QUERY_TOPICS)),
        "version": 1,
    }
    wanted = inspect.signature(SERVICES[name]).parameters.values()
    asked = [each.name for each in wanted if each.default is inspect.Parameter.empty]
    return {each: good[each] for each in asked if each != "by"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_reader_writes_nothing(a: Town, b: Town, name: str) -> None:
    with a.scope():
        by = clerk("leser", role=Role.READER).actor
        with pytest.raises(NotAllowed):
            SERVICES[name](**_arguments(name, b.id), by=by)
