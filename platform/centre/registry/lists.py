"""A list of municipalities to be created, as a CSV file: what it says, and what is wrong with it.

Columns `slug`, `name`, `ags`, `ars`; if wanted `authority_id` and `administrator`, the e-mail
address or login of the first person who may sign in. Separated by commas or semicolons, in UTF-8.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from centre.kernel.errors import AmtsbrueckeError
from centre.registry.models import Municipality, MunicipalityState
from centre.registry.selectors import RegistryError
from centre.registry.services import NewTenant, check_name, check_numbers, check_same
from centre.tenancy import roles
from centre.tenancy.context import public_scope

_NEEDED = ("slug", "name", "ags", "ars")
_POSSIBLE = (*_NEEDED, "authority_id", "administrator")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")

type Cells = Mapping[str, str]


class ListUnreadable(RegistryError):
    """The list of municipalities cannot be read at all."""

    reason = "LIST_UNREADABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the list."""

    #: In the file, for people who look it up.
    line: int
    slug: str
    #: None if something is wrong.
    tenant: NewTenant | None
    #: E-mail address or login of the first administrator; empty if there is to be none.
    administrator: str
    #: What is wrong, in words.
    faults: tuple[str, ...]
    #: Whether the municipality exists, and nothing is to be done.
    is_there: bool

    @property
    def login(self) -> str:
        return _login(self.administrator)


def read(text: str) -> list[Row]:
    """Read a list and check it, also against what is hosted here. Raises `ListUnreadable`."""
    text = text.removeprefix("\ufeff")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().lower() for name in next(lines, [])]
        _check_columns(columns)
        with public_scope():
            checker = _Checker(Municipality.objects.all())
        return [
            checker.row(lines.line_num, columns, cells)
            for cells in lines
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise ListUnreadable(f"Line {lines.line_num}: {error}.") from error


def _check_columns(columns: list[str]) -> None:
    if missing := [name for name in _NEEDED if name not in columns]:
        raise ListUnreadable(
            f"The first line must name the columns. Missing: {', '.join(missing)}."
        )
    if unknown := [name for name in columns if name not in _POSSIBLE]:
        raise ListUnreadable(
            f"Unknown columns: {', '.join(unknown)}. Possible: {', '.join(_POSSIBLE)}."
        )
    if len(set(columns)) != len(columns):
        raise ListUnreadable("A column is named twice.")


class _Checker:
    """Checks line after line, and remembers them."""

    def __init__(self, known: Iterable[Municipality]) -> None:
        self._known = {each.slug: each for each in known}
        #: Where a value of a column that names one municipality was found.
        self._places: dict[tuple[str, str], tuple[str, str]] = {}
        for each in self._known.values():
            if each.state != MunicipalityState.DELETED:
                self._places["ars", each.ars] = each.slug, f"that of {each.slug}, hosted here"

    def row(self, line: int, columns: list[str], cells: list[str]) -> Row:
        values = dict.fromkeys(_POSSIBLE, "")
        values.update(zip(columns, (cell.strip() for cell in cells), strict=False))
        values["name"] = " ".join(values["name"].split())  # spreadsheets wrap long names
        faults = list(self._faults(line, values))
        if len(cells) > len(columns):
            faults.append(f"it has {len(cells)} cells, but there are {len(columns)} columns")
        known = self._known.get(values["slug"])
        return Row(
            line=line,
            slug=values["slug"],
            tenant=None if faults else _tenant(values),
            administrator=values["administrator"],
            faults=tuple(faults),
            is_there=known is not None and known.state != MunicipalityState.FOUNDING,
        )

    def _faults(self, line: int, values: Cells) -> Iterator[str]:
        yield from _words_of(lambda: roles.check_slug(values["slug"]))
        yield from _words_of(lambda: check_numbers(ags=values["ags"], ars=values["ars"]))
        yield from _words_of(lambda: check_name(values["name"]))
        if values["administrator"] and not _LOGIN.fullmatch(_login(values["administrator"])):
            yield f"{values['administrator']!r} does not begin with a possible login"
        try:
            authority_id = _authority_id(values)
        except ValueError:
            yield f"authority_id {values['authority_id']!r} is no UUID"
            return
        if known := self._known.get(values["slug"]):
            check = partial(check_same, known, ars=values["ars"], authority_id=authority_id)
            yield from _words_of(check)
        for column in ("slug", "ars", "authority_id"):
            yield from self._met_before(column, line, values)

    def _met_before(self, column: str, line: int, values: Cells) -> Iterator[str]:
        slug, value = values["slug"], values[column]
        if not value:
            return
        owner, place = self._places.setdefault((column, value), (slug, f"that of line {line}"))
        if owner != slug or (column == "slug" and place != f"that of line {line}"):
            yield f"{column} {value!r} is {place}, too"


def _words_of(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except AmtsbrueckeError as error:
        yield error.message.rstrip(".")


def _login(administrator: str) -> str:
    return administrator.partition("@")[0].lower()


def _authority_id(values: Cells) -> UUID | None:
    return UUID(values["authority_id"]) if values["authority_id"] else None


def _tenant(values: Cells) -> NewTenant:
    return NewTenant(
        slug=values["slug"],
        name=values["name"],
        ags=values["ags"],
        ars=values["ars"],
        authority_id=_authority_id(values),
    )
