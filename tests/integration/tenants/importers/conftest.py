"""Files in the hands of a town's clerk, between the towns of the cases' tests."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from tenants.importers import selectors, services
from tenants.importers.models import ImportRow
from tenants.importers.selectors import RunView
from tests.factories.import_files import file, row
from tests.integration.tenants.cases.conftest import Town, a, b, c, known, post

__all__ = ["a", "b", "c", "known", "post"]

type Row = dict[str, str]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Crashes are told with everything around them; here they are wanted."""
    with capture_logs():
        yield


@pytest.fixture
def to_b(b: Town) -> Callable[..., Row]:
    """Return the function that makes a row for beta."""

    def to_b(number: int = 1, **changed: str) -> Row:
        return row(number, **{"Behoerdenschluessel": b.municipality.ags, **changed})

    return to_b


class Desk:
    """What a clerk of a town does with files."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def give(self, *rows: Row | bytes, name: str = "ersuchen.csv") -> UUID:
        """Bring in rows, or the bytes of a file."""
        content = b"".join(each if isinstance(each, bytes) else b"" for each in rows)
        content = content or file(*(each for each in rows if isinstance(each, dict)))
        with self.town.scope():
            run_id: UUID = services.start(name=name, chunks=[content], by=self.town.by).id
        return run_id

    def check(self, *rows: Row | bytes) -> RunView:
        """Bring in rows and have them checked."""
        run_id = self.give(*rows)
        with self.town.scope():
            return services.check_run(run_id)

    def take(self, *rows: Row | bytes, submit: bool = True) -> RunView:
        """Bring in rows and have the good ones imported."""
        view = self.check(*rows)
        with self.town.scope():
            if view.state == "checked":
                services.confirm(run_id=view.id, submit=submit, by=self.town.by)
            return services.run_import(view.id)

    def work_off(self) -> None:
        with self.town.scope():
            services.work_off()

    def run(self, run_id: UUID) -> RunView:
        with self.town.scope():
            return selectors.run(run_id)

    def rows(self, view: RunView) -> list[ImportRow]:
        with self.town.scope():
            return list(ImportRow.objects.filter(run_id=view.id).order_by("line"))

    def faults(self, view: RunView) -> list[tuple[int, str, str]]:
        """Return line, column and words of everything that is wrong."""
        return [
            (each.line, fault["header"], fault["text"])
            for each in self.rows(view)
            for fault in each.faults
        ]

    def error_file(self, view: RunView) -> str:
        with self.town.scope():
            return "".join(selectors.faults_csv(view.id))


@pytest.fixture
def desk(a: Town) -> Desk:
    return Desk(a)
