"""`garimpo cancel`: cancel a job."""

from garimpo.cli.options import AsJson, JobId, Language, Url, open_client
from garimpo.cli.output import describe_failure, format_json, print_error, print_stdout


def cancel(
    *, job_id: JobId, as_json: AsJson = False, url: Url = None, language: Language = None
) -> None:
    """Cancel a job: a pending job at once, a running one within seconds."""
    with open_client(url, language, as_json=as_json) as client:
        body = client.cancel(client.find(job_id))
    if as_json:
        print_stdout(format_json(body))
    elif body["status"] == "failed":
        print_error(describe_failure(body))
    else:
        print_error(f"Cancellation requested. Run `garimpo watch {job_id}` to see the job end.")
