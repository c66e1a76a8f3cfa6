"""Logging set-up: JSON lines for programs, readable lines for people in a terminal.

Modules use `logging.getLogger(__name__)`, with fields as `extra={…}`. Fields of all lines of a task
or thread are bound with `structlog.contextvars.bind_contextvars`.
"""

import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, Literal, TextIO

from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import EventRenamer, JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, ExcInfo, Processor

from jobs.failure import JobFailedError
from jobs.model.i18n import Language, make_printable, render

#: `auto` is text on a terminal, else JSON.
LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

#: Removes secrets from a text.
Redact = Callable[[str], str]

# In front of each line of a traceback: an exception's text may contain any, also line breaks and
# what looks like a log line.
_TRACEBACK_MARGIN: Final = "  | "

logger = logging.getLogger(__name__)


def configure_logging(log_format: LogFormat, level: LogLevel, redact: Redact = str) -> None:
    """Write all log lines of this process to stderr in one format.

    Warnings and unhandled exceptions are logged too.

    Args:
        log_format: The format.
        level: The lowest level that is written.
        redact: Removes secrets from each line.
    """
    if log_format == "auto":
        log_format = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler()
    processors = _json_processors() if log_format == "json" else _text_processors()

    def redact_line(_logger: object, _method: str, line: Any) -> str:
        return redact(str(line))

    handler.setFormatter(ProcessorFormatter(processors=[*processors, redact_line]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda _kind, error, _trace: _log_crash(error)
    threading.excepthook = lambda crash: _log_crash(crash.exc_value)


def _log_crash(error: BaseException | None) -> None:
    logger.critical("unhandled exception", exc_info=error)


def _json_processors() -> list[Processor]:
    return [
        TimeStamper("iso", utc=True),
        add_log_level,
        EventRenamer("message"),  # the usual name for log collectors
        add_logger_name,
        merge_contextvars,
        ExtraAdder(),
        _move_common_fields_last,
        format_exc_info,
        ProcessorFormatter.remove_processors_meta,
        JSONRenderer(),
    ]


def _text_processors() -> list[Processor]:
    return [
        TimeStamper("%Y-%m-%d %H:%M:%S", utc=False),
        add_log_level,
        add_logger_name,
        merge_contextvars,
        ExtraAdder(),
        _move_common_fields_last,
        ProcessorFormatter.remove_processors_meta,
        _make_fields_printable,
        ConsoleRenderer(
            colors=sys.stderr.isatty(),
            sort_keys=False,
            # The default shows the values of variables, including passwords.
            exception_formatter=_write_traceback,
        ),
    ]


def _make_fields_printable(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Remove what a terminal would interpret: a field may be the words of a page."""
    return {
        make_printable(name): value
        if value is None or isinstance(value, bool | int | float) or name == "exc_info"
        else make_printable(str(value))
        for name, value in line.items()
    }


def _write_traceback(output: TextIO, exc_info: ExcInfo) -> None:
    """Write a traceback, with a margin that no log line has."""
    text = io.StringIO()
    plain_traceback(text, exc_info)
    output.writelines(
        f"\n{_TRACEBACK_MARGIN}{make_printable(line)}"
        for line in text.getvalue().strip("\n").split("\n")
    )


def _move_common_fields_last(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Move the fields that many lines share behind the line's own, in a fixed order."""
    for name in ("job_id", "site", "job", "attempt", "worker"):
        if name in line:
            line[name] = line.pop(name)
    return line


def job_fields(task_name: str, job_id: str) -> dict[str, str]:
    """Return the log fields of a job, for `extra` or `bind_contextvars`.

    Args:
        task_name: The name of the job's Celery task.
        job_id: The job's id.
    """
    site, _, job = task_name.partition(".")
    return {"job_id": job_id, "site": site, "job": job}


def failure_fields(failed: JobFailedError) -> dict[str, str]:
    """Return the log fields of a failure, for `extra`; the sentence is in English."""
    sentence = render(Language.EN, f"failure.{failed.code}", failed.details)
    return {"outcome": "failed", "error_code": failed.code.value, "error": sentence}
