"""`garimpo result`: the result of a job, as JSON or as a file."""

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from garimpo.cli.follow_job import report_failure
from garimpo.cli.options import AsJson, JobId, Language, Output, Url, check_output, open_client
from garimpo.cli.output import NOT_YET, format_json, make_printable, print_error, write_result
from garimpo.cli.progress_display import describe_remaining
from garimpo.client.client import Body


class Format(StrEnum):
    """What a result can be written as."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"
    XLSX = "xlsx"


class Separator(StrEnum):
    """What stands between the cells of CSV."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"


def result(  # noqa: PLR0913 - each is an option
    *,
    job_id: JobId,
    file_format: Annotated[
        Format | None,
        typer.Option("--format", help="By default that of FILE's name, else json."),
    ] = None,
    separator: Annotated[
        Separator, typer.Option(help="Of CSV; semicolon is for Excel in Brazil and Europe.")
    ] = Separator.COMMA,
    output: Output = None,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """Print a job's result, or write it to a file.

    With --json it is the API's whole answer, in every state.
    """
    check_output(output)
    if as_json and file_format not in {None, Format.JSON}:
        message = f"--json and --format {file_format} are two different things: choose one."
        raise typer.BadParameter(message)
    file_format = Format.JSON if as_json else file_format or _named_by(output)
    is_shown = output is None and sys.stdout is not None and sys.stdout.isatty()
    if file_format is Format.XLSX and is_shown:
        message = "A workbook is nothing for a terminal: add --output FILE.xlsx"
        raise typer.BadParameter(message)
    with open_client(url, language, as_json=as_json) as client:
        address = client.find(job_id)
        found = client.download(address, format=file_format, separator=separator)
        if not isinstance(found, dict):
            write_result(found, output, file_format)
            return
    _hand_out_body(found, output, as_json=as_json)


def _named_by(output: Path | None) -> Format:
    suffix = output.suffix.lower().removeprefix(".") if output else ""
    return Format(suffix) if suffix in set(Format) else Format.JSON


def _hand_out_body(body: Body, output: Output, *, as_json: bool) -> None:
    """Hand out an answer in JSON: a result, or the state of a job that has none."""
    pieces: Iterable[bytes] = [format_json(body if as_json else body.get("result")).encode()]
    if as_json or body["status"] == "completed":
        write_result(pieces, output)
    if body["status"] == "failed":
        raise typer.Exit(report_failure(body))
    if body["status"] != "completed":
        left = describe_remaining(body)
        print_error(
            f"No result yet: {body['progress']}% {make_printable(body['message'])}"
            f"{f' ({left})' if left else ''}. `garimpo watch {body['job_id']}` waits for it."
        )
        raise typer.Exit(NOT_YET)
