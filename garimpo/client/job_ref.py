"""Reference to a job, and its URL paths."""

from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote


@dataclass(frozen=True)
class JobRef:
    """Site, name and id of a job."""

    site: str
    job: str
    id: str

    @classmethod
    def from_listing(cls, listed: dict[str, Any]) -> Self:
        """Return the reference to a job as the API lists it."""
        return cls(listed["site"], listed["job"], listed["job_id"])

    def make_path(self, endpoint: str) -> str:
        """Return the URL path of an endpoint: `result`, `events` or `cancel`."""
        return f"{make_job_path(self.site, self.job)}/{endpoint}/{quote(self.id, safe='')}"


def make_job_path(site: str, job: str) -> str:
    """Return the URL path that all endpoints of a job definition start with."""
    return f"/api/v1/{quote(site, safe='')}/{quote(job, safe='')}"
