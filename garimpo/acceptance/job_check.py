"""One job of an acceptance test."""

import time
from dataclasses import dataclass

from garimpo.acceptance.assertions import (
    CheckFailedError,
    check_progress,
    check_result,
    check_start,
)
from garimpo.acceptance.report import CheckOptions, FinishedJob
from garimpo.cli.progress_display import ProgressDisplay
from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef

#: Longest pause between two polls, whatever `retry_after_seconds` says.
_MAX_PAUSE_S = 5.0


@dataclass(frozen=True)
class StartedJob:
    """A job that the API accepted."""

    ref: JobRef
    start: Body
    #: Response time of the start in milliseconds.
    start_ms: float


def start_job(client: Client, options: CheckOptions, key: str | None = None) -> StartedJob:
    """Start a job and check the JobStart.

    Args:
        client: Client of the API.
        options: Name the job and its parameters.
        key: The Idempotency-Key; by default a new one.

    Raises:
        ApiError: The request failed.
        CheckFailedError: The JobStart is not as specified.
    """
    started_at = time.perf_counter()
    body = client.start(options.site, options.job, options.params, key)
    start_ms = (time.perf_counter() - started_at) * 1000
    check_start(body)
    return StartedJob(JobRef(options.site, options.job, body["job_id"]), body, start_ms)


def follow_job(
    client: Client,
    options: CheckOptions,
    started: StartedJob,
    display: ProgressDisplay,
    name: str = "",
) -> list[Body]:
    """Poll a job until it ends, show its progress, and return all of its bodies.

    Args:
        client: Client of the API.
        options: Set the polling interval and the time limit.
        started: The job.
        display: Shows the progress.
        name: Label of the job, if several are shown.

    Raises:
        ApiError: A request failed.
        CheckFailedError: The job did not end within the time limit.
    """
    deadline = time.monotonic() + options.timeout_s
    display.show(started.start, name)
    bodies: list[Body] = []
    for body in client.follow(
        started.ref,
        lambda reason: display.show_outage(reason, name),
        poll_interval_s=options.poll_interval_s,
        max_interval_s=_MAX_PAUSE_S,
    ):
        bodies.append(body)
        display.show(body, name)
        if time.monotonic() > deadline:
            message = (
                f"not finished within {options.timeout_s:g} s; the last status was "
                f"{body['status']}, {body.get('progress')}%. The job keeps running: "
                f"`garimpo watch {started.ref.id}`"
            )
            raise CheckFailedError(message)
    return bodies


def finish_job(started: StartedJob, bodies: list[Body]) -> FinishedJob:
    """Check all bodies of a job, which must have completed.

    Raises:
        CheckFailedError: The job failed, or a body is not as specified.
    """
    check_progress(bodies)
    count = check_result(bodies[-1])
    execution_s = bodies[-1]["execution_time_seconds"]
    return FinishedJob(started.ref.id, "completed", round(started.start_ms, 1), execution_s, count)
