"""Jobs that the benchmarks run, through the client of the command line."""

from collections.abc import Iterator, Mapping

from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef, make_job_path

SITE = "tubehunt"
JOB = "scrape-channels"
START_PATH = f"{make_job_path(SITE, JOB)}/start"
#: Response time of each page of the demo site in ms.
LATENCY_MS = 50


def start_job(client: Client, params: Mapping[str, int] | None = None) -> JobRef:
    """Start a job and return its reference."""
    return JobRef(SITE, JOB, client.start(SITE, JOB, params)["job_id"])


def run_job(
    client: Client, params: Mapping[str, int] | None = None, *, poll_interval_s: float = 0.2
) -> Body:
    """Start a job, poll it until it completes, and return its JobResult.

    Args:
        client: Client of the API.
        params: Parameters of the job.
        poll_interval_s: Polling interval, which limits the precision of a measured time.

    Raises:
        RuntimeError: The job failed.
    """
    *_, body = follow_job(client, start_job(client, params), poll_interval_s=poll_interval_s)
    return body


def follow_job(client: Client, job: JobRef, *, poll_interval_s: float = 0.2) -> Iterator[Body]:
    """Yield each polled body of a job until it completes.

    Raises:
        RuntimeError: The job failed.
    """
    for body in client.follow(job, poll_interval_s=poll_interval_s):
        if body["status"] == "failed":
            raise RuntimeError(body)
        yield body
