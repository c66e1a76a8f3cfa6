"""Route uvicorn's loggers through the log configuration of the service."""

import logging
from contextvars import ContextVar

#: The name of the API key of the present request; empty without one.
CALLER: ContextVar[str] = ContextVar("caller", default="")
#: Why the present request is refused; empty if it is not.
REFUSAL: ContextVar[str] = ContextVar("refusal", default="")
#: The job that the present request has started; empty if it has not.
STARTED_JOB: ContextVar[str] = ContextVar("started_job", default="")

#: Requested every few seconds by containers and Prometheus: only errors are logged.
_PROBES = {"/api/live", "/metrics"}
_FIRST_ERROR = 400


def configure_uvicorn_logging() -> None:
    """Remove the handlers that uvicorn installs before it imports the API."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        uvicorn_logger = logging.getLogger(name)
        uvicorn_logger.handlers.clear()
        uvicorn_logger.propagate = True
        uvicorn_logger.setLevel(logging.NOTSET)  # the root logger's LOG_LEVEL applies
    logging.getLogger("uvicorn.access").addFilter(_structure_record)
    logging.getLogger("uvicorn.error").addFilter(_structure_record)


def _structure_record(record: logging.LogRecord) -> bool:
    """Turn an access log line into fields, without the query string; drop those of probes."""
    record.__dict__.pop("color_message", None)
    if record.name == "uvicorn.access" and isinstance(record.args, tuple):
        client, method, target, _version, status = record.args
        path = str(target).partition("?")[0]
        record.msg = "%s %s %s"
        record.args = (method, path, status)
        fields = {"method": method, "path": path, "status": status, "client": client}
        details = {
            "caller": CALLER.get(),
            "refused": REFUSAL.get(),
            "job_id": STARTED_JOB.get(),
        }
        fields |= {name: value for name, value in details.items() if value}
        record.__dict__.update(fields)
        return path not in _PROBES or int(str(status)) >= _FIRST_ERROR
    return True
