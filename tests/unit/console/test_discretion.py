"""What a log says of an exception: enough to find the fault, nothing of a case."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import psycopg
import pytest
import structlog
from django.db import IntegrityError

from centre.kernel.errors import AmtsbrueckeError
from console import discretion, logs

CANARY = "Kanarienvogel-4711"
QUOTING = f"duplicate key\nDETAIL:  Key (name)=({CANARY}) already exists.\nCONTEXT:  COPY {CANARY}"


class Refused(AmtsbrueckeError):
    """The letter is refused."""

    reason = "REFUSED"


@contextmanager
def _logging(*, debug: bool = False) -> Iterator[StringIO]:
    """Let logs go where the test can read them, and leave no trace of it."""
    root, structure = logging.getLogger(), structlog.get_config()
    before, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    logs.configure(as_json=True, debug=debug)
    written = StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    try:
        yield written
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.configure(**structure)
        sys.excepthook, threading.excepthook = hooks


def _raised(error: BaseException, *, cause: BaseException | None = None) -> BaseException:
    error.__cause__ = cause
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UniqueViolation(QUOTING),
        psycopg.DataError(CANARY),
        ValueError(CANARY),
        KeyError(CANARY),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        _raised(IntegrityError(QUOTING), cause=psycopg.errors.NotNullViolation(QUOTING)),
        _raised(Refused(), cause=ValueError(CANARY)),
        ExceptionGroup("several", [ValueError(CANARY), KeyError(CANARY)]),
    ],
)
def test_an_exception_is_told_without_its_words(error: BaseException) -> None:
    error.add_note(CANARY)
    told = discretion.trace(_raised(error))
    assert CANARY not in told
    assert type(error).__name__ in told
    assert "test_discretion.py" in told  # where it was raised


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "No such file or directory"),
        (TypeError("f() takes no arguments"), "f() takes no arguments"),
        (psycopg.OperationalError("connection failed: no route to host"), "no route to host"),
        (Refused(), "REFUSED: The letter is refused."),
        (psycopg.errors.UniqueViolation(QUOTING), "23505"),
    ],
)
def test_words_without_anybodys_data_stay(error: BaseException, words: str) -> None:
    assert words in discretion.name(error)


def test_what_the_municipalities_room_says_is_only_named() -> None:
    told = type("DraftInvalid", (Refused,), {"__module__": "tenants.cases.errors"})
    assert discretion.words(told(CANARY)) == "REFUSED"


def test_an_event_that_quotes_its_exception_loses_the_quotation() -> None:
    with _logging() as written:
        error = _raised(psycopg.errors.UniqueViolation(QUOTING))
        logging.getLogger("asyncio").error("never retrieved: %r", error, exc_info=error)
        structlog.get_logger().warning("not stored", error=error, detail=str(error))
    assert CANARY not in written.getvalue()
    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert first["event"].startswith("never retrieved: psycopg")
    assert "UniqueViolation" in first["exception"]
    assert second["error"] == "psycopg.errors.UniqueViolation: 23505"
    assert second["detail"] == "duplicate key"


def test_celerys_message_of_a_failed_task_does_not_quote() -> None:
    with _logging() as written:
        error = _raised(ValueError(CANARY * 400))  # too long to be quoted as str or repr
        quoted = {"name": "task", "exc": repr(error)[:99], "traceback": CANARY, "args": CANARY}
        logging.getLogger("celery.app.trace").error("%(name)s: %(exc)s", quoted, exc_info=error)
    assert CANARY not in written.getvalue()
    assert json.loads(written.getvalue())["event"] == "task: ValueError"


def test_the_end_of_a_thread_does_not_quote() -> None:
    def work() -> None:
        raise ValueError(CANARY)

    with _logging() as written:
        thread = threading.Thread(target=work, name="workshop")
        thread.start()
        thread.join()
    assert CANARY not in written.getvalue()
    told = json.loads(written.getvalue())
    assert (told["event"], told["thread"]) == ("thread broken", "workshop")


def test_a_line_that_cannot_be_written_is_not_quoted() -> None:
    with _logging() as written:
        logging.getLogger("any").error("%d", CANARY)
    assert written.getvalue() == "a line of any could not be written\n"


def test_debug_shows_all_words() -> None:
    with _logging(debug=True) as written:
        logging.getLogger("any").error("broken", exc_info=_raised(ValueError(CANARY)))
    assert CANARY in written.getvalue()
