"""`garimpo jobs`: the jobs that there are, the newest first."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from garimpo.cli.completion import complete_job, complete_site
from garimpo.cli.options import AsJson, Language, Url, open_client
from garimpo.cli.output import (
    format_json,
    make_console,
    make_printable,
    print_stdout,
    render_stdout,
)
from garimpo.client.client import Client

#: As many as the API gives in one answer.
_PAGE = 200


class StateFilter(StrEnum):
    """A job's four states."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


_STYLES = {"pending": "yellow", "processing": "cyan", "completed": "green", "failed": "red"}


def jobs(  # noqa: PLR0913 - each is an option
    *,
    site: Annotated[str, typer.Option(help="Only this site's.", autocompletion=complete_site)] = "",
    job: Annotated[
        str, typer.Option(help="Only this job of the site's.", autocompletion=complete_job)
    ] = "",
    status: Annotated[StateFilter | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    language: Language = None,
) -> None:
    """List jobs, the newest first, until their results expire."""
    with open_client(url, language, as_json=as_json) as client:
        found, cursor = _read(client, limit, {"site": site, "job": job, "status": status})
    if as_json:
        print_stdout(format_json({"jobs": found, "next_cursor": cursor}))
        return
    render_stdout(draw(found, framed=make_console().is_terminal))


def _read(
    client: Client, limit: int, filters: dict[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None and len(found) < limit:
        page = client.list_jobs(limit=min(_PAGE, limit - len(found)), cursor=cursor, **filters)
        found += page["jobs"]
        cursor = page["next_cursor"]
    return found, cursor


def draw(found: list[dict[str, Any]], *, framed: bool) -> Table:
    """Draw the jobs; what a narrow terminal cuts off is the right, and never the id or the state.

    The id is what one copies.
    """
    table = Table(header_style="bold", box=None, pad_edge=False, expand=framed)
    table.add_column("id", no_wrap=True, min_width=36)
    table.add_column("status", no_wrap=True, min_width=10)
    table.add_column("%", justify="right", no_wrap=True, min_width=3)
    table.add_column("asked (UTC)", no_wrap=True, min_width=11)
    table.add_column("job", no_wrap=True, overflow="ellipsis", ratio=2 if framed else None)
    table.add_column("message", no_wrap=True, overflow="ellipsis", ratio=3 if framed else None)
    for one in found:
        table.add_row(
            one["job_id"],
            Text(one["status"], style=_STYLES[one["status"]]),
            str(one["progress"]),
            one["created_at"][5:16].replace("T", " "),
            f"{one['site']} {one['job']}",
            Text(make_printable(one["message"])),
        )
    return table
