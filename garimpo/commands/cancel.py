"""`garimpo cancel`: end a job before its time."""

from garimpo.cli.options import AsJson, JobId, Language, Url, open_client
from garimpo.cli.output import describe_failure, format_json, print_error, print_stdout


def cancel(
    *, job_id: JobId, as_json: AsJson = False, url: Url = None, language: Language = None
) -> None:
    """End a job: at once if it waits, within seconds if it runs."""
    with open_client(url, language, as_json=as_json) as client:
        body = client.cancel(client.find(job_id))
    if as_json:
        print_stdout(format_json(body))
    elif body["status"] == "failed":
        print_error(describe_failure(body))
    else:
        print_error(f"Its worker is told. `garimpo watch {job_id}` shows its end.")
