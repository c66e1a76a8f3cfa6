"""A job is shown on the screen until it ends."""

from garimpo.address import JobRef
from garimpo.client import Body, Client
from garimpo.exits import FAILED, INTERRUPTED
from garimpo.nobody import warn_if_no_worker
from garimpo.output import describe_failure, print_error
from garimpo.progress import ProgressDisplay


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
