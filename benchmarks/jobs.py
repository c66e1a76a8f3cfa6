"""Jobs that the benchmarks run, through the client of the command line."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef, make_job_path

SITE = "tubehunt"
JOB = "scrape-channels"
#: The job that reads the page of each channel.
DETAIL_JOB = "scrape-channel"
START_PATH = f"{make_job_path(SITE, JOB)}/start"
RESULT_PATH = f"{make_job_path(SITE, JOB)}/result"
#: Response time of each page of the demo site in ms.
LATENCY_MS = 50


def start_job(client: Client, params: Mapping[str, int] | None = None) -> JobRef:
    """Start a job and return its reference."""
    return JobRef(SITE, JOB, client.start(SITE, JOB, params)["job_id"])


def run_job(
    client: Client, params: Mapping[str, int] | None = None, *, poll_interval_s: float = 0.2
) -> Body:
    """Start a job, poll it until it completes, and return its JobResult.

    Args:
        client: Client of the API.
        params: Parameters of the job.
        poll_interval_s: Polling interval, which limits the precision of a measured time.

    Raises:
        RuntimeError: The job failed.
    """
    *_, body = follow_job(client, start_job(client, params), poll_interval_s=poll_interval_s)
    return body


def follow_job(client: Client, job: JobRef, *, poll_interval_s: float = 0.2) -> Iterator[Body]:
    """Yield each polled body of a job until it completes.

    Raises:
        RuntimeError: The job failed.
    """
    for body in client.follow(job, poll_interval_s=poll_interval_s):
        if body["status"] == "failed":
            raise RuntimeError(body)
        yield body


def wait_for_result(
    client: httpx.Client, params: Mapping[str, object] | None = None, job: str = JOB
) -> Body:
    """Start a job, wait for its end as a client with `wait` does, and return its JobResult.

    Raises:
        RuntimeError: The job failed.
    """
    path = make_job_path(SITE, job)
    start = client.post(f"{path}/start", json=dict(params or {})).raise_for_status()
    job_id = start.json()["job_id"]
    body: dict[str, Any] = {"is_final": False}
    while not body["is_final"]:
        body = client.get(f"{path}/result/{job_id}?wait=60").raise_for_status().json()
    if body["status"] != "completed":
        raise RuntimeError(body)
    return body


def time_job(
    client: httpx.Client,
    params: Mapping[str, object] | None = None,
    *,
    channels: int,
    job: str = JOB,
) -> float:
    """Return the seconds from a start to the result, for a client that waits for it.

    Raises:
        RuntimeError: The job did not read this number of channels.
    """
    started_at = time.perf_counter()
    body = wait_for_result(client, params, job)
    duration_s = time.perf_counter() - started_at
    if body["result"]["total_channels"] != channels:
        raise RuntimeError(body)
    return duration_s
