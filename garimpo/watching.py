"""A job is shown on the screen until it ends."""

from garimpo.address import JobAddress
from garimpo.client import Body, Client
from garimpo.exits import FAILED, INTERRUPTED
from garimpo.nobody import hint_at_nobody
from garimpo.output import describe_failure, say
from garimpo.progress import Display


def follow_job(
    client: Client, address: JobAddress, start: Body | None = None, *, live: bool = True
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
    with Display() as display, hint_at_nobody(client, display.hint) as see:
        if start:
            display.show(start)
            see(start)
        body = start or {}
        for body in client.follow(address, display.trouble, live=live):
            display.show(body)
            see(body)
    return body


def tell_interrupted(address: JobAddress) -> int:
    """Say after a Ctrl-C how to get the result; return the exit code."""
    say(f"The job goes on: `garimpo watch {address.id}`, or `garimpo cancel {address.id}`.")
    return INTERRUPTED


def tell_failure(body: Body) -> int:
    """Say why a job has failed; return the exit code."""
    say(describe_failure(body))
    return FAILED
