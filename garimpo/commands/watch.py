"""`garimpo watch`: follow a job that runs already."""

import json

import typer

from garimpo.address import JobAddress
from garimpo.client import Body, Client
from garimpo.nobody import hint_at_nobody
from garimpo.options import AsJson, JobId, Language, Url, open_client
from garimpo.output import print_out, say
from garimpo.watching import follow_job, tell_failure, tell_interrupted


def watch(
    *, job_id: JobId, as_json: AsJson = False, url: Url = None, language: Language = None
) -> None:
    """Follow a job to its end, however it was started.

    With --json each change is a line of JSON; the last one holds the result.
    """
    with open_client(url, language, as_json=as_json) as client:
        address = client.find(job_id)
        try:
            body = _print_lines(client, address) if as_json else follow_job(client, address)
        except KeyboardInterrupt:
            raise typer.Exit(tell_interrupted(address)) from None
    if body["status"] == "failed":
        raise typer.Exit(tell_failure(body))
    say(f"Completed in {body['execution_time_seconds']:.1f} s: `garimpo result {job_id}`.")


def _print_lines(client: Client, address: JobAddress) -> Body:
    body: Body = {}
    with hint_at_nobody(client, say) as see:
        for body in client.follow(address, say, live=True):
            see(body)
            print_out(json.dumps(body, ensure_ascii=False) + "\n")
    return body
