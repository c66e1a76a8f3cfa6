"""Claim: the whole job, with a cold Chrome, takes little longer than a bare Selenium script."""

import threading
import time
from statistics import median

import httpx

from benchmarks import baseline
from garimpo.local_stack.stack import Stack

PAIRS = 9
#: How long the stand-in site takes for each of its pages.
LATENCY_MS = 50
#: How often the job's caller asks; its last question is part of what the job takes.
ASK_EVERY_S = 0.01


def run() -> None:
    """Run both in turn on one stand-in site, and print the medians and their ratio."""
    print(f"one page of 50 channels, cold Chrome, {LATENCY_MS} ms a page, {PAIRS} pairs in turn:")
    bare_s, job_s = [], []
    with Stack() as stack:
        stack.redis()
        site = stack.site("--latency-ms", str(LATENCY_MS))
        api = stack.api()
        stack.worker()
        with httpx.Client(base_url=api.url) as client:
            _job(client)  # not counted: the worker's first job loads its modules
            for _ in range(PAIRS):
                bare_s.append(baseline.run(site.url))
                job_s.append(_job(client))
    print(f"  bare script  median {median(bare_s):.2f} s  ({_range(bare_s)})")
    print(f"  the job      median {median(job_s):.2f} s  ({_range(job_s)})")
    print(f"  ratio        {median(job_s) / median(bare_s):.2f}")


def _job(client: httpx.Client) -> float:
    """Start a job over HTTP and ask for its result until it is there; return the seconds.

    Raises:
        RuntimeError: The job has not read its 50 channels.
    """
    pause = threading.Event()
    began = time.perf_counter()
    start = client.post("/api/v1/tubehunt/scrape-channels/start").json()
    while not (body := client.get(start["result_url"]).json())["is_final"]:
        pause.wait(ASK_EVERY_S)
    took_s = time.perf_counter() - began
    if body["status"] != "completed" or body["result"]["total_channels"] != baseline.CARDS:
        raise RuntimeError(body)
    return took_s


def _range(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} to {max(seconds):.2f}"
