"""`garimpo result`: print a job's result, or write it to a file."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from garimpo.cli.follow_job import report_failure
from garimpo.cli.options import (
    AsJson,
    JobId,
    Language,
    Output,
    ResultFormat,
    Separator,
    Url,
    check_output,
    open_client,
)
from garimpo.cli.output import NOT_YET, format_json, print_error, write_result
from garimpo.cli.progress_display import describe_remaining
from garimpo.client.client import Body
from jobs.model.i18n import make_printable


def result(  # noqa: PLR0913 - each is an option
    *,
    job_id: JobId,
    file_format: Annotated[
        ResultFormat | None,
        typer.Option(
            "--format", help="Output format; by default the one of FILE's extension, else json."
        ),
    ] = None,
    separator: Annotated[
        Separator,
        typer.Option(help="CSV delimiter; use `semicolon` for Excel in Brazil and Europe."),
    ] = Separator.COMMA,
    output: Output = None,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """Print a job's result, or write it to a file.

    With --json, print the API's complete response, whatever the job's status.
    """
    check_output(output)
    if as_json and file_format not in {None, ResultFormat.JSON}:
        message = f"--json cannot be combined with --format {file_format}"
        raise typer.BadParameter(message)
    file_format = ResultFormat.JSON if as_json else file_format or _guess_format(output)
    to_terminal = output is None and sys.stdout is not None and sys.stdout.isatty()
    if file_format is ResultFormat.XLSX and to_terminal:
        message = "Refusing to write binary XLSX to a terminal; use --output"
        raise typer.BadParameter(message)
    with open_client(url, language, as_json=as_json) as client:
        job = client.find(job_id)
        response = client.download(job, format=file_format, separator=separator)
        if not isinstance(response, dict):
            write_result(response, output, file_format)
            return
    _write_body(response, output, as_json=as_json)


def _guess_format(output: Path | None) -> ResultFormat:
    """Return the format of a file's extension; JSON if it is unknown."""
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return ResultFormat(suffix) if suffix in set(ResultFormat) else ResultFormat.JSON


def _write_body(body: Body, output: Path | None, *, as_json: bool) -> None:
    """Write a JSON response: a result, or the status of a job that has none.

    Raises:
        typer.Exit: The job has no result; the reason was printed.
    """
    pieces: Iterable[bytes] = [format_json(body if as_json else body.get("result")).encode()]
    if as_json or body["status"] == "completed":
        write_result(pieces, output)
    if body["status"] == "failed":
        raise typer.Exit(report_failure(body))
    if body["status"] != "completed":
        remaining = describe_remaining(body)
        print_error(
            f"No result yet: {body['progress']}% {make_printable(body['message'])}"
            f"{f' ({remaining})' if remaining else ''}. "
            f"Run `garimpo watch {body['job_id']}` to wait for it."
        )
        raise typer.Exit(NOT_YET)
