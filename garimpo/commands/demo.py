"""`garimpo demo`: the main job, end to end, on this machine and on the stand-in site."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from garimpo.cli.follow_job import show_job
from garimpo.cli.output import describe_failure, format_json
from garimpo.cli.table import make_table
from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import exit_on_signals
from garimpo.settings import Settings

SITE, JOB, COLLECTION = "tubehunt", "scrape-channels", "channels"
_OUTPUT = Path("output/demo-channels.json")
_ROWS = 10
_HEALTHY_WITHIN_S = 60.0
#: The API asks for fewer questions; this one has nobody else to serve, and the bar shall move.
_POLL_S = 0.1

_NEXT = """
What to try next:
  make dev                                 the same stack, kept running
  curl -X POST http://127.0.0.1:8000/api/v1/tubehunt/scrape-channels/start
  .venv/bin/garimpo run tubehunt scrape-channels --param pages=3 --output channels.json
"""


class DemoFailedError(Exception):
    """The demo has not reached its end; the text says why."""


def run_demo(settings: Settings) -> Path:
    """Run the demo; return the file that has the channels.

    It uses the stand-in site and a Redis of its own, whatever `.env` and the environment say.

    Raises:
        DemoFailedError: the job has failed, or the stack does not become healthy.
        StackError: a service could not be started, or has died.
    """
    begin = time.monotonic()
    narrator = Console(stderr=True)
    with exit_on_signals(), Stack(settings=settings.chrome) as stack:
        narrator.print("Starting Redis, the stand-in site, the API and a worker ...")
        api, worker = _start(stack)
        with Client(api.url, language=settings.language, pause=_make_pause(stack)) as client:
            _wait_healthy(client, stack)
            start = client.start(SITE, JOB)
            # Not live: the pauses between two questions are when dead services are noticed.
            body = show_job(client, JobRef(SITE, JOB, start["job_id"]), start, live=False)
        if body["status"] == "failed":
            log = "\n  ".join(worker.last_lines())
            message = f"The job has failed: {describe_failure(body)}\nThe worker's log:\n  {log}"
            raise DemoFailedError(message)
        _print_summary(body, time.monotonic() - begin)
        narrator.print("Stopping what was started ...")
    _OUTPUT.parent.mkdir(exist_ok=True)
    _OUTPUT.write_text(format_json(body["result"]), encoding="utf-8")
    # The last line is a promise to scripts: not wrapped, not coloured.
    print(f"{body['result'][f'total_{COLLECTION}']} {COLLECTION}: {_OUTPUT.resolve()}")  # noqa: T201
    return _OUTPUT


def _start(stack: Stack) -> tuple[Process, Process]:
    stack.redis()
    stack.site(wait=False)
    api = stack.api(wait=False)
    worker = stack.worker(wait=False)
    stack.wait_ready()
    return api, worker


def _make_pause(stack: Stack) -> Callable[[float], None]:
    """Return a pause between two questions that notices when a service dies."""
    nothing = threading.Event()

    def pause(seconds: float) -> None:
        nothing.wait(min(seconds, _POLL_S))
        stack.check()

    return pause


def _wait_healthy(client: Client, stack: Stack) -> None:
    """Wait for the API to see Redis and the worker."""
    deadline = time.monotonic() + _HEALTHY_WITHIN_S
    pause = _make_pause(stack)
    while (health := client.health())["status"] != "ok":
        if time.monotonic() > deadline:
            message = f"The API does not become healthy: {health}"
            raise DemoFailedError(message)
        pause(_POLL_S)


def _print_summary(body: Body, whole_s: float) -> None:
    console = Console(highlight=False)
    channels = body["result"][COLLECTION]
    console.print(make_table(channels, rows=_ROWS, width=console.width))
    console.print(f"The first {min(_ROWS, len(channels))} of {len(channels)} {COLLECTION}.")
    console.print(
        f"The job took {body['execution_time_seconds']:.1f} s, "
        f"all with the start of the services {whole_s:.1f} s."
    )
    console.print(_NEXT, markup=False, soft_wrap=True)
