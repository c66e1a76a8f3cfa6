"""A reference to one job, and its URL path."""

from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote


@dataclass(frozen=True)
class JobRef:
    """One job of a site's."""

    site: str
    job: str
    id: str

    @classmethod
    def from_listing(cls, listed: dict[str, Any]) -> Self:
        """Read it from a job as the API lists it."""
        return cls(listed["site"], listed["job"], listed["job_id"])

    def make_path(self, endpoint: str) -> str:
        """Return a path below the API's address; `what` is `result`, `events` or `cancel`."""
        return f"{make_job_path(self.site, self.job)}/{endpoint}/{quote(self.id, safe='')}"


def make_job_path(site: str, job: str) -> str:
    """Return where a site's job has its addresses."""
    return f"/api/v1/{quote(site, safe='')}/{quote(job, safe='')}"
