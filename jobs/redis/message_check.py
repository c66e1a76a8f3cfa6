"""The check of queue messages: only those that `jobs.redis.celery_message` writes are executed."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from jobs.redis import keys
from jobs.redis.celery_message import NO_CALLBACKS, READ_PAGES_TASK, SEND_WEBHOOK_TASK

#: The largest message; one of ours has about 1 kB.
MAX_MESSAGE_BYTES = 16 * 1024
_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: `site.job`. The names of Celery's own tasks, and of our others, are no sites.
_JOB_TASK = re.compile(r"(?!celery\.|callbacks\.|garimpo\.)[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
_PART_ID = re.compile(r"[0-9a-f]{32}")
_EVENT_ARGUMENTS = (["started"], ["progress"], ["end"])

_Check = Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _one_of(*values: object) -> _Check:
    # By type too: to Python, False is 0.
    return lambda value: any(type(value) is type(one) and value == one for one in values)


#: The fields of each part of a message. All others are refused: Celery acts upon some of them.
_ENVELOPE: Mapping[str, _Check] = {
    "body": _is_text,
    "content-encoding": _one_of("utf-8"),
    "content-type": _one_of("application/json"),
    "headers": _is_object,
    "properties": _is_object,
}
_HEADERS: Mapping[str, _Check] = {
    "task": _is_text,
    "id": _is_text,
    "lang": _is_text,
    "shadow": _one_of(None),
    "eta": _one_of(None),
    "expires": _one_of(None),
    "group": _one_of(None),
    "group_index": _one_of(None),
    "retries": _one_of(0),
    "timelimit": _one_of([None, None]),
    "root_id": _is_text,
    "parent_id": _one_of(None),
    "argsrepr": _is_text,
    "kwargsrepr": _is_text,
    "origin": _is_text,
    "ignore_result": _is_flag,
    "replaced_task_nesting": _one_of(0),
    "stamped_headers": _one_of(None),
    "stamps": _one_of({}),
}
_PROPERTIES: Mapping[str, _Check] = {
    "correlation_id": _is_text,
    "reply_to": _is_text,
    "delivery_mode": _one_of(2),
    "delivery_info": _is_object,
    "priority": _one_of(0),
    "body_encoding": _one_of("base64"),
    "delivery_tag": _is_text,
}
_DELIVERY_INFO: Mapping[str, _Check] = {"exchange": _one_of(""), "routing_key": _is_text}
#: kombu adds it to a message that it puts back.
_REDELIVERED = "redelivered"


class MalformedMessageError(ValueError):
    """A queue holds something that Garimpo does not write; the text says what is wrong with it."""


def check_message(message: bytes, queue: str) -> str:
    """Check that a message is one of ours, so that Celery can take it without a failure.

    Args:
        message: The message as stored in Redis.
        queue: The queue that it is in.

    Returns:
        The job's id.

    Raises:
        MalformedMessageError: It is not.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        reason = f"longer than {MAX_MESSAGE_BYTES} bytes"
        raise MalformedMessageError(reason)
    envelope = _parse_json(message, "the message")
    _check_fields(envelope, _ENVELOPE, "the message")
    headers, properties = envelope["headers"], envelope["properties"]
    _check_fields(headers, _HEADERS, "headers")
    _check_fields(properties, _PROPERTIES, "properties")
    delivery_info = properties["delivery_info"]
    _check_fields(delivery_info, _DELIVERY_INFO, "delivery_info")
    if delivery_info["routing_key"] != queue:
        reason = "it is of another queue"
        raise MalformedMessageError(reason)
    arguments = _parse_arguments(envelope["body"])
    task, task_id = headers["task"], headers["id"]
    if queue == keys.JOB_QUEUE:
        is_known = bool(_JOB_TASK.fullmatch(task)) and len(arguments) == 1
    elif queue == keys.PART_QUEUE:
        is_part = len(arguments) == 2 and bool(_PART_ID.fullmatch(arguments[1]))  # noqa: PLR2004 - job and part
        is_known = task == READ_PAGES_TASK and is_part
    else:
        is_known = task == SEND_WEBHOOK_TASK and arguments[1:] in _EVENT_ARGUMENTS
    if not is_known:
        reason = "a task of another name, or with other arguments"
        raise MalformedMessageError(reason)
    if not arguments or not is_job_id(arguments[0]) or task_id != ":".join(arguments):
        reason = "the task's id is not that of its job"
        raise MalformedMessageError(reason)
    return str(arguments[0])


def is_job_id(text: str) -> bool:
    """Return whether a text is a job's id in its only form."""
    return bool(_JOB_ID.fullmatch(text))


def find_job_id(message: str) -> str | None:
    """Return the id of the job in a message of the job queue; None if the message is malformed."""
    try:
        return check_message(message.encode(errors="replace"), keys.JOB_QUEUE)
    except MalformedMessageError:
        return None


def _check_fields(value: object, checks: Mapping[str, _Check], where: str) -> None:
    if not isinstance(value, dict):
        reason = f"{where}: not a JSON object"
        raise MalformedMessageError(reason)
    if unknown := value.keys() - checks.keys() - {_REDELIVERED}:
        reason = f"{where}: {len(unknown)} unknown field(s)"
        raise MalformedMessageError(reason)
    if not _is_flag(value.get(_REDELIVERED, False)):
        reason = f"{where}: {_REDELIVERED} is missing or of another kind"
        raise MalformedMessageError(reason)
    for name, check in checks.items():
        if name not in value or not check(value[name]):
            reason = f"{where}: {name} is missing or of another kind"
            raise MalformedMessageError(reason)


def _parse_arguments(body: str) -> list[str]:
    """Return the arguments in a message's body."""
    try:
        text = base64.b64decode(body, validate=True)
    except ValueError:
        reason = "body: not base64"
        raise MalformedMessageError(reason) from None
    parts = _parse_json(text, "body")
    if not isinstance(parts, list) or len(parts) != 3 or parts[1:] != [{}, NO_CALLBACKS]:  # noqa: PLR2004 - Celery's protocol
        reason = "body: not the arguments of a job"
        raise MalformedMessageError(reason)
    arguments = parts[0]
    if not isinstance(arguments, list) or not all(isinstance(part, str) for part in arguments):
        reason = "body: arguments that are not text"
        raise MalformedMessageError(reason)
    return arguments


def _parse_json(data: bytes, where: str) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        reason = f"{where}: not JSON in UTF-8"
        raise MalformedMessageError(reason) from None


def find_event(message: str) -> str:
    """Return the event of a checked message of the webhook queue."""
    return str(json.loads(message)["headers"]["id"]).partition(":")[2]
