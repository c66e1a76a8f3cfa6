"""`garimpo jobs`: list jobs, newest first."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from garimpo.cli.completion import complete_job, complete_site
from garimpo.cli.options import AsJson, Language, Url, open_client
from garimpo.cli.output import (
    format_json,
    make_console,
    print_stdout,
    render_stdout,
)
from garimpo.client.client import Body, Client
from jobs.model.i18n import make_printable
from jobs.model.job import JobState

#: Largest page that the API returns.
_PAGE_SIZE = 200

_STYLES = {
    JobState.PENDING: "yellow",
    JobState.PROCESSING: "cyan",
    JobState.COMPLETED: "green",
    JobState.FAILED: "red",
}


def jobs(  # noqa: PLR0913 - each is an option
    *,
    site: Annotated[
        str, typer.Option(help="Only jobs of this site.", autocompletion=complete_site)
    ] = "",
    job: Annotated[
        str, typer.Option(help="Only jobs with this name.", autocompletion=complete_job)
    ] = "",
    status: Annotated[JobState | None, typer.Option(help="Only jobs with this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs to list.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """List jobs, newest first. Jobs are listed until their results expire."""
    with open_client(url, language, as_json=as_json) as client:
        listed, cursor = _list(client, limit, {"site": site, "job": job, "status": status})
    if as_json:
        print_stdout(format_json({"jobs": listed, "next_cursor": cursor}))
        return
    render_stdout(make_jobs_table(listed, framed=make_console().is_terminal))


def _list(client: Client, limit: int, filters: dict[str, Any]) -> tuple[list[Body], str | None]:
    """Return up to `limit` jobs, and the cursor of the next page; None after the last one."""
    listed: list[Body] = []
    cursor: str | None = ""
    while cursor is not None and len(listed) < limit:
        page = client.list_jobs(
            limit=min(_PAGE_SIZE, limit - len(listed)), cursor=cursor, **filters
        )
        listed += page["jobs"]
        cursor = page["next_cursor"]
    return listed, cursor


def make_jobs_table(listed: list[Body], *, framed: bool) -> Table:
    """Return a table of jobs.

    A narrow terminal truncates the columns on the right, never the id, which users copy, or the
    status.

    Args:
        listed: The jobs, as the API lists them.
        framed: Whether to fit the table into the terminal's width.
    """
    table = Table(header_style="bold", box=None, pad_edge=False, expand=framed)
    table.add_column("id", no_wrap=True, min_width=36)
    table.add_column("status", no_wrap=True, min_width=10)
    table.add_column("%", justify="right", no_wrap=True, min_width=3)
    table.add_column("created (UTC)", no_wrap=True, min_width=11)
    table.add_column("job", no_wrap=True, overflow="ellipsis", ratio=2 if framed else None)
    table.add_column("message", no_wrap=True, overflow="ellipsis", ratio=3 if framed else None)
    for job in listed:
        table.add_row(
            job["job_id"],
            Text(job["status"], style=_STYLES[job["status"]]),
            str(job["progress"]),
            job["created_at"][5:16].replace("T", " "),
            f"{job['site']} {job['job']}",
            Text(make_printable(job["message"])),
        )
    return table
