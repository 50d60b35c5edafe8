"""Keep the catalogue of translations in step with the pages. German is the source language.

    python scripts/translations.py            adds new phrases to the .po file and compiles it
    python scripts/translations.py --check    writes nothing; fails where a phrase lacks its
                                              translation or the compiled file is not up to date

Needs no GNU gettext: Babel reads Python, Django turns its templates into something that Babel
reads as Python.
"""

import argparse
import ast
import inspect
import io
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centre.config.settings")

from django.utils.translation.template import templatize

from centre.kernel.errors import AmtsbrueckeError
from federation.protocol.reasons import RULES
from tenants.cases import codes, deadlines, lifecycle
from tenants.cases import errors as _cases
from tenants.clerks import errors as _clerks
from tenants.clerks.roles import Role
from tenants.documents import errors as _documents
from tenants.importers import columns
from tenants.importers import errors as _importers

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("platform/centre", "tenants")
PO = ROOT / "tenants" / "web" / "locale" / "en" / "LC_MESSAGES" / "django.po"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_NO_MATTER_WHEN = datetime(2000, 1, 1, tzinfo=UTC)  # the same phrases give the same file
#: Checks of one field: path, value, then the field's name somewhere.
FIELD_CHECKS = {"text", "code", "past", "amount", "count", "_line", "_free", "_coded"}
#: Imported so that all their errors are known.
_ROOMS_WITH_ERRORS = (_cases, _clerks, _documents, _importers)
HEADER = "English pages of Amtsbrücke. German is the source language."


def phrases() -> Catalog:
    """Return a catalogue of everything that the pages may say."""
    catalog = Catalog(locale="en", domain="django", fuzzy=False)
    for path, source in _sources():
        code = io.BytesIO(source.encode())
        options = {"encoding": "utf-8"}
        for _line, message, _comments, context in extract(
            "python", code, KEYWORDS, options=options
        ):
            catalog.add(message, locations=[(path, 0)], context=context)
    for words in (*_plain_data(), *_faults(), *_refusals()):
        catalog.add(words, locations=[("tenants/cases", 0)])
    return catalog


def _plain_data() -> Iterator[str]:
    """Yield words that stand as plain data and are translated where they are shown."""
    for listed in vars(codes).values():
        if isinstance(listed, MappingProxyType):
            yield from listed.values()
    for column in columns.COLUMNS:
        yield from filter(None, (column.form, column.help))
    yield from (role.label for role in Role)
    yield from (row.label for row in (*lifecycle.STEPS, *lifecycle.RECEPTIONS))
    yield from lifecycle.DONE.values()
    yield from (deadline.label for deadline in deadlines.DEADLINES.values())
    yield from (rule.german for rule in RULES.values())
    for words in lifecycle.GRAPH.labels.values():
        yield from filter(None, words)


def _faults() -> Iterator[str]:
    """Yield what faults of drafts and rows say: texts, hints, templates, and names of fields."""
    rooms = (ROOT / "tenants" / room for room in ("cases", "importers"))
    for file in sorted(file for room in rooms for file in room.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call):
                yield from _said_by(call)


def _said_by(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == "Words":
        yield from _texts(call.args[0])
    elif name in {"Fault", "RowFault", "_at_address"}:
        for given in call.keywords:
            if given.arg in {"text", "hint"}:
                yield from _texts(given.value)
    elif name in FIELD_CHECKS:
        for argument in call.args[2:]:  # the first two name the field and give its value
            yield from _texts(argument)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def _refusals() -> Iterator[str]:
    """Yield what services refuse with: an error's docstring is its message."""
    todo = [AmtsbrueckeError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__module__.startswith("tenants.") and (words := inspect.getdoc(kind)):
            yield words


def _sources() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            yield str(file.relative_to(ROOT)), file.read_text()
        for file in sorted((ROOT / room).rglob("templates/**/*.*")):
            text = templatize(file.read_text(), origin=str(file))
            yield str(file.relative_to(ROOT)), text


def updated() -> Catalog:
    """Return the present translations with all phrases of now, and no others."""
    with PO.open("rb") as file:
        catalog = read_po(file, locale="en", domain="django")
    catalog.update(phrases(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.header_comment = f"# {HEADER}"
    catalog.fuzzy = False
    return catalog


def written(catalog: Catalog) -> bytes:
    out = io.BytesIO()
    write_po(out, catalog, width=100, sort_output=True, no_location=True, omit_header=False)
    lines = out.getvalue().decode().splitlines(keepends=True)
    volatile = (
        '"POT-Creation-Date',
        '"PO-Revision-Date',
        '"Last-Translator',
        '"Language-Team',
        '"Project-Id-Version',
        '"Report-Msgid',
        '"Generated-By',
    )
    return "".join(line for line in lines if not line.startswith(volatile)).encode()


def compiled(po: bytes) -> bytes:
    out = io.BytesIO()
    catalog = read_po(io.BytesIO(po), locale="en", domain="django")
    catalog.creation_date = catalog.revision_date = _NO_MATTER_WHEN
    write_mo(out, catalog)
    return out.getvalue()


def untranslated(catalog: Catalog) -> list[str]:
    found = []
    for message in catalog:
        if not message.id:
            continue
        strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
        if not strings or not all(strings):
            found.append(str(message.id))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail where they differ"
    )
    check = parser.parse_args().check
    catalog = updated()
    po = written(catalog)
    mo = compiled(po)
    missing = untranslated(catalog)
    for phrase in missing:
        print(f"not translated: {phrase}", file=sys.stderr)
    compiled_file = PO.with_suffix(".mo")
    if not check:
        PO.write_bytes(po)
        compiled_file.write_bytes(mo)
        print(f"{len(catalog)} phrases, {len(missing)} without translation")
        return 0
    differs = PO.read_bytes() != po or compiled_file.read_bytes() != mo
    if differs:
        print("The catalogue is not up to date: python scripts/translations.py", file=sys.stderr)
    return int(differs or bool(missing))


if __name__ == "__main__":
    sys.exit(main())
