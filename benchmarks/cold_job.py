"""Claim: the whole job, with a cold Chrome, takes little longer than a bare Selenium script."""

import time
from collections.abc import Callable
from statistics import median

import httpx

from benchmarks import bare_job
from garimpo.stack.stack import Stack

PAIRS = 9
#: How long the stand-in site takes for each of its pages.
LATENCY_MS = 50
#: How often the job's caller asks; its last question is part of what the job takes.
ASK_EVERY_S = 0.01


def run() -> None:
    """Run both in turn on one stand-in site, and print the medians and their ratio."""
    print(f"one page of 50 channels, {LATENCY_MS} ms a page, {PAIRS} pairs in turn:")
    with Stack() as stack:
        stack.redis()
        site = stack.site("--latency-ms", str(LATENCY_MS))
        api = stack.api()
        stack.worker()
        bare_s, job_s = [], []
        with httpx.Client(base_url=api.url) as client:
            _job(client)  # the worker's first job loads its modules
            for _ in range(PAIRS):
                bare_s.append(bare_job.run(site.url))
                job_s.append(_job(client))
    print(f"  bare script  median {median(bare_s):.2f} s  ({_range(bare_s)})")
    print(f"  the job      median {median(job_s):.2f} s  ({_range(job_s)})")
    print(f"  ratio of the medians {median(job_s) / median(bare_s):.2f}")


def _job(client: httpx.Client) -> float:
    """Start a job over HTTP and ask for its result until it is there."""
    began = time.perf_counter()
    start = client.post("/api/v1/tubehunt/scrape-channels/start").json()
    while True:
        body = client.get(start["result_url"]).json()
        if body["is_final"]:
            took_s = time.perf_counter() - began
            _check(body["status"] == "completed", body)
            _check(body["result"]["total_channels"] == 50, body)
            return took_s
        _pause(ASK_EVERY_S)


