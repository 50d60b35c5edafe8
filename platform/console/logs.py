"""How processes speak: a line for each event, words for people or JSON for machines, on stderr.

Events have names of words and carry identifiers; content and secrets never get here. What breaks
is told without its words (`console.discretion`), whoever logs it: we, Django, Celery, gunicorn,
asyncio, or Python itself at the end of a thread or a process.
"""

import logging
import sys
import threading
import warnings
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

from console import discretion

_FIXED = frozenset({"level", "timestamp"})

type _Event = MutableMapping[str, Any]


class _Lines(logging.StreamHandler[TextIO]):
    """Lines on a stream; of a line that cannot be written, not its text."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        self.stream.write(f"a line of {record.name} could not be written\n")


def configure(*, as_json: bool, debug: bool = False) -> None:
    """Send the events of this process, and what libraries log, to standard error.

    `debug` shows exceptions with all their words: for a developer's invented cases only.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info if debug else be_discreet,
    ]
    if as_json:
        renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr) if debug else _Lines(sys.stderr)
    handler.addFilter(_without_task_error)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # What they say at INFO is about themselves.
    for name in ("celery", "kombu", "gunicorn", "grpc", "django.request", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not debug:
        sys.excepthook = _process_died
        threading.excepthook = _thread_died


def quiet_celery() -> None:
    """Leave Celery's logging to us. Before the worker or beat is made."""
    from celery.platforms import SecurityWarning
    from celery.signals import setup_logging

    # A receiver alone makes Celery set up nothing; it goes on through the root logger.
    setup_logging.connect(_nothing_to_set_up, weak=False)
    # It warns of root because a pickled message could run code as root. Ours are JSON without
    # payload, and who runs a container as its root has been told so by the guide.
    warnings.filterwarnings("ignore", category=SecurityWarning)


def _nothing_to_set_up(**_: Any) -> None:
    """Be the receiver that keeps Celery from making handlers of its own."""


def be_discreet(logger: Any, method: str, event: _Event) -> _Event:
    """Processor: tell exceptions without the words that may hold content."""
    del logger, method
    error = _exception(event.pop("exc_info", None))
    for key, value in event.items():
        if key.startswith("_") or key in _FIXED:
            continue
        if isinstance(value, BaseException):
            event[key] = discretion.name(value)
        elif isinstance(value, str):
            told = discretion.without_words(value, error) if error else value
            event[key] = discretion.without_quotation(told)
    if error is not None:
        event["exception"] = discretion.trace(error)
    return event


def _exception(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if isinstance(given[1], BaseException) else None
    return sys.exception() if given else None


def _without_task_error(record: logging.LogRecord) -> bool:
    """Take out what Celery writes of an exception into its message, abbreviated in its own way."""
    arguments = record.args
    if isinstance(arguments, dict) and "exc" in arguments and "traceback" in arguments:
        error = _exception(record.exc_info)
        said = "without a trace" if error is None else discretion.name(error)
        record.args = {**arguments, "exc": said, "traceback": "", "args": "", "kwargs": ""}
    return True


def _process_died(
    kind: type[BaseException], error: BaseException, frames: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, frames)
        return
    structlog.get_logger(__name__).critical("process broken", exc_info=error)


def _thread_died(what: threading.ExceptHookArgs) -> None:
    thread = what.thread.name if what.thread else ""
    log = structlog.get_logger(__name__)
    log.critical("thread broken", thread=thread, exc_info=what.exc_value)
