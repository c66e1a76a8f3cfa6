"""What Celery says in a worker: in our form, once, and with the job that it is about.

Importing this module is enough. Celery's own `--loglevel` has no effect: LOG_LEVEL counts.
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
from jobs.redis.celery_message import SEND_WEBHOOK_TASK

logger = logging.getLogger(__name__)


@signals.setup_logging.connect
def _keep_logging_config(**_kwargs: object) -> None:
    """Keep our configuration: Celery makes none of its own if this signal has a receiver."""
    if pool := get_multiprocessing_logger():
        pool.propagate = True
        pool.setLevel(logging.ERROR)  # as Celery has it; below that it tells of its own workings


@signals.celeryd_init.connect
def _silence_celery(sender: str, instance: Any, **_kwargs: object) -> None:
    bind_contextvars(worker=sender)
    # Its banner, and what it prints when it is stopped, are no log lines.
    instance.quiet = True
    program.safe_say = lambda said, *_: logger.info(said.strip())  # type: ignore[attr-defined] # not in its stubs


@signals.celeryd_after_setup.connect
def _log_start(instance: Any, **_kwargs: object) -> None:
    app: Celery = instance.app
    tasks = sorted(task for task in app.tasks if not task.startswith("celery."))
    logger.info("worker starts", extra={"version": version("garimpo"), "tasks": tasks})
    # At each lost connection it announces a change of a setting that we set.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)


@signals.task_postrun.connect
def _unbind_job(**_kwargs: object) -> None:
    """End a job's lines when its end is stored: the process goes on to the next one."""
    unbind_contextvars("job_id", "site", "job", "attempt")


def _filter_record(record: logging.LogRecord) -> bool:
    """Drop what is said twice, and tracebacks that tell of Celery's inside alone."""
    # How a lost child was noticed.
    if record.name == "celery.worker.request":
        record.exc_info = None
    # Celery's fields of a task.
    if data := record.__dict__.pop("data", None):
        if data["name"] == SEND_WEBHOOK_TASK:  # whose id is JOB:SLOT
            record.__dict__.update(job_id=data["id"].partition(":")[0])
        else:
            record.__dict__.update(job_fields(data["name"], data["id"]))
    return bool(record.msg != consumer.UNKNOWN_TASK_ERROR)  # type: ignore[attr-defined] # not in its stubs


for _name in ("app.trace", "worker.request", "worker.strategy", "worker.consumer.consumer"):
    logging.getLogger(f"celery.{_name}").addFilter(_filter_record)
# "succeeded", "raised expected" and "ignored": our own lines say that, and more.
logging.getLogger("celery.app.trace").setLevel(logging.WARNING)
# Its lines show where call backs go; ours say how that went.
logging.getLogger("httpx").setLevel(logging.WARNING)


class LoggedRequest(Request):
    """A job's task in the worker's main process: what is said meanwhile is about this job."""

    def revoked(self) -> bool:
        """Look whether it was revoked."""
        with self._bind_job():
            return bool(super().revoked())

    def on_timeout(self, soft: Any, timeout: float) -> None:
        """End a task whose process hangs."""
        with self._bind_job():
            super().on_timeout(soft, timeout)

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """Take note that the task's process was lost, among others."""
        with self._bind_job():
            return super().on_failure(*args, **kwargs)

    def _bind_job(self) -> AbstractContextManager[None]:
        return bound_contextvars(**job_fields(self.name, self.id))
