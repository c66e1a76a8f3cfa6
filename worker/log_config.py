"""Route Celery's log lines through our configuration, each once and with its job's fields.

Importing this module is enough. Celery's `--loglevel` has no effect; LOG_LEVEL applies.
"""

import logging
import warnings
from contextlib import AbstractContextManager
from importlib.metadata import version
from typing import Any

from celery import Celery, signals
from celery.apps import worker as program
from celery.exceptions import CPendingDeprecationWarning
from celery.utils.log import get_multiprocessing_logger
from celery.worker.consumer import consumer
from celery.worker.request import Request
from structlog.contextvars import bind_contextvars, bound_contextvars, unbind_contextvars

from jobs.log_config import job_fields

logger = logging.getLogger(__name__)


@signals.setup_logging.connect
def _keep_logging_config(**_kwargs: object) -> None:
    """Keep our configuration: Celery sets up none if this signal has a receiver."""
    if pool := get_multiprocessing_logger():
        pool.propagate = True
        pool.setLevel(logging.ERROR)  # as in Celery; lower levels log its internals


@signals.celeryd_init.connect
def _silence_celery(sender: str, instance: Any, **_kwargs: object) -> None:
    bind_contextvars(worker=sender)
    # Its banner, and what it prints at shutdown, are not log lines.
    instance.quiet = True
    program.safe_say = lambda text, *_: logger.info(text.strip())  # type: ignore[attr-defined] # not in its stubs


@signals.celeryd_after_setup.connect
def _log_start(instance: Any, **_kwargs: object) -> None:
    app: Celery = instance.app
    tasks = sorted(task for task in app.tasks if not task.startswith("celery."))
    logger.info("worker starts", extra={"version": version("garimpo"), "tasks": tasks})
    # After each lost connection it warns about the future default of a setting that we set.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)


@signals.task_postrun.connect
def _unbind_job(**_kwargs: object) -> None:
    """Unbind a job's log fields when its end is stored: the process runs the next one."""
    unbind_contextvars("job_id", "site", "job", "attempt")


def _filter_record(record: logging.LogRecord) -> bool:
    """Drop duplicate lines, and tracebacks of Celery's internals."""
    # Its traceback shows how Celery noticed a lost child.
    if record.name == "celery.worker.request":
        record.exc_info = None
    # Celery's fields of a task.
    if data := record.__dict__.pop("data", None):
        job_id, _, part = str(data["id"]).partition(":")
        # A part names the job only; its lines in the child have the job's fields.
        record.__dict__.update({"job_id": job_id} if part else job_fields(data["name"], job_id))
    return bool(record.msg != consumer.UNKNOWN_TASK_ERROR)  # type: ignore[attr-defined] # not in its stubs


for _name in ("app.trace", "worker.request", "worker.strategy", "worker.consumer.consumer"):
    logging.getLogger(f"celery.{_name}").addFilter(_filter_record)
# "succeeded", "raised expected" and "ignored": our own lines have more details.
logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
# Its lines show the URLs of webhooks.
logging.getLogger("httpx").setLevel(logging.WARNING)


class LoggedRequest(Request):
    """A job's task in the worker's main process, whose log lines have the job's fields."""

    def revoked(self) -> bool:
        """Return whether the task was revoked."""
        with self._bind_job():
            return bool(super().revoked())

    def on_timeout(self, soft: Any, timeout: float) -> None:
        """Kill a task whose process has exceeded its time limit."""
        with self._bind_job():
            super().on_timeout(soft, timeout)

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """Handle a failure, such as a lost process."""
        with self._bind_job():
            return super().on_failure(*args, **kwargs)

    def _bind_job(self) -> AbstractContextManager[None]:
        return bound_contextvars(**job_fields(self.name, self.id))
