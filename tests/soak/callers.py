"""The callers of a soak: they start jobs, ask for all of them until the end, cancel some."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from demo.channels import COUNT, all_channels
from demo.golden import expected_item

ADDRESS = "/api/v1/tubehunt/scrape-channels"
PER_PAGE = 10
#: Of a hundred jobs, so many are cancelled: asked within so many seconds after the start, or after
#: a worker was first seen to have the job.
_CANCELLED_PERCENT = 10
_CANCEL_WAITING_WITHIN_S = 15.0
_CANCEL_RUNNING_WITHIN_S = 3.0
#: How long an answer may take while Redis is away.
_ANSWER_WITHIN_S = 5.0
#: A busy machine takes its time for it.
_SLACK_S = 1.0
#: How many waiting jobs are asked for in one round, beside all that run.
_WAITING_PER_ROUND = 5
_ROUND_S = 0.1

_ORDER = ["pending", "processing", "completed", "failed"]


@dataclass
class Asked:
    """An accepted job, and what its caller has seen of it."""

    id: str
    first_page: int
    pages: int
    #: How long after the start, or after the first attempt's, it shall be cancelled.
    cancel_after_s: float | None
    cancel_while_running: bool
    began: float
    #: The last body.
    body: dict[str, Any] = field(default_factory=lambda: {"status": "pending", "progress": 0})
    #: When an attempt was first seen, by its number.
    attempts: dict[int, float] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether its end has been seen."""
        return bool(self.body.get("is_final"))

    @property
    def items(self) -> list[dict[str, Any]]:
        """Return what its result must be, from the site's own records."""
        begin = (self.first_page - 1) * PER_PAGE
        channels = all_channels()[begin : begin + self.pages * PER_PAGE]
        return [expected_item(channel) for channel in channels]


class Callers:
    """See the module's own text."""

    def __init__(self, client: httpx.Client, count: int, rng: random.Random) -> None:
        self._client = client
        self._count = count
        self._rng = rng
        self.asked: dict[str, Asked] = {}
        #: Every answer that a client must never get.
        self.wrong: list[str] = []

    def run(self, deadline: float) -> None:
        """Start all jobs that are not yet, and follow all to their ends.

        Args:
            deadline: When to give up, on the monotonic clock.
        """
        waiting: list[Asked] = []
        pause = threading.Event()
        while time.monotonic() < deadline:
            if len(self.asked) < self._count:
                self._start()
            unfinished = [job for job in self.asked.values() if not job.is_final]
            if not unfinished and len(self.asked) == self._count:
                break
            running = [job for job in unfinished if job.body["status"] == "processing"]
            waiting = waiting or [job for job in unfinished if job not in running]
            some, waiting = waiting[:_WAITING_PER_ROUND], waiting[_WAITING_PER_ROUND:]
            for job in (*running, *some):
                self._cancel_if_due(job)
                if not self._poll(job):
                    break
            pause.wait(_ROUND_S)

    def check_ends(self) -> None:
        """Ask once more for every job: what is final stays as it is."""
        for job in self.asked.values():
            before = job.body
            self._poll(job)
            if job.body != before:
                self.wrong.append(f"{job.id} has changed after its end")

    def _start(self) -> None:
        pages = self._rng.randint(1, 4)
        first_page = self._rng.randint(1, COUNT // PER_PAGE - pages + 1)
        cancelled = self._rng.randrange(100) < _CANCELLED_PERCENT
        running = self._rng.random() < 1 / 2
        within_s = _CANCEL_RUNNING_WITHIN_S if running else _CANCEL_WAITING_WITHIN_S
        cancel_after_s = self._rng.uniform(0, within_s)
        params = {"pages": pages, "first_page": first_page, "per_page": PER_PAGE}
        answer = self._ask("POST", "start", json=params)
        if answer is not None:
            job_id = answer.json()["job_id"]
            after_s = cancel_after_s if cancelled else None
            began = time.monotonic()
            self.asked[job_id] = Asked(job_id, first_page, pages, after_s, running, began)

    def _cancel_if_due(self, job: Asked) -> None:
        if job.cancel_after_s is None:
            return
        since = job.attempts.get(1) if job.cancel_while_running else job.began
        if since is None or time.monotonic() < since + job.cancel_after_s:
            return
        # 409: it has ended meanwhile.
        if self._ask("POST", f"cancel/{job.id}", also=409) is not None:
            job.cancel_after_s = None

    def _poll(self, job: Asked) -> bool:
        answer = self._ask("GET", f"result/{job.id}")
        if answer is None:
            return False
        body = answer.json()
        steps = [_ORDER.index(one["status"]) for one in (job.body, body)]
        if steps != sorted(steps) or body["progress"] < job.body["progress"]:
            self.wrong.append(f"{job.id} went back: {job.body} -> {body}")
        job.body = body
        job.attempts.setdefault(body["attempt"], time.monotonic())
        return True

    def _ask(
        self, method: str, path: str, *, also: int = 200, json: dict[str, int] | None = None
    ) -> httpx.Response | None:
        """Return the answer; None while Redis is away."""
        began = time.monotonic()
        answer = self._client.request(method, f"{ADDRESS}/{path}", json=json)
        took_s = time.monotonic() - began
        if took_s > _ANSWER_WITHIN_S + _SLACK_S:
            self.wrong.append(f"{method} {path} took {took_s:.1f} s")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        if answer.status_code not in {200, 202, also}:
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer
