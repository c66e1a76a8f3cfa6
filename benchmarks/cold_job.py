"""Claim: a job with a cold Chrome takes little longer than a bare Selenium script."""

import time
from statistics import median

from benchmarks import baseline
from benchmarks.jobs import LATENCY_MS, run_job
from garimpo.client.client import Client
from garimpo.local_stack.stack import Stack

PAIRS = 9
#: Polling interval; the last poll is part of the measured time.
POLL_S = 0.01


def run() -> None:
    """Run both alternately on one demo site; print the medians and their ratio."""
    print(f"one page of 50 channels, cold Chrome, {LATENCY_MS} ms per page, {PAIRS} pairs:")
    script_s: list[float] = []
    job_s: list[float] = []
    with Stack() as stack:
        stack.redis()
        site = stack.site("--latency-ms", str(LATENCY_MS))
        api = stack.api()
        stack.worker()
        with Client(api.url) as client:
            _measure_job(client)  # warm-up: the worker's first job imports its modules
            for _ in range(PAIRS):
                script_s.append(baseline.run(site.url))
                job_s.append(_measure_job(client))
    print(f"  bare script  median {median(script_s):.2f} s  ({_format_range(script_s)})")
    print(f"  job          median {median(job_s):.2f} s  ({_format_range(job_s)})")
    print(f"  ratio        {median(job_s) / median(script_s):.2f}")


def _measure_job(client: Client) -> float:
    """Return the seconds from the start request to the response with the result.

    Raises:
        RuntimeError: The job did not read its 50 channels.
    """
    started_at = time.perf_counter()
    body = run_job(client, poll_interval_s=POLL_S)
    duration_s = time.perf_counter() - started_at
    if body["result"]["total_channels"] != baseline.CARDS:
        raise RuntimeError(body)
    return duration_s


def _format_range(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f}"
