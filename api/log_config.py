"""Route uvicorn's loggers through our log configuration."""

import logging

#: Asked every few seconds, by containers and by Prometheus: only what is wrong with them is told.
_PROBES = {"/api/live", "/metrics"}
_FIRST_ERROR = 400


def configure_uvicorn_logging() -> None:
    """Take uvicorn's own handlers away, which it has set up before it imports the API."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        one = logging.getLogger(name)
        one.handlers.clear()
        one.propagate = True
        one.setLevel(logging.NOTSET)  # LOG_LEVEL counts
    logging.getLogger("uvicorn.access").addFilter(_as_fields)
    logging.getLogger("uvicorn.error").addFilter(_as_fields)


def _as_fields(record: logging.LogRecord) -> bool:
    """Turn a request's line into fields, without the query."""
    record.__dict__.pop("color_message", None)
    if record.name == "uvicorn.access" and isinstance(record.args, tuple):
        client, method, target, _version, status = record.args
        path = str(target).partition("?")[0]
        record.msg, record.args = "%s %s %s", (method, path, status)
        fields = {"method": method, "path": path, "status": status, "client": client}
        record.__dict__.update(fields)
        return path not in _PROBES or int(str(status)) >= _FIRST_ERROR
    return True
