"""The containers as their callers see them: jobs, who has them, and what the site was asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from jobs.redis import keys
from tests.e2e.compose import Compose, run
from tests.faults.poll_recorder import ADDRESS, Poll, Watch
from tests.faults.scenario import PAGE_MS, PER_PAGE, Asked
from tests.support.demo_site import DemoControls
from tests.support.polling import wait_until

_PATH = ADDRESS.format(site="tubehunt")


class PatientWatch(Watch):
    """A watch that outlives an API that is replaced: no answer is status 0."""

    def ask(self, job_id: str) -> Poll:
        """Ask once."""
        began = time.monotonic()
        try:
            return super().ask(job_id)
        except httpx.TransportError:
            return Poll(began, time.monotonic() - began, 0, {})


@dataclass
class Scene:
    """One test's view of the project."""

    compose: Compose
    watch: PatientWatch
    asked: list[Asked] = field(default_factory=list)

    @property
    def demo(self) -> DemoControls:
        """The stand-in site's bad days, and what it was asked."""
        return DemoControls(f"http://127.0.0.1:{self.compose.site_port}")

    def post(self, pages: int, tag: str) -> httpx.Response:
        """Ask for a job; the site's log tells by the tag whose page was asked for."""
        url = f"http://127.0.0.1:{self.compose.api_port}{_PATH}/start"
        params = {"pages": pages, "per_page": PER_PAGE, "order_by": tag}
        return httpx.post(url, json=params, timeout=10, trust_env=False)

    def start(self, pages: int = 4) -> Asked:
        """Start a job, and ask for its state from now on."""
        tag = uuid4().hex.translate({ord(str(n)): "ghijklmnop"[n] for n in range(10)})
        answer = self.post(pages, tag)
        assert answer.status_code == 202, answer.text
        asked = Asked(answer.json()["job_id"], "tubehunt", tag, pages)
        self.asked.append(asked)
        self.watch.add(asked.id, asked.site)
        return asked

    @contextmanager
    def held_at(self, page: int) -> Iterator[None]:
        """Let the site leave every request for this page without an answer during the block."""
        self.demo.have(hang_page=page)
        try:
            yield
        finally:
            self.demo.have(slow_ms=PAGE_MS)

    def pages(self, job: Asked) -> list[int]:
        """Return the numbers of the list pages that the site was asked for, in order."""
        queries = [
            parse_qs(urlsplit(request["path"]).query) for request in self.demo.requests("/long/")
        ]
        return [int(query["page"][0]) for query in queries if query["OrderBy"] == [job.tag]]

    def wait_for_page(self, job: Asked, number: int, *, times: int = 1) -> None:
        """Return once the site is asked for this page of the job, for the n-th time."""
        wait_until(lambda: self.pages(job).count(number) >= times)

    def end(self, job: Asked, *, within_s: float = 120) -> dict[str, Any]:
        """Return the job's final body."""
        return wait_until(lambda: self.watch.end(job.id), within_s=within_s) or {}

    def field(self, job: Asked, name: str) -> str:
        """Return a field of the job's record; empty if it has none."""
        return self.compose.redis("hget", keys.record(job.id), name)

    def holder(self, job: Asked) -> str:
        """Return the container of the worker that has the job."""
        name = wait_until(lambda: self.field(job, "worker"))
        # A worker is called by its host, which is the beginning of its container's id.
        host = name.partition("@")[2]
        [found] = [one for one in self.compose.containers("worker") if one.startswith(host)]
        return found

    def check(self) -> None:
        """Wait for the end of every job; fail if one of the promises was broken."""
        for job in self.asked:
            end = self.end(job)
            bodies = [poll.body for poll in self.watch.polls[job.id] if poll.status == 200]
            states = [("pending", "processing").count(body["status"]) for body in bodies]
            assert states == [1] * (len(bodies) - 1) + [0], "it ended twice"
            progress = [body["progress"] for body in bodies]
            assert progress == sorted(progress)
            if end["status"] == "completed":
                assert end["result"]["channels"] == job.items
            assert self.watch.ask(job.id).body == end, "it changed after its end"
        for worker in self.compose.containers("worker"):
            wait_until(lambda: not _has_browser(worker), within_s=15)  # noqa: B023 - called at once


def _has_browser(container: str) -> bool:
    return "chrom" in run("docker", "top", container)
