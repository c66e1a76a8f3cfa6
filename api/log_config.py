"""Route uvicorn's loggers through the log configuration of the service."""

import logging

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
        record.__dict__.update(fields)
        return path not in _PROBES or int(str(status)) >= _FIRST_ERROR
    return True
