"""Claims about jobs on a site: what they take beside a script, and beside each other."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import httpx
import psutil
from cryptography.fernet import Fernet
from redis import Redis
from selenium import webdriver

from benchmarks import baseline
from benchmarks.comparison import (
    FEW_PAIRS,
    PAIRS,
    Claim,
    Measurement,
    Target,
    compare_pairs,
    measure_in_turn,
)
from benchmarks.jobs import DETAIL_JOB, JOB, LATENCY_MS, SITE, time_job
from benchmarks.stacks import set_faults, write_recipe
from demo.account import Account
from demo.channels import all_channels
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from scraper.browser.processes import browsers_below
from scraper.credentials import variable_prefix

#: How long a page of a slow site takes.
SLOW_MS = 1000
#: Pairs with a script that takes several seconds.
ELEMENT_PAIRS = 3
OTHER_ACCOUNT = "shop2"
#: What a page with all its images loads, and how long each of them takes.
GALLERY = {"gallery": 322, "slow_image_ms": 200}
_SMALL = {"per_page": 10}
_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Running:
    """The services of a claim."""

    client: httpx.Client
    site: Process
    redis: Process
    worker: Process


def measure_cold_page() -> Measurement:
    """Compare a job without browser and session with a script that starts Chrome and logs in."""
    # No browser and no session is kept.
    settings = {"WARM_BROWSERS": "0", "SESSION_KEYS": Fernet.generate_key().decode()}
    with run_services(settings) as running, Redis.from_url(running.redis.url) as redis:

        def run_job() -> float:
            redis.delete(keys.session(SITE, "default"))
            return time_job(running.client, channels=baseline.CARDS)

        run_job()  # the worker's first job imports its modules
        return measure_in_turn(run_job, lambda: baseline.run(running.site.url), pairs=PAIRS)


def measure_warm_page() -> Measurement:
    """Compare a job with a script whose Chrome is open and logged in."""
    return _compare_with_script(baseline.read_page, pairs=PAIRS)


def measure_warm_page_by_elements() -> Measurement:
    """Compare a script that asks WebDriver for each element with a job."""
    ratios = _compare_with_script(baseline.read_page_by_elements, pairs=ELEMENT_PAIRS)
    return replace(ratios, values=[1 / ratio for ratio in ratios.values])


def _compare_with_script(
    read: Callable[[webdriver.Chrome, str], float], *, pairs: int
) -> Measurement:
    with (
        run_services() as running,
        baseline.open_logged_in(running.site.url) as driver,
    ):

        def run_job() -> float:
            return time_job(running.client, channels=baseline.CARDS)

        def run_script() -> float:
            return read(driver, running.site.url)

        for _ in range(3):  # imports modules, logs in, fills caches
            run_job()
        run_script()
        wait_for_browsers(running.worker)
        return measure_in_turn(run_job, run_script, pairs=pairs)


def measure_other_account() -> Measurement:
    """Compare the first job of another account with the next one of the same account."""
    account = Account()
    prefix = variable_prefix(SITE, OTHER_ACCOUNT)
    settings = {f"{prefix}USERNAME": account.email, f"{prefix}PASSWORD": account.password}
    accounts = ("default", OTHER_ACCOUNT)
    with run_services(settings) as running:

        def run_job(name: str) -> float:
            wait_for_browsers(running.worker)
            return time_job(running.client, {"account": name}, channels=baseline.CARDS)

        for name in accounts * 2:  # logs in
            time_job(running.client, {"account": name}, channels=baseline.CARDS)
        pairs = []
        for number in range(PAIRS):
            name = accounts[number % 2]
            pairs.append((run_job(name), run_job(name)))
        return compare_pairs(pairs)


def measure_gallery() -> Measurement:
    """Compare a page full of slow images with the same page without them."""
    with run_services() as running:

        def run_job(**faults: int) -> float:
            set_faults(running.site, **faults)
            return time_job(running.client, channels=baseline.CARDS)

        for _ in range(3):
            run_job()
        wait_for_browsers(running.worker)
        return measure_in_turn(lambda: run_job(**GALLERY), run_job, pairs=PAIRS)


def measure_parallel_pages() -> Measurement:
    """Compare six slow pages, four at a time, with one slow page."""
    with run_services(recipe={"parallel": 4}) as running:
        run_pages = _warm_up(running, slow_ms=SLOW_MS)
        return measure_in_turn(lambda: run_pages(6), lambda: run_pages(1), pairs=PAIRS)


def measure_details() -> Measurement:
    """Compare the slow pages of 50 channels with their time in turn."""
    channels = all_channels()[: baseline.CARDS]
    params = {"channel_links": [channel.link for channel in channels]}
    with run_services(recipe={"parallel": 8}, job=DETAIL_JOB) as running:
        _warm_up(running, slow_ms=SLOW_MS)
        return measure_in_turn(
            lambda: time_job(running.client, params, channels=len(channels), job=DETAIL_JOB),
            lambda: len(channels) * SLOW_MS / 1000,
            pairs=FEW_PAIRS,
        )


def measure_spread() -> Measurement:
    """Compare a job that four workers share with the same job on one worker in turn."""
    pages, pairs = 100, 1

    def measure(workers: int, recipe: dict[str, object]) -> float:
        with run_services(recipe=recipe, workers=workers) as running:
            run_pages = _warm_up(running, slow_ms=SLOW_MS, channels=10 * pages)
            if workers > 1:
                run_pages(4 * workers)  # every worker logs in or gets the session, and is warm
            return run_pages(pages)

    return measure_in_turn(
        lambda: measure(4, {"parallel": 4, "spread": True}),
        lambda: measure(1, {"parallel": 1}),
        pairs=pairs,
    )


def _warm_up(running: Running, **faults: int) -> Callable[[int], float]:
    """Log in, and make the site slow; return a function that times a job, by its pages."""

    def run_pages(pages: int) -> float:
        params = {**_SMALL, "pages": pages}
        return time_job(running.client, params, channels=10 * pages)

    for _ in range(2):
        run_pages(1)
    set_faults(running.site, **faults)
    return run_pages


@contextmanager
def run_services(
    settings: dict[str, str] | None = None,
    *,
    recipe: dict[str, object] | None = None,
    job: str = JOB,
    workers: int = 1,
) -> Iterator[Running]:
    """Yield a stack with workers.

    Args:
        settings: Those of all services.
        recipe: Changes to a job of the recipe.
        job: That job's name.
        workers: Their number.
    """
    session_keys = {"SESSION_KEYS": Fernet.generate_key().decode()}
    with ExitStack() as exits:
        stack = exits.enter_context(Stack(settings={**session_keys, **(settings or {})}))
        if recipe is not None:
            stack.settings |= write_recipe(stack.folder, job, recipe)
        redis = stack.redis()
        site = stack.site("--latency-ms", str(LATENCY_MS))
        api = stack.api()
        started = [stack.worker(f"worker{number}", wait=False) for number in range(workers)]
        stack.wait_ready()
        client = exits.enter_context(httpx.Client(base_url=api.url, timeout=90, trust_env=False))
        yield Running(client, site, redis, started[0])


def wait_for_browsers(worker: Process) -> None:
    """Wait until the worker has prepared its browsers: one of the last account, one unused.

    Raises:
        RuntimeError: It has not in time.
    """
    never = threading.Event()
    deadline = time.monotonic() + _TIMEOUT_S
    while _count_drivers(worker) < 2 or not _is_idle(worker):
        if time.monotonic() > deadline:
            message = f"the worker has {_count_drivers(worker)} browsers"
            raise RuntimeError(message)
        never.wait(0.1)


def _count_drivers(worker: Process) -> int:
    return sum("driver" in _name(process) for process in browsers_below(worker.pid))


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:  # it has exited meanwhile
        return ""


def _is_idle(worker: Process) -> bool:
    """Return whether the browsers have used little CPU time for half a second."""
    before = _cpu_s(worker)
    threading.Event().wait(0.5)
    return _cpu_s(worker) - before < 0.05


def _cpu_s(worker: Process) -> float:
    total = 0.0
    for process in browsers_below(worker.pid):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has exited meanwhile
            continue
        total += times.user + times.system
    return total


CLAIMS = {
    "cold_page": Claim(
        f"one page of {baseline.CARDS} channels, {LATENCY_MS} ms per answer, cold",
        "a bare Selenium script that starts Chrome, logs in and reads the page",
        Target(1.15),
        measure_cold_page,
    ),
    "warm_page": Claim(
        "the same, warm: from the start to the result, for a client with `wait`",
        "the bare script with Chrome open and logged in: the page and one extraction",
        Target(1.3),
        measure_warm_page,
    ),
    "warm_page_by_elements": Claim(
        "the same, warm: how many times faster",
        "a script that asks WebDriver for each element, with Chrome open and logged in",
        Target(20, "≥"),
        measure_warm_page_by_elements,
    ),
    "other_account": Claim(
        "the same, warm, by another account than that of the job before",
        "by the same account",
        Target(1.5),
        measure_other_account,
    ),
    "parallel_pages": Claim(
        "six list pages that take 1 s each, `parallel: 4`",
        "one such page",
        Target(2.5),
        measure_parallel_pages,
    ),
    "details": Claim(
        "the pages of 50 channels that take 1 s each, `parallel: 8`",
        "50 s",
        Target(0.2),
        measure_details,
    ),
    "spread": Claim(
        "100 list pages that take 1 s each, `spread: true`, 4 workers, `parallel: 4`",
        "the same on one worker in turn",
        Target(0.1),
        measure_spread,
    ),
    "gallery": Claim(
        "a page with 322 images that take 0.2 s each",
        "the same page without images",
        Target(1.1),
        measure_gallery,
    ),
}
