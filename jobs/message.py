"""The queue's message for a job, byte for byte as Celery and kombu would put it into Redis.

Celery's own `send_task` publishes through kombu, in a step of its own after the record was
written: a connection lost in between leaves a record that no message points to. Written as text,
the message goes into the queue within the submit script, and the start costs one round trip.

Facts: Celery's message protocol 2
(https://docs.celeryq.dev/en/stable/internals/protocol.html#version-2); kombu's envelope for Redis
(kombu.transport.virtual.Channel.prepare_message). A test holds this against what `send_task` of
the locked versions writes.
"""

import base64
import json
from typing import Any
from uuid import uuid4

from jobs.job import Job


def encode(job: Job, queue: str) -> str:
    """Return the message that makes a worker run `job`; it carries the job's id alone.

    Args:
        job: The job; its id becomes the task's id and only argument.
        queue: The queue's name.
    """
    no_callbacks = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = json.dumps([[job.id], {}, no_callbacks])
    headers: dict[str, Any] = {
        "lang": "py",
        "task": job.task,
        "id": job.id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": job.id,
        "parent_id": None,
        "argsrepr": repr([job.id]),
        "kwargsrepr": "{}",
        "origin": "garimpo",
        "ignore_result": False,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
    properties: dict[str, Any] = {
        "correlation_id": job.id,
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


def job_id(sent: str) -> str:
    """Return the id of the job whose message this is."""
    return str(json.loads(sent)["headers"]["id"])
