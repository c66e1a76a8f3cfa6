"""Follow a job and show its progress until it ends."""

from collections.abc import Callable

from garimpo.cli.output import FAILED, INTERRUPTED, describe_failure, print_error
from garimpo.cli.progress_display import ProgressDisplay
from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef

#: Idle workers claim a job within a second; a job that waits this long without workers is stuck.
_HINT_AFTER_S = 10.0
_NO_WORKER = (
    "No worker is running, so the job stays pending until one starts. "
    "`garimpo check` reports what is missing."
)


class NoWorkerHint:
    """Warn once if a job stays pending because no worker is running."""

    def __init__(self, show: Callable[[str], None]) -> None:
        """Create the hint.

        Args:
            show: Called with the text of the hint, at most once.
        """
        self._show = show
        self._is_shown = False

    def check(self, body: Body) -> None:
        """Show the hint if the job has waited for 10 s or more and no worker is running."""
        if (
            not self._is_shown
            and body["status"] == "pending"
            and body.get("workers_alive") == 0
            and body.get("elapsed_seconds", 0.0) >= _HINT_AFTER_S
        ):
            self._is_shown = True
            self._show(_NO_WORKER)


def show_job(client: Client, job: JobRef, start: Body | None = None, *, live: bool = True) -> Body:
    """Show a job's progress until it ends; return its JobResult or JobError.

    Args:
        client: Client of the API.
        job: The job.
        start: Its JobStart, which is shown at once.
        live: Whether to follow the event stream; otherwise the status is polled.

    Raises:
        ApiError: The job cannot be followed to its end.
    """
    with ProgressDisplay() as display:
        hint = NoWorkerHint(display.show_hint)
        if start:
            display.show(start)
        body = start or {}
        for body in client.follow(job, display.show_outage, live=live):
            display.show(body)
            hint.check(body)
    return body


def report_interrupted(job: JobRef) -> int:
    """Print how to follow or cancel the job after Ctrl-C; return the exit code."""
    print_error(
        f"The job keeps running: `garimpo watch {job.id}` follows it, "
        f"`garimpo cancel {job.id}` cancels it."
    )
    return INTERRUPTED


def report_failure(body: Body) -> int:
    """Print why a job failed, and what it had read; return the exit code.

    Args:
        body: The job's JobError.
    """
    print_error(describe_failure(body))
    if body.get("items_read"):
        print_error(
            f"Items read before the failure: {body['items_read']} (pages: {body['pages_read']}). "
            f"GET …/items/{body['job_id']} returns them."
        )
    return FAILED
