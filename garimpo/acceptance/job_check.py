"""Run one job of an acceptance test."""

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

#: The longest pause between two questions, whatever the API says.
_LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True)
class StartedJob:
    """A job that was accepted."""

    address: JobRef
    start: Body
    #: How long the answer took.
    start_ms: float


def start_job(client: Client, plan: CheckOptions, key: str | None = None) -> StartedJob:
    """Start a job; raises ApiError, or NotMetError if the answer is not as it must be."""
    begin = time.perf_counter()
    body = client.start(plan.site, plan.job, plan.params, key)
    took_ms = (time.perf_counter() - begin) * 1000
    check_start(body)
    return StartedJob(JobRef(plan.site, plan.job, body["job_id"]), body, took_ms)


def follow_job(
    client: Client,
    plan: CheckOptions,
    started: StartedJob,
    display: ProgressDisplay,
    name: str = "",
) -> list[Body]:
    """Ask for a job's state until its end, and show it; return all bodies.

    Raises:
        ApiError: its end could not be learnt.
        NotMetError: it has no end in time.
    """
    deadline = time.monotonic() + plan.timeout_s
    display.show(started.start, name)
    bodies: list[Body] = []
    for body in client.follow(
        started.address,
        lambda reason: display.show_trouble(reason, name),
        poll_interval_s=plan.poll_interval_s,
        max_interval_s=_LONGEST_PAUSE_S,
    ):
        bodies.append(body)
        display.show(body, name)
        if time.monotonic() > deadline:
            message = (
                f"no end within {plan.timeout_s:g} s; the last was {body['status']}, "
                f"{body.get('progress')}%. It goes on: `garimpo watch {started.address.id}`"
            )
            raise CheckFailedError(message)
    return bodies


def finish_job(started: StartedJob, bodies: list[Body]) -> FinishedJob:
    """Look at a whole job; raises NotMetError unless it was completed as it must."""
    check_progress(bodies)
    count = check_result(bodies[-1])
    took_s = bodies[-1]["execution_time_seconds"]
    return FinishedJob(started.address.id, "completed", round(started.start_ms, 1), took_s, count)
