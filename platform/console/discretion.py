"""What a log may say of an exception: what it is and where, never the words that may hold content.

PostgreSQL quotes whole rows ("Failing row contains (…)", "Key (name)=(…) already exists"), and a
`ValueError` quotes what it could not read. So an exception in a log is its type, the lines of code
that it came through, and words only where nobody's data can be in them.
"""

import re
import traceback
from collections.abc import Iterator

from centre.kernel.errors import AmtsbrueckeError

#: Their messages speak of code (Python's) or of files and sockets, never of values.
_ABOUT_CODE = (TypeError, AttributeError, NameError, ImportError, OSError)
#: Classes of SQLSTATE whose first line cannot quote a row: connection, login, deadlock, missing
#: right or table, resources, object state, operator, system.
_ABOUT_SERVER = ("08", "28", "40", "53", "55", "57", "58")
_MISSING = frozenset({"42501", "42P01", "42703", "42883"})
#: From here on PostgreSQL's message quotes rows and statements; also inside a `repr`.
_QUOTATION = re.compile(
    r"(?:\n|\\n)\s*(?:DETAIL|CONTEXT|HINT|QUERY|STATEMENT|LINE \d+):.*", re.DOTALL
)

#: A shorter text says nothing and stands everywhere.
_SHORTEST_QUOTED = 3


def words(error: BaseException) -> str:
    """Return what may be said of an exception beyond its type; often nothing."""
    wrapped = type(error).__module__ == "django.db.utils"
    database = error.__cause__ if wrapped else error
    if database is not None and _is_database_error(database):
        return _of_database(database)
    if isinstance(error, AmtsbrueckeError):
        # What the rooms below say, they say of ids; only the municipalities' room knows content.
        ours = type(error).__module__.partition(".")[0] == "tenants"
        return error.reason if ours else f"{error.reason}: {without_quotation(error.message)}"
    if isinstance(error, _ABOUT_CODE):
        return without_quotation(str(error)).partition("\n")[0]
    code = getattr(error, "code", None)  # gRPC's status; the peer's words stay out
    return str(getattr(code(), "name", "")) if callable(code) else ""


def name(error: BaseException) -> str:
    """Return type and words of an exception in one line."""
    kind, said = type(error), words(error)
    called = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return f"{called}: {said}" if said else called


def trace(error: BaseException) -> str:
    """Return the whole story of an exception, with the causes of it first."""
    return "\n".join(_paragraphs(error, set()))


def without_words(text: str, error: BaseException) -> str:
    """Return a text in which no exception of the story is quoted, as str or repr."""
    for each in _story(error):
        for quoted in sorted({str(each), repr(each)}, key=len, reverse=True):
            if len(quoted) >= _SHORTEST_QUOTED:
                text = text.replace(quoted, name(each))
    return text


def without_quotation(text: str) -> str:
    """Return a text without the part in which PostgreSQL quotes rows and statements."""
    return _QUOTATION.sub("", text)


def _is_database_error(error: BaseException) -> bool:
    return hasattr(error, "diag") and hasattr(error, "sqlstate")


def _of_database(error: BaseException) -> str:
    state: str | None = getattr(error, "sqlstate", None)
    diag = getattr(error, "diag", None)
    if state is None:  # no server spoke: the connection could not be made, or broke
        about_server = type(error).__name__ in {"OperationalError", "PoolTimeout"}
        return without_quotation(str(error)).partition("\n")[0] if about_server else ""
    said = [state]
    if state.startswith(_ABOUT_SERVER) or state in _MISSING:
        said.append(str(getattr(diag, "message_primary", "")))
    said += [
        f"{part} {value}"
        for part in ("table", "column", "constraint")
        if (value := getattr(diag, f"{part}_name", None))
    ]
    return ", ".join(said)


def _next(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _story(error: BaseException) -> Iterator[BaseException]:
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        todo += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
        if isinstance(each, BaseExceptionGroup):
            todo += each.exceptions


def _paragraphs(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = _next(error)
    if before is not None and id(before) not in seen:
        yield from _paragraphs(before, seen)
        yield "which led to"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip("\n")
    yield name(error)
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield "among them"
            yield from _paragraphs(each, seen)
