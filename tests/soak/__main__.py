"""Soak test: `python -m tests.soak [--jobs N] [--seed N]`.

Clients start and poll jobs on three workers, while a nemesis injects random faults: it kills
workers and browsers, sends SIGTERM, kills, suspends and demotes Redis, lets it lose its last
writes, resets connections, and lets the site log the account out. The jobs share browsers and a
session that is kept in Redis. The test exits with 1 unless every accepted job ended once, with
each item exactly once, and no browser is left running. A job whose start is among the lost writes
may be unknown; one whose end is among them may end again.
"""

import argparse
import random
import sys
import threading
import time
from functools import partial
from pathlib import Path

import httpx
import yaml
from cryptography.fernet import Fernet
from redis import Redis
from rich.console import Console

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import exit_on_signals
from scraper.recipes.loader import BUNDLED
from tests.soak.callers import Callers
from tests.soak.nemesis import Nemesis
from tests.soak.report import SoakReport, make_report
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoControls

WORKERS = ("one", "two", "three")
#: Short, but long enough for a busy machine to renew a lease.
LEASE_S = 5.0
LEASING = {"LEASE_S": str(LEASE_S), "HEARTBEAT_S": "1", "RECONCILE_EVERY_S": "0.5"}
#: Time per job on average while faults are injected; then time for the last jobs without faults.
_JOB_S = 15.0
_CALM_S = 180.0
_GONE_WITHIN_S = 15.0


def main() -> int:
    """Run the soak test; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    # As wide as the table, also without a terminal.
    console = Console(width=100)
    console.print(f"soak: {arguments.jobs} jobs, seed {arguments.seed}")
    settings = LEASING | {"SESSION_KEYS": Fernet.generate_key().decode()}
    with exit_on_signals(), Stack(settings=settings) as stack:
        report = run_soak(stack, arguments.jobs, arguments.seed)
    for line in report.violations:
        console.print(line, markup=False)
    console.print(report.table(arguments.seed))
    return 0 if report.passed else 1


def run_soak(stack: Stack, jobs: int, seed: int) -> SoakReport:
    """Start the services, run the jobs while faults are injected, and return the report."""
    stack.settings["RECIPES_DIR"] = str(_write_recipe(stack.folder / "recipes"))
    redis = stack.redis()
    site = DemoControls(stack.site("--latency-ms", "20").url)
    api = stack.api()
    workers = {name: _start_worker(stack, name) for name in WORKERS}
    stack.wait_ready()
    # Separate generators: otherwise each depends on the speed of the other.
    clients_rng = random.Random(f"{seed} callers")  # noqa: S311 - no secret
    nemesis_rng = random.Random(f"{seed} nemesis")  # noqa: S311 - no secret
    browsers_folder = partial(_browsers_folder, stack)
    nemesis = Nemesis(
        redis,
        workers,
        browsers_folder,
        site,
        lease_s=LEASE_S,
        rng=nemesis_rng,
        copy=stack.folder / "redis-copy",
    )
    started_at = time.monotonic()
    with httpx.Client(base_url=api.url, timeout=30, trust_env=False) as client:
        callers = Callers(client, jobs, clients_rng, nemesis.no_requests, nemesis.losses)
        with nemesis:
            callers.run(started_at + jobs * _JOB_S)
        if nemesis.error:
            raise nemesis.error
        callers.run(time.monotonic() + _CALM_S)
        duration_s = time.monotonic() - started_at
        callers.check_ends()
    with Redis.from_url(redis.url, decode_responses=True) as connection:
        # They keep browsers for the next job.
        for worker in workers.values():
            worker.stop()
        return make_report(callers, nemesis, connection, _count_orphans(stack), duration_s)


def _write_recipe(folder: Path) -> Path:
    """Write the bundled recipe with limits for a site on loopback and a busy machine."""
    folder.mkdir(parents=True)
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["limits"] |= {"page_timeout_s": 60, "first_pause_s": 0.05}
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "tubehunt.yaml").write_text(text, encoding="utf-8")
    return folder


def _start_worker(stack: Stack, name: str) -> Process:
    folder = _browsers_folder(stack, name)
    folder.mkdir(parents=True)
    return stack.worker(name, {"TMPDIR": str(folder)}, wait=False)


def _browsers_folder(stack: Stack, name: str) -> Path:
    """Return the TMPDIR of a worker's browsers, which identifies them."""
    return stack.folder / "tmp" / name


def _count_orphans(stack: Stack) -> int:
    """Return the number of browser processes that remain after the workers have stopped."""
    deadline = time.monotonic() + _GONE_WITHIN_S
    never = threading.Event()
    while (left := browsers_of(stack.folder)) and time.monotonic() < deadline:
        never.wait(0.1)
    return len(left)


if __name__ == "__main__":
    sys.exit(main())
