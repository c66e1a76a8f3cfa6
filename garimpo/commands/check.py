"""`garimpo check`: acceptance test of a deployment, for people and for CI."""

from typing import Annotated

import typer
from rich.text import Text

from garimpo.acceptance.report import CheckOptions, CheckResult
from garimpo.acceptance.runner import AcceptanceTest
from garimpo.cli.completion import complete_job, complete_site
from garimpo.cli.options import AsJson, Language, Params, Url, open_client, read_params
from garimpo.cli.output import (
    FAILED,
    INTERRUPTED,
    format_json,
    print_error,
    print_stdout,
    render_stdout,
)
from jobs.model.i18n import make_printable


def check(  # noqa: PLR0913 - each is an option
    *,
    site: Annotated[
        str,
        typer.Argument(
            help="Site of the job; by default the first one that the API lists.",
            autocompletion=complete_site,
        ),
    ] = "",
    job: Annotated[
        str,
        typer.Argument(
            help="Name of the job; by default the first one of the site.",
            autocompletion=complete_job,
        ),
    ] = "",
    param: Params = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run a single job and skip the concurrent ones.")
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            min=1, max=200, help="Number of jobs to run concurrently after the single one."
        ),
    ] = 3,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            help="Polling interval in seconds; by default the API's retry_after_seconds, "
            "at most 5 s.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Time limit for each job in seconds.")] = 600,
    start_within_ms: Annotated[
        float,
        typer.Option(
            help="Time limit for starting the single job in milliseconds, network included. "
            "It does not apply to the concurrent jobs."
        ),
    ] = 100,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """Test a deployment: health, start, progress, result, unknown ids, concurrent jobs.

    It runs real jobs, so requests are sent to the site. It starts no services and changes no
    settings.
    """
    options = CheckOptions(
        site, job, read_params(param), quick, jobs, every, start_within_ms, timeout
    )

    def show(result: CheckResult) -> None:
        if not as_json:
            render_stdout(_format_result(result))

    test = AcceptanceTest(options, show)
    with open_client(url, language, as_json=as_json, pause=test.pause) as client:
        try:
            report = test.run(client)
        except KeyboardInterrupt:
            print_error("Interrupted. Started jobs keep running: see `garimpo jobs`.")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_stdout(format_json(report.as_json()))
    else:
        style = "bold green" if report.passed else "bold red"
        for line in report.summary():
            render_stdout(line, style=style, markup=False, soft_wrap=True)
    if not report.passed:
        raise typer.Exit(FAILED)


def _format_result(result: CheckResult) -> Text:
    verdict, style = ("ok    ", "green") if result.passed else ("FAILED", "bold red")
    return Text.assemble((verdict, style), f"  {result.name:<16}  {make_printable(result.detail)}")
