"""`garimpo run`: start a job, show its progress and write its result."""

from typing import Annotated

import typer

from garimpo.cli.follow_job import report_failure, report_interrupted, show_job
from garimpo.cli.options import (
    Account,
    AsJson,
    Job,
    Language,
    Output,
    Params,
    Site,
    Url,
    check_output,
    open_client,
    read_params,
)
from garimpo.cli.output import format_json, write_result
from garimpo.client.job_ref import JobRef


def run(  # noqa: PLR0913 - each is an option
    *,
    site: Site,
    job: Job,
    param: Params = None,
    account: Account = None,
    output: Output = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Idempotency key: running again with the same key within a day follows the "
            "same job instead of starting another."
        ),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """Run a job and print its result as JSON.

    With --json, print the API's complete last response, also for a failed job.
    """
    params = read_params(param)
    if account is not None:
        params["account"] = account
    check_output(output)
    with open_client(url, language, as_json=as_json) as client:
        start = client.start(site, job, params, key)
        job_ref = JobRef(site, job, start["job_id"])
        try:
            body = show_job(client, job_ref, start)
        except KeyboardInterrupt:
            raise typer.Exit(report_interrupted(job_ref)) from None
    failed = body["status"] == "failed"
    if as_json or not failed:
        write_result([format_json(body if as_json else body["result"]).encode()], output)
    if failed:
        raise typer.Exit(report_failure(body))
