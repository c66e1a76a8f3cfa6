"""Claim: what a worker needs, in memory and processor time, for 13 pages of 10 channels."""

import threading
import time

import httpx
import psutil

from garimpo.local_stack.stack import Stack
from scraper.browser.processes import browsers_below, memory_mb

LATENCY_MS = 50
PAGES = 13


def run() -> None:
    """Run a job and sample its worker; print the highest that was seen."""
    print(f"a worker, {PAGES} pages of 10 channels, {LATENCY_MS} ms a page:")
    with Stack() as stack:
        stack.redis()
        stack.site("--latency-ms", str(LATENCY_MS))
        api = stack.api()
        worker = psutil.Process(stack.worker().pid)
        idle_mb = _python_mb(worker)
        with httpx.Client(base_url=api.url) as client:
            start = "/api/v1/tubehunt/scrape-channels/start"
            job = client.post(start, json={"pages": PAGES, "per_page": 10}).json()
            began = time.perf_counter()
            cpu_s: dict[psutil.Process, float] = {}
            python_mb = browser_mb = processes = threads = 0
            pause = threading.Event()
            while not (body := client.get(job["result_url"]).json())["is_final"]:
                browsers = browsers_below(worker.pid)
                browser_mb = max(browser_mb, memory_mb(browsers))
                python_mb = max(python_mb, _python_mb(worker))
                processes = max(processes, len(browsers))
                threads = max(threads, _threads(browsers))
                cpu_s |= _cpu_s([worker, *worker.children(recursive=True)])
                pause.wait(0.05)
            took_s = time.perf_counter() - began
    if body["status"] != "completed":
        raise RuntimeError(body)
    print(f"  Python, idle        {idle_mb:5d} MiB")
    print(f"  Python, at most     {python_mb:5d} MiB")
    print(f"  browser, at most    {browser_mb:5d} MiB in {processes} processes, {threads} threads")
    print(f"  processor           {sum(cpu_s.values()) / took_s:5.1f} cores over {took_s:.1f} s")


def _python_mb(worker: psutil.Process) -> int:
    browsers = set(browsers_below(worker.pid))
    below = worker.children(recursive=True)
    return memory_mb([worker, *(process for process in below if process not in browsers)])


def _threads(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            total += process.num_threads()
        except psutil.Error:  # it has ended meanwhile
            continue
    return total


def _cpu_s(processes: list[psutil.Process]) -> dict[psutil.Process, float]:
    used = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has ended meanwhile
            continue
        used[process] = times.user + times.system
    return used
