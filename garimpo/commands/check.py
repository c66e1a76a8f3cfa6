"""`garimpo check`: the acceptance test of a deployment, for people and for CI."""

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
    make_printable,
    print_error,
    print_stdout,
    render_stdout,
)


def check(  # noqa: PLR0913 - each is an option
    *,
    site: Annotated[
        str,
        typer.Argument(help="By default the first that the API has.", autocompletion=complete_site),
    ] = "",
    job: Annotated[
        str, typer.Argument(help="By default the first of the site.", autocompletion=complete_job)
    ] = "",
    param: Params = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One job, and nothing at once: the small test.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, max=200, help="How many jobs at once, after the single one.")
    ] = 3,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            help="Ask every so many seconds; by default when the API says, after 5 s at most.",
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that a job may take.")] = 600,
    start_within_ms: Annotated[
        float,
        typer.Option(
            help="What the single start may take, not those at once; "
            "a far network takes its own time."
        ),
    ] = 100,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """Test a deployment: health, a start, its progress, its result, unknown ids, jobs at once.

    It runs real jobs, so the site is asked. It starts nothing else and changes nothing.
    """
    plan = CheckOptions(site, job, read_params(param), quick, jobs, every, start_within_ms, timeout)
    examination = AcceptanceTest(plan, lambda one: None if as_json else render_stdout(_line(one)))
    with open_client(url, language, as_json=as_json, pause=examination.pause) as client:
        try:
            report = examination.run(client)
        except KeyboardInterrupt:
            print_error("Broken off. Jobs that were started go on: `garimpo jobs`.")
            raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_stdout(format_json(report.as_json()))
    else:
        style = "bold green" if report.passed else "bold red"
        for line in report.summary():
            render_stdout(line, style=style, markup=False, soft_wrap=True)
    if not report.passed:
        raise typer.Exit(FAILED)


def _line(one: CheckResult) -> Text:
    word, style = ("ok    ", "green") if one.passed else ("FAILED", "bold red")
    return Text.assemble((word, style), f"  {one.name:<16}  {make_printable(one.detail)}")
