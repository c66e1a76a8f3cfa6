"""Logging set-up: JSON lines for programs, readable lines for people in a terminal.

Modules use `logging.getLogger(__name__)`, with fields as `extra={…}`. Fields of all lines of a task
or thread are bound with `structlog.contextvars.bind_contextvars`.
"""

import logging
import sys
import threading
from typing import Literal

from structlog.contextvars import merge_contextvars
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import EventRenamer, JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

from jobs.failure import JobFailedError
from jobs.model.i18n import Language, render

#: `auto` is text on a terminal, else JSON.
LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

logger = logging.getLogger(__name__)


def configure_logging(log_format: LogFormat, level: LogLevel) -> None:
    """Write all log lines of this process to stderr in one format.

    Warnings and unhandled exceptions are logged too.

    Args:
        log_format: The format.
        level: The lowest level that is written.
    """
    if log_format == "auto":
        log_format = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler()
    handler.setFormatter(
        ProcessorFormatter(
            processors=_json_processors() if log_format == "json" else _text_processors()
        )
    )
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
        ConsoleRenderer(
            colors=sys.stderr.isatty(),
            sort_keys=False,
            # The default shows the values of variables, including passwords.
            exception_formatter=plain_traceback,
        ),
    ]


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
