"""`python -m tests.soak [--jobs N] [--seed N]`: jobs on three workers while everything breaks.

A nemesis kills workers and browsers, sends SIGTERM, kills and hangs Redis and cuts connections, at
random, while callers start jobs and ask for them. Exits with 1 unless every accepted job came to
one end, with its items each there once, and nothing was left behind.
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
from redis import Redis
from rich.console import Console

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import exit_on_signals
from scraper.recipes.loader import BUNDLED
from tests.soak.callers import Callers
from tests.soak.nemesis import Nemesis
from tests.soak.report import Tally, count
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoControls

WORKERS = ("one", "two", "three")
#: Short, and yet long enough for a busy machine to keep a lease alive.
LEASE_S = 5.0
LEASING = {"LEASE_S": str(LEASE_S), "HEARTBEAT_S": "1", "RECONCILE_EVERY_S": "0.5"}
#: What no job may take, on average; then things are let be for as long as the last ones may take.
_JOB_S = 15.0
_CALM_S = 180.0
_GONE_WITHIN_S = 15.0


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    # As wide as the table, also where no terminal says how wide it is.
    console = Console(width=100)
    console.print(f"soak: {arguments.jobs} jobs, seed {arguments.seed}")
    with exit_on_signals(), Stack(settings=LEASING) as stack:
        tally = soak(stack, arguments.jobs, arguments.seed)
    for line in tally.wrong:
        console.print(line, markup=False)
    console.print(tally.table(arguments.seed))
    return 0 if tally.is_good else 1


def soak(stack: Stack, jobs: int, seed: int) -> Tally:
    """Start everything, break it, and count."""
    stack.settings["RECIPES_DIR"] = str(_write_recipe(stack.folder / "recipes"))
    redis = stack.redis()
    site = DemoControls(stack.site("--latency-ms", "20").url)
    api = stack.api()
    workers = {name: _start_worker(stack, name) for name in WORKERS}
    stack.wait_ready()
    # One for each, so that what one does next does not hang on how fast the other is.
    ours, its = (random.Random(f"{seed} {who}") for who in ("callers", "nemesis"))  # noqa: S311 - no secret
    browsers = partial(_temporary, stack)
    nemesis = Nemesis(redis, workers, browsers, site, lease_s=LEASE_S, rng=its)
    began = time.monotonic()
    with httpx.Client(base_url=api.url, timeout=30, trust_env=False) as client:
        callers = Callers(client, jobs, ours)
        with nemesis:
            callers.run(began + jobs * _JOB_S)
        if nemesis.error:
            raise nemesis.error
        callers.run(time.monotonic() + _CALM_S)
        took_s = time.monotonic() - began
        callers.check_ends()
    with Redis.from_url(redis.url, decode_responses=True) as connection:
        return count(callers, nemesis, connection, _count_orphans(stack), took_s)


def _write_recipe(folder: Path) -> Path:
    """Write the bundled recipe with limits that suit a site on loopback and a busy machine."""
    folder.mkdir(parents=True)
    recipe = yaml.safe_load((BUNDLED / "tubehunt.yaml").read_text(encoding="utf-8"))
    recipe["limits"] |= {"page_timeout_s": 60, "first_pause_s": 0.05}
    text = yaml.safe_dump(recipe, allow_unicode=True)
    (folder / "tubehunt.yaml").write_text(text, encoding="utf-8")
    return folder


def _start_worker(stack: Stack, name: str) -> Process:
    folder = _temporary(stack, name)
    folder.mkdir(parents=True)
    return stack.worker(name, {"TMPDIR": str(folder)}, wait=False)


def _temporary(stack: Stack, name: str) -> Path:
    """Return where a worker's browsers have their files: their environment tells whose they are."""
    return stack.folder / "tmp" / name


def _count_orphans(stack: Stack) -> int:
    """Count the browser processes that stay although no job runs."""
    deadline = time.monotonic() + _GONE_WITHIN_S
    pause = threading.Event()
    while (left := browsers_of(stack.folder)) and time.monotonic() < deadline:
        pause.wait(0.1)
    return len(left)


if __name__ == "__main__":
    sys.exit(main())
