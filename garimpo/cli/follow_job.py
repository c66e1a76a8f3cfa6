"""Show a job on the screen until it ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from garimpo.cli.output import FAILED, INTERRUPTED, describe_failure, print_error
from garimpo.cli.progress_display import ProgressDisplay
from garimpo.client.client import Body, Client
from garimpo.client.errors import ApiError
from garimpo.client.job_ref import JobRef

#: How long a job may wait before workers are looked for, and then again and again.
_LOOK_EVERY_S = 10.0
_HINT = "No worker is alive, so the job waits until one is: start one; `garimpo check` looks at it."


@contextmanager
def warn_if_no_worker(
    client: Client, tell: Callable[[str], None], *, every_s: float = _LOOK_EVERY_S
) -> Iterator[Callable[[Body], None]]:
    """Tell once, if the job waits for long, that no worker is alive.

    Gives what is to be called with each of the job's bodies. The API may be silent about a job
    that waits, so it is asked beside the following, until the block ends.

    Args:
        client: of the API.
        tell: called with the hint, in another thread.
        every_s: how long the job may wait before workers are looked for.
    """
    over = threading.Event()
    is_waiting = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            if is_waiting.is_set() and _is_nobody_there(client) and not over.is_set():
                tell(_HINT)
                return

    def see(body: Body) -> None:
        if body.get("status") == "pending":
            is_waiting.set()
        else:
            is_waiting.clear()

    # A daemon: a question that is still open must not hold the program up.
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield see
    finally:
        over.set()


def _is_nobody_there(client: Client) -> bool:
    with suppress(ApiError, RuntimeError):  # RuntimeError: the client has just been closed
        return client.health().get("workers_alive") == 0
    return False


def show_job(
    client: Client, address: JobRef, start: Body | None = None, *, live: bool = True
) -> Body:
    """Show a job's progress until it ends; return its JobResult or JobError.

    Args:
        client: of the API.
        address: the job.
        start: its JobStart, to be shown at once.
        live: whether the API tells each change; else it is asked, as often as it says.

    Raises:
        ApiError: the job's end could not be learnt.
    """
    with ProgressDisplay() as display, warn_if_no_worker(client, display.show_hint) as see:
        if start:
            display.show(start)
            see(start)
        body = start or {}
        for body in client.follow(address, display.show_trouble, live=live):
            display.show(body)
            see(body)
    return body


def report_interrupted(address: JobRef) -> int:
    """Say after a Ctrl-C how to get the result; return the exit code."""
    print_error(f"The job goes on: `garimpo watch {address.id}`, or `garimpo cancel {address.id}`.")
    return INTERRUPTED


def report_failure(body: Body) -> int:
    """Say why a job has failed; return the exit code."""
    print_error(describe_failure(body))
    return FAILED
