"""The acceptance test of a deployment."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from uuid import uuid4

from garimpo.acceptance import assertions
from garimpo.acceptance.assertions import CheckFailedError, require
from garimpo.acceptance.job_check import StartedJob, finish_job, follow_job, start_job
from garimpo.acceptance.report import CheckOptions, CheckResult, FinishedJob, Report
from garimpo.cli.progress_display import ProgressDisplay
from garimpo.client.client import Body, Client
from garimpo.client.errors import ApiError, ApiRefusedError
from garimpo.client.job_ref import JobRef

#: A check's name, what it does, and whether the rest makes sense where it has failed.
_PlannedCheck = tuple[str, Callable[[Client, Report], str], Callable[[], bool]]

#: Each further login that a site refuses brings the account nearer to being locked.
_ACCOUNT_REFUSED = frozenset({"login_failed", "credentials_missing"})
_NO_FURTHER_JOBS = (
    "No further job was started: an account that is refused again and again may get locked. "
    "See to the worker's account first."
)


class InterruptedCheckError(Exception):
    """The examination is broken off; its threads end with it."""


class AcceptanceTest:
    """One run. Its client must pause with `pause`, so that threads can be told to stop."""

    def __init__(self, options: CheckOptions, on_check: Callable[[CheckResult], None]) -> None:
        """Prepare it; `tell` is called with each check as it ends."""
        self._options = options
        self._on_check = on_check
        self._stop = threading.Event()
        self._started: StartedJob | None = None
        self._bodies: list[Body] = []
        self._key = str(uuid4())

    def pause(self, seconds: float) -> None:
        """Wait; raises StoppedError if the examination is broken off meanwhile."""
        if self._stop.wait(seconds):
            raise InterruptedCheckError

    def run(self, client: Client) -> Report:
        """Examine the API; a check that makes the rest senseless is the last one."""
        report = Report(client.url, self._options.quick)
        begin = time.monotonic()
        checks = self._checks()
        for name, examine, may_go_on in checks:
            check = self._run_check(name, partial(examine, client, report))
            report.checks.append(check)
            self._on_check(check)
            if not (check.passed or may_go_on()):
                break
        report.not_run = [name for name, _, _ in checks[len(report.checks) :]]
        report.advice = _NO_FURTHER_JOBS if self._is_account_refused() else ""
        report.seconds = round(time.monotonic() - begin, 3)
        return report

    def _checks(self) -> list[_PlannedCheck]:
        small: list[_PlannedCheck] = [
            ("health", self._check_health, lambda: False),
            ("start", self._check_start, lambda: self._started is not None),  # it was only slow
            ("progress", self._check_progress, self._has_ended),
            ("result", self._check_result, lambda: not self._is_account_refused()),
            ("unknown job", self._check_unknown_job, lambda: True),
        ]
        large: list[_PlannedCheck] = [
            ("start again", self._check_idempotency, lambda: True),
            (f"{self._options.jobs} jobs at once", self._check_concurrent_jobs, lambda: True),
        ]
        return small if self._options.quick else small + large

    def _has_ended(self) -> bool:
        """Whether the first job has come to its end."""
        return bool(self._bodies) and self._bodies[-1].get("status") in {"completed", "failed"}

    def _is_account_refused(self) -> bool:
        """Whether the first job has failed by its account."""
        return self._has_ended() and self._bodies[-1].get("error_code") in _ACCOUNT_REFUSED

    def _run_check(self, name: str, examine: Callable[[], str]) -> CheckResult:
        begin = time.monotonic()
        try:
            passed, detail = True, examine()
        except (CheckFailedError, ApiError) as error:
            passed, detail = False, str(error)
        return CheckResult(name, passed, detail, round(time.monotonic() - begin, 3))

    def _check_health(self, client: Client, _report: Report) -> str:
        return assertions.check_health(client.health())

    def _check_start(self, client: Client, _report: Report) -> str:
        if not (self._options.site and self._options.job):
            site, job = self._choose(client.list_job_names())
            self._options = replace(self._options, site=site, job=job)
        self._started = started = start_job(client, self._options, self._key)
        told = f"{started.start_ms:.0f} ms"
        which = f"{self._options.site} {self._options.job} {started.address.id}"
        limit = self._options.max_start_ms
        slow = f"{told}; more than {limit:g} ms (--start-within-ms), {which}"
        require(started.start_ms <= limit, slow)
        return f"{told}, {which}"

    def _choose(self, names: list[tuple[str, str]]) -> tuple[str, str]:
        """Return the first job that there is, of the site that is asked for."""
        wanted = [name for name in names if self._options.site in {"", name[0]}]
        require(wanted, f"there is no job of {self._options.site or 'any site'}: {names}")
        return wanted[0]

    def _check_progress(self, client: Client, _report: Report) -> str:
        assert self._started  # noqa: S101 - the check before is vital
        with ProgressDisplay() as display:
            self._bodies = follow_job(client, self._options, self._started, display)
        return assertions.check_progress(self._bodies)

    def _check_result(self, _client: Client, report: Report) -> str:
        assert self._started  # noqa: S101 - a check before is vital
        job = finish_job(self._started, self._bodies)
        report.jobs.append(job)
        return f"{job.items} rows in {job.execution_time_seconds:.1f} s"

    def _check_unknown_job(self, client: Client, _report: Report) -> str:
        for job_id in (str(uuid4()), "no-id"):
            try:
                client.result(JobRef(self._options.site, self._options.job, job_id))
            except ApiRefusedError as error:
                seen = (error.status, error.code)
                require(seen == (404, "job_not_found"), f"the answer is {seen}, not 404")
            else:
                message = f"there is an answer for {job_id}"
                raise CheckFailedError(message)
        return "404 job_not_found"

    def _check_idempotency(self, client: Client, _report: Report) -> str:
        assert self._started  # noqa: S101 - a check before is vital
        again = start_job(client, self._options, self._key).address.id
        require(again == self._started.address.id, f"the same key has started another job: {again}")
        return "the same Idempotency-Key leads to the same job"

    def _check_concurrent_jobs(self, client: Client, report: Report) -> str:
        number = self._options.jobs
        begin = time.monotonic()
        with ProgressDisplay() as display, ThreadPoolExecutor(number) as pool:
            futures = [
                pool.submit(self._run_job, client, display, f"#{index + 1} ")
                for index in range(number)
            ]
            try:
                jobs = [future.result() for future in futures]
            except BaseException:
                self._stop.set()
                raise
        report.jobs += jobs
        require(len({job.job_id for job in jobs}) == number, "two starts have the same id")
        slowest = max(job.start_ms for job in jobs)
        took_s = time.monotonic() - begin
        return f"all completed after {took_s:.1f} s; the slowest start took {slowest:.0f} ms"

    def _run_job(self, client: Client, display: ProgressDisplay, name: str) -> FinishedJob:
        started = start_job(client, self._options)
        return finish_job(started, follow_job(client, self._options, started, display, name))
