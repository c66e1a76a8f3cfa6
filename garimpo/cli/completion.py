"""Shell completion of sites, jobs and job ids."""

from collections.abc import Iterable

import typer

from garimpo.client.client import Client
from garimpo.client.errors import ApiError
from garimpo.settings import SettingsError, read_settings

#: Longest wait after a press of Tab.
_TIMEOUT_S = 1.0
#: Number of recent jobs to offer.
_JOBS = 30
#: Completion stays silent on errors: the command itself reports them.
_ERRORS = (ApiError, SettingsError)


def complete_site(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the sites that start with `incomplete`."""
    return _filter_prefix(incomplete, (site for site, _ in _list_names(ctx)))


def complete_job(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the jobs that start with `incomplete`, of the site before it if there is one."""
    chosen = ctx.params.get("site")
    names = _list_names(ctx)
    return _filter_prefix(incomplete, (job for site, job in names if chosen in {site, None}))


def complete_job_id(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the recent job ids that start with `incomplete`, each with a description."""
    try:
        with _open_client(ctx) as client:
            jobs = client.list_jobs(limit=_JOBS)["jobs"]
    except _ERRORS:
        return []
    return [
        (job["job_id"], f"{job['site']} {job['job']} {job['status']}")
        for job in jobs
        if job["job_id"].startswith(incomplete)
    ]


def _list_names(ctx: typer.Context) -> list[tuple[str, str]]:
    """Return the site and the name of each job that the API has; none if it cannot be reached."""
    try:
        with _open_client(ctx) as client:
            return client.list_job_names()
    except _ERRORS:
        return []


def _open_client(ctx: typer.Context) -> Client:
    settings = read_settings()
    url = ctx.params.get("url") or settings.garimpo_url
    return Client(url, api_key=settings.api_key, timeout_s=_TIMEOUT_S)


def _filter_prefix(prefix: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(prefix)})
