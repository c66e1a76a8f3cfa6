"""Queue messages that Garimpo does not write."""

import base64
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from jobs.redis import celery_message, keys

_TASK = "tubehunt.scrape-channels"


def _encode_body(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def _no_callbacks(**changes: object) -> dict[str, object]:
    return {"callbacks": None, "errbacks": None, "chain": None, "chord": None, **changes}


def _changed(queue: str, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return one of our messages with a change."""
    job_id = str(uuid4())
    texts = {
        keys.JOB_QUEUE: celery_message.encode_job(_TASK, job_id),
        keys.PART_QUEUE: celery_message.encode_part(job_id),
        keys.WEBHOOK_QUEUE: celery_message.encode_delivery(job_id, "end"),
    }
    message = json.loads(texts[queue])
    change(message)
    return json.dumps(message).encode()


def _with(part: str, name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        (message[part] if part else message)[name] = value

    return change


def _without(part: str, name: str) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        del (message[part] if part else message)[name]

    return change


def _task(name: str, arguments: list[object], *more: object) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        message["headers"]["task"] = name
        message["body"] = _encode_body([arguments, *(more or ({}, _no_callbacks()))])

    return change


def _id(value: str) -> Callable[[dict[str, Any]], None]:
    def change(message: dict[str, Any]) -> None:
        message["headers"]["id"] = value
        message["body"] = _encode_body([[value], {}, _no_callbacks()])

    return change


_CHAINED = {"task": _TASK, "args": [str(uuid4())], "kwargs": {}, "options": {}}

#: By name: the whole message.
_RAW: Mapping[str, bytes] = {
    "garbage": b"garbage",
    "not UTF-8": b"\xff\xfe\xfd",
    "empty": b"",
    "number": b"5",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "deep": b"[" * 200_000,
    "deep within the limit": b'{"a":' * 3000,
    "UTF-16": json.dumps({}).encode("utf-16"),
    "terminal escapes": b"\x1b[31m\x07\nlevel=error forged",
}

#: By name: the change to one of ours.
_CHANGES: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "no properties": _without("", "properties"),
    "no headers": _without("", "headers"),
    "no body": _without("", "body"),
    "no delivery tag": _without("properties", "delivery_tag"),
    "no delivery info": _without("properties", "delivery_info"),
    "no exchange": _with("properties", "delivery_info", {"routing_key": "jobs"}),
    "another queue": _with("properties", "delivery_info", {"exchange": "", "routing_key": "x"}),
    "headers a list": _with("", "headers", []),
    "properties null": _with("", "properties", None),
    "body [1]": _with("", "body", _encode_body([1])),
    "body {}": _with("", "body", _encode_body({})),
    "body a number": _with("", "body", 5),
    "bad base64": _with("", "body", "%%%"),
    "unknown body_encoding": _with("properties", "body_encoding", "rot13"),
    "no content type": _with("", "content-type", None),
    "pickle": _with("", "content-type", "application/x-python-serialize"),
    "YAML": _with("", "content-type", "application/x-yaml"),
    "unknown content encoding": _with("", "content-encoding", "klingon"),
    "compressed": _with("headers", "compression", "application/x-gzip"),
    "time limit of text": _with("headers", "timelimit", ["x", "y"]),
    "stamps of another type": _with("headers", "stamps", "text"),
    "stamped headers": _with("headers", "stamped_headers", 5),
    "bad ETA": _with("headers", "eta", "tomorrow"),
    "far ETA": _with("headers", "eta", "9999-12-31T23:59:59+00:00"),
    "bad expiry": _with("headers", "expires", {}),
    "retries of text": _with("headers", "retries", "many"),
    "30 MB of headers": _with("headers", "argsrepr", "x" * 30_000_000),
    "id of 100 kB": _id("x" * 100_000),
    "id of another form": _id("job-1"),
    "id with a key": _id("550e8400-e29b-41d4-a716-446655440000:items"),
    "unknown task": _task("os.system", ["id"]),
    "no task": _without("headers", "task"),
    "task a number": _with("headers", "task", 5),
    "chain": _task("celery.chain", [[_CHAINED]]),
    "map": _task("celery.map", [_CHAINED, [[1]]]),
    "clean-up": _task("celery.backend_cleanup", []),
    "wrong arguments": _task(_TASK, [1, 2, 3]),
    "no arguments": _task(_TASK, []),
    "keyword arguments": _task(_TASK, [str(uuid4())], {"x": 1}, _no_callbacks()),
    "callbacks": _task(_TASK, [str(uuid4())], {}, _no_callbacks(callbacks=[_CHAINED])),
    "another job's id": _task(_TASK, [str(uuid4())]),
    "typed JSON": _with("headers", "stamps", {"__type__": "uuid", "__value__": "x"}),
}


def foreign_messages(queue: str) -> Iterator[tuple[str, bytes]]:
    """Yield each message, by its name.

    Args:
        queue: The queue for which they are made.
    """
    yield from _RAW.items()
    yield "pickled", pickle.dumps({"task": _TASK})
    for name, change in _CHANGES.items():
        yield name, _changed(queue, change)
