"""Shell completion of sites, jobs and job ids."""

from collections.abc import Iterable

import typer

from garimpo.client.client import Client
from garimpo.client.errors import ApiError
from garimpo.settings import SettingsError, read_settings

#: Whoever presses Tab does not wait longer.
_TIMEOUT_S = 1.0
_JOBS = 30
#: Tab is no place for messages; the command itself will tell.
_ERRORS = (ApiError, SettingsError)


def complete_site(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the sites that begin so."""
    return _filter_prefix(incomplete, (site for site, _ in _names(ctx)))


def complete_job(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the jobs of the site before it that begin so."""
    wanted = ctx.params.get("site")
    return _filter_prefix(incomplete, (job for site, job in _names(ctx) if wanted in {site, None}))


def complete_job_id(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """List the latest jobs' ids that begin so, each with what it is."""
    try:
        with _open(ctx) as client:
            jobs = client.list_jobs(limit=_JOBS)["jobs"]
    except _ERRORS:
        return []
    return [
        (job["job_id"], f"{job['site']} {job['job']} {job['status']}")
        for job in jobs
        if job["job_id"].startswith(incomplete)
    ]


def _names(ctx: typer.Context) -> list[tuple[str, str]]:
    try:
        with _open(ctx) as client:
            return client.list_job_names()
    except _ERRORS:
        return []


def _open(ctx: typer.Context) -> Client:
    return Client(ctx.params.get("url") or read_settings().garimpo_url, timeout_s=_TIMEOUT_S)


def _filter_prefix(incomplete: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(incomplete)})
