"""`garimpo demo`: run a job from start to result against the bundled demo site."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console

from garimpo.cli.follow_job import show_job
from garimpo.cli.options import load_settings
from garimpo.cli.output import FAILED, describe_failure, format_json, print_error
from garimpo.cli.table import make_table
from garimpo.client.client import Body, Client, list_collections
from garimpo.client.errors import ApiError
from garimpo.client.job_ref import JobRef
from garimpo.local_stack.errors import StackError
from garimpo.local_stack.process import Process
from garimpo.local_stack.services import DEMO_SITE
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import exit_on_signals
from garimpo.settings import Settings

_OUTPUT = Path("output/demo-channels.json")
_ROWS = 10
_HEALTHY_WITHIN_S = 60.0
#: Shorter than the API's `retry_after_seconds`: this API has no other client, and the progress bar
#: should move smoothly.
_POLL_S = 0.1

_NEXT_STEPS = """
What to try next:
  make dev                                 the same stack, kept running
  curl -X POST http://127.0.0.1:8000/api/v1/{site}/{job}/start
  .venv/bin/garimpo run {site} {job} --param pages=3 --output {collection}.json
"""


class DemoFailedError(Exception):
    """The demo did not complete; the text says why."""


def demo() -> None:
    """Scrape 50 channels from the bundled demo site, then stop everything again."""
    settings = load_settings()
    try:
        _run(settings)
    except (DemoFailedError, StackError, ApiError) as error:
        print_error(str(error))
        raise typer.Exit(FAILED) from error


def _run(settings: Settings) -> None:
    """Start the services, run a job, and write its result to a file.

    The demo site and a new Redis are used, regardless of `.env` and the environment.

    Raises:
        DemoFailedError: The job failed, or the API did not become healthy.
        StackError: A service could not be started, or exited.
        ApiError: A request to the API failed.
    """
    started_at = time.monotonic()
    status = Console(stderr=True)
    with exit_on_signals(), Stack(settings=settings.chrome) as stack:
        status.print("Starting Redis, the demo site, the API and a worker ...")
        api, worker = _start_services(stack)
        with Client(api.url, language=settings.language, pause=_make_pause(stack)) as client:
            _wait_until_healthy(client, stack)
            site, job = _find_job(client)
            start = client.start(site, job)
            # Polled, not streamed: a service that exited is noticed in the pauses between polls.
            body = show_job(client, JobRef(site, job, start["job_id"]), start, live=False)
        if body["status"] == "failed":
            log = "\n  ".join(worker.last_lines())
            message = f"The job failed: {describe_failure(body)}\nLog of the worker:\n  {log}"
            raise DemoFailedError(message)
        [collection] = list_collections(body["result"])
        _print_summary(body, collection, time.monotonic() - started_at)
        next_steps = _NEXT_STEPS.format(site=site, job=job, collection=collection)
        Console(highlight=False).print(next_steps, markup=False, soft_wrap=True)
        status.print("Stopping all services ...")
    _OUTPUT.parent.mkdir(exist_ok=True)
    _OUTPUT.write_text(format_json(body["result"]), encoding="utf-8")
    # Scripts parse the last line: it is neither wrapped nor coloured.
    print(f"{body['result'][f'total_{collection}']} {collection}: {_OUTPUT.resolve()}")  # noqa: T201


def _start_services(stack: Stack) -> tuple[Process, Process]:
    """Start all services; return the API and the worker."""
    stack.redis()
    stack.site(wait=False)
    api = stack.api(wait=False)
    worker = stack.worker(wait=False)
    stack.wait_ready()
    return api, worker


def _make_pause(stack: Stack) -> Callable[[float], None]:
    """Return a pause between two polls that raises ServiceDiedError if a service exited."""
    never = threading.Event()

    def pause(seconds: float) -> None:
        never.wait(min(seconds, _POLL_S))
        stack.check()

    return pause


def _wait_until_healthy(client: Client, stack: Stack) -> None:
    """Wait until the API reports Redis and the worker as available.

    Raises:
        DemoFailedError: It does not within a minute.
        ServiceDiedError: A service exited.
    """
    deadline = time.monotonic() + _HEALTHY_WITHIN_S
    pause = _make_pause(stack)
    while (health := client.health())["status"] != "ok":
        if time.monotonic() > deadline:
            message = f"The API did not become healthy within {_HEALTHY_WITHIN_S:g} s: {health}"
            raise DemoFailedError(message)
        pause(_POLL_S)


def _find_job(client: Client) -> tuple[str, str]:
    """Return the demo site's name and its first job, as the API lists them."""
    for site, job in client.list_job_names():
        if site == DEMO_SITE:
            return site, job
    message = f"The API has no job for the site {DEMO_SITE}."
    raise DemoFailedError(message)


def _print_summary(body: Body, collection: str, total_s: float) -> None:
    console = Console(highlight=False)
    items = body["result"][collection]
    console.print(make_table(items, rows=_ROWS, width=console.width))
    console.print(f"First {min(_ROWS, len(items))} of {len(items)} {collection}.")
    console.print(
        f"Job: {body['execution_time_seconds']:.1f} s; {total_s:.1f} s including start-up."
    )
