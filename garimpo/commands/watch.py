"""`garimpo watch`: follow a job that was started elsewhere."""

import json

import typer

from garimpo.cli.follow_job import NoWorkerHint, report_failure, report_interrupted, show_job
from garimpo.cli.options import AsJson, JobId, Language, Url, open_client
from garimpo.cli.output import print_error, print_stdout
from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef


def watch(
    *, job_id: JobId, as_json: AsJson = False, url: Url = None, language: Language = None
) -> None:
    """Follow a job until it ends, however it was started.

    With --json, print each change as one line of JSON; the last line holds the result.
    """
    with open_client(url, language, as_json=as_json) as client:
        job = client.find(job_id)
        try:
            body = _print_changes(client, job) if as_json else show_job(client, job)
        except KeyboardInterrupt:
            raise typer.Exit(report_interrupted(job)) from None
    if body["status"] == "failed":
        raise typer.Exit(report_failure(body))
    print_error(
        f"Completed in {body['execution_time_seconds']:.1f} s. "
        f"Run `garimpo result {job_id}` to get the result."
    )


def _print_changes(client: Client, job: JobRef) -> Body:
    """Print each body as a line of JSON; return the final one."""
    hint = NoWorkerHint(print_error)
    body: Body = {}
    for body in client.follow(job, print_error, live=True):
        hint.check(body)
        print_stdout(json.dumps(body, ensure_ascii=False) + "\n")
    return body
