"""`garimpo watch`: follow a job that runs already."""

import json

import typer

from garimpo.cli.follow_job import report_failure, report_interrupted, show_job, warn_if_no_worker
from garimpo.cli.options import AsJson, JobId, Language, Url, open_client
from garimpo.cli.output import print_error, print_stdout
from garimpo.client.client import Body, Client
from garimpo.client.job_ref import JobRef


def watch(
    *, job_id: JobId, as_json: AsJson = False, url: Url = None, language: Language = None
) -> None:
    """Follow a job to its end, however it was started.

    With --json each change is a line of JSON; the last one holds the result.
    """
    with open_client(url, language, as_json=as_json) as client:
        address = client.find(job_id)
        try:
            body = _print_lines(client, address) if as_json else show_job(client, address)
        except KeyboardInterrupt:
            raise typer.Exit(report_interrupted(address)) from None
    if body["status"] == "failed":
        raise typer.Exit(report_failure(body))
    print_error(f"Completed in {body['execution_time_seconds']:.1f} s: `garimpo result {job_id}`.")


def _print_lines(client: Client, address: JobRef) -> Body:
    body: Body = {}
    with warn_if_no_worker(client, print_error) as see:
        for body in client.follow(address, print_error, live=True):
            see(body)
            print_stdout(json.dumps(body, ensure_ascii=False) + "\n")
    return body
