"""Claim: memory and CPU time of a worker for 13 pages of 10 channels, and between jobs."""

import threading
import time

import psutil

from benchmarks.jobs import LATENCY_MS, follow_job, start_job
from garimpo.client.client import Client
from garimpo.local_stack.stack import Stack
from scraper.browser.processes import browsers_below, memory_mb

PAGES = 13
#: How long after a job its worker has prepared the browsers for the next ones, in seconds.
SETTLE_S = 10.0


def run() -> None:
    """Run a job, sample its worker every 50 ms, and print the maxima."""
    print(f"worker, {PAGES} pages of 10 channels, {LATENCY_MS} ms per page:")
    with Stack() as stack:
        stack.redis()
        stack.site("--latency-ms", str(LATENCY_MS))
        api = stack.api()
        worker = psutil.Process(stack.worker().pid)
        idle_mb = _python_mb(worker)
        cpu_s: dict[psutil.Process, float] = {}
        python_mb = browser_mb = processes = threads = 0
        with Client(api.url) as client:
            job = start_job(client, {"pages": PAGES, "per_page": 10})
            started_at = time.perf_counter()
            for _ in follow_job(client, job, poll_interval_s=0.05):
                browsers = browsers_below(worker.pid)
                browser_mb = max(browser_mb, memory_mb(browsers))
                python_mb = max(python_mb, _python_mb(worker))
                processes = max(processes, len(browsers))
                threads = max(threads, _count_threads(browsers))
                cpu_s |= _read_cpu_s([worker, *worker.children(recursive=True)])
            duration_s = time.perf_counter() - started_at
        threading.Event().wait(SETTLE_S)
        kept_mb = memory_mb(browsers_below(worker.pid))
    print(f"  Python, idle      {idle_mb:5d} MiB")
    print(f"  Python, maximum   {python_mb:5d} MiB")
    print(f"  browser, maximum  {browser_mb:5d} MiB in {processes} processes, {threads} threads")
    print(f"  browsers, kept    {kept_mb:5d} MiB (WARM_BROWSERS=2)")
    print(
        f"  CPU               {sum(cpu_s.values()) / duration_s:5.1f} cores for {duration_s:.1f} s"
    )


def _python_mb(worker: psutil.Process) -> int:
    """Return the resident memory of the worker's Python processes in MiB."""
    browsers = set(browsers_below(worker.pid))
    descendants = worker.children(recursive=True)
    return memory_mb([worker, *(process for process in descendants if process not in browsers)])


def _count_threads(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            total += process.num_threads()
        except psutil.Error:  # it has exited meanwhile
            continue
    return total


def _read_cpu_s(processes: list[psutil.Process]) -> dict[psutil.Process, float]:
    """Return the CPU time of each process in seconds."""
    cpu_s = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has exited meanwhile
            continue
        cpu_s[process] = times.user + times.system
    return cpu_s
