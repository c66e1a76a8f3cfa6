"""`garimpo run`: start a job, show its progress, hand out its result."""

import json
import sys
from pathlib import Path
from typing import Any

from garimpo.client import Body, Client
from garimpo.progress import Display
from garimpo.terminal import make_printable


def follow_job(client: Client, site: str, job: str, start: Body) -> Body:
    """Show a started job's progress until it ends; return its JobResult or JobError."""
    with Display() as display:
        display.show(start)
        body = start
        for body in client.follow(site, job, start["job_id"], display.trouble):
            display.show(body)
    return body


def run_job(
    client: Client, site: str, job: str, params: dict[str, Any], output: Path | None
) -> int:
    """Run a job from its start to its result; return the program's exit status.

    The result goes to `output`, else to stdout as JSON. A failed job's error goes to stderr, and
    the status is 1; after a Ctrl-C it is 130, and where the job's result will be is said.

    Raises:
        ApiError: the job could not be started, or its end could not be learnt.
    """
    start = client.start(site, job, params)
    address = client.url + client.result_path(site, job, start["job_id"])
    try:
        body = follow_job(client, site, job, start)
    except KeyboardInterrupt:
        say(f"The job goes on. Its result: {address}")
        return 130
    if body["status"] == "failed":
        say(describe_failure(body))
        return 1
    if output is None:
        sys.stdout.write(write_json(body["result"]))
    else:
        output.write_text(write_json(body["result"]), encoding="utf-8")
        say(f"The result is in {output}")
    return 0


def describe_failure(body: Body) -> str:
    """Return a JobError's own words and its code on one line."""
    code = f" [{body['error_code']}]" if body.get("error_code") else ""
    return make_printable(f"{body['error']}{code}")


def write_json(result: Any) -> str:
    """Return a result as JSON for people and programs."""
    return json.dumps(result, ensure_ascii=False, indent=2) + "\n"


def say(text: str) -> None:
    """Write a line to stderr: stdout belongs to the result."""
    sys.stderr.write(text + "\n")
