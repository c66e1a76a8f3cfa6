"""The queues' messages, byte for byte as Celery and kombu write them into Redis.

Celery's `send_task` publishes through kombu, in a step after the record is written: a connection
lost in between leaves a record without a message. As text, the message enters the queue within the
submit script, and a start costs one round trip.

Facts: Celery's message protocol 2
(https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2); kombu's envelope for Redis
(kombu.transport.virtual.Channel.prepare_message). A test compares this with what `send_task` of
the locked versions writes.
"""

import base64
import json
from typing import Any
from uuid import uuid4

from jobs.redis import keys

#: The task in the messages of webhooks. It was a Celery task up to version 0.2, whose workers may
#: still run during an upgrade; now `jobs.store.delivery_inbox` reads these messages.
SEND_WEBHOOK_TASK = "callbacks.send"

#: The task that reads pages of another worker's job. The site `garimpo` is reserved, so no job
#: definition's task has this name.
READ_PAGES_TASK = "garimpo.read-pages"

#: The last part of a message's body: a task that calls no other one.
NO_CALLBACKS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def encode_job(task_name: str, job_id: str) -> str:
    """Return the message that makes a worker run a job; it carries only the job's id.

    Args:
        task_name: The Celery task that runs it.
        job_id: The job's id, which becomes the task's id and only argument.
    """
    return _encode(task_name, job_id, [job_id], keys.JOB_QUEUE)


def encode_delivery(job_id: str, event: str) -> str:
    """Return the message that makes a sender send a webhook.

    Args:
        job_id: The job's id.
        event: The delivery's event (`keys.delivery`).
    """
    arguments = [job_id, str(event)]
    return _encode(
        SEND_WEBHOOK_TASK, ":".join(arguments), arguments, keys.WEBHOOK_QUEUE, ignore_result=True
    )


def encode_part(job_id: str) -> str:
    """Return the message that lets an idle worker read pages of a running job.

    Args:
        job_id: The job's id.
    """
    arguments = [job_id, uuid4().hex]
    return _encode(
        READ_PAGES_TASK, ":".join(arguments), arguments, keys.PART_QUEUE, ignore_result=True
    )


def _encode(
    task: str, task_id: str, arguments: list[str], queue: str, *, ignore_result: bool = False
) -> str:
    body = json.dumps([arguments, {}, NO_CALLBACKS])
    headers: dict[str, Any] = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": repr(arguments),
        "kwargsrepr": "{}",
        "origin": "garimpo",
        "ignore_result": ignore_result,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    properties: dict[str, Any] = {
        "correlation_id": task_id,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )
