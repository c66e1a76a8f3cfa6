"""Jobs of one test, their polls, and the requests that the demo site received for them."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from demo.golden import expected_items
from tests.faults.poll_recorder import JOB_PATH, PollRecorder
from tests.support.demo_site import DemoControls
from tests.support.polling import wait_until

PER_PAGE = 10
#: Response time of list pages in ms: long enough to inject a fault during a job.
PAGE_MS = 1000


@dataclass(frozen=True)
class SubmittedJob:
    """A job that the API accepted."""

    id: str
    site: str
    #: The job's `order_by`, which the site ignores; it identifies the job in the site's log.
    tag: str
    pages: int

    @property
    def items(self) -> list[dict[str, Any]]:
        """Expected items of its result."""
        return expected_items(self.pages * PER_PAGE)


@dataclass
class JobScenario(ABC):
    """Starts jobs and observes them from outside."""

    recorder: PollRecorder
    jobs: list[SubmittedJob] = field(default_factory=list, kw_only=True)

    @property
    @abstractmethod
    def demo(self) -> DemoControls:
        """Control endpoints of the demo site."""

    @abstractmethod
    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Send a POST request to the API."""

    def post_start(
        self, pages: int, tag: str, site: str = "tubehunt", **extra: str
    ) -> httpx.Response:
        """Send a start request.

        Args:
            pages: Number of list pages to read.
            tag: Value of `order_by`.
            site: Site of the recipe.
            extra: Further keys of the body.
        """
        body = {"pages": pages, "per_page": PER_PAGE, "order_by": tag, **extra}
        return self.post(f"{JOB_PATH.format(site=site)}/start", body)

    def start(self, pages: int = 4, site: str = "tubehunt", **extra: str) -> SubmittedJob:
        """Start a job and poll it from now on; `extra` are further keys of the body."""
        # `order_by` must consist of letters.
        tag = uuid4().hex.translate({ord(str(n)): "ghijklmnop"[n] for n in range(10)})
        response = self.post_start(pages, tag, site, **extra)
        assert response.status_code == 202, response.text
        job = SubmittedJob(response.json()["job_id"], site, tag, pages)
        self.jobs.append(job)
        self.recorder.add(job.id, site)
        return job

    @contextmanager
    def hold_page(self, page: int) -> Iterator[None]:
        """Let the site leave all requests for this list page without a response."""
        self.demo.have(hang_page=page)
        try:
            yield
        finally:
            self.demo.have(slow_ms=PAGE_MS)

    def requested_pages(self, job: SubmittedJob) -> Counter[int]:
        """Return how many times each list page was requested for a job."""
        queries = [
            parse_qs(urlsplit(request["path"]).query) for request in self.demo.requests("/long/")
        ]
        return Counter(int(query["page"][0]) for query in queries if query["OrderBy"] == [job.tag])

    def wait_for_page(self, job: SubmittedJob, number: int, *, times: int = 1) -> None:
        """Wait until all pages before this one are stored, and it was requested `times` times."""
        # As in scraper/progress.py.
        progress = 10 + 89 * (number - 1) // job.pages

        def is_there() -> bool:
            return (
                self._last_progress(job) >= progress and self.requested_pages(job)[number] >= times
            )

        wait_until(lambda: is_there() or self.recorder.final_body(job.id))
        end = self.recorder.final_body(job.id) or {}
        assert is_there(), end.get("error_code", end.get("status"))

    def _last_progress(self, job: SubmittedJob) -> int:
        polls = reversed(self.recorder.polls[job.id])
        return next((poll.body["progress"] for poll in polls if "progress" in poll.body), 0)

    def wait_for_end(self, job: SubmittedJob, *, within_s: float = 90) -> dict[str, Any]:
        """Return the job's final body."""
        return wait_until(lambda: self.recorder.final_body(job.id), within_s=within_s) or {}
