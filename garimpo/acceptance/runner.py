"""Acceptance test of a deployment."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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

#: Failures after which a site may lock the account if further logins are attempted.
_LOGIN_FAILURES = frozenset({"login_failed", "credentials_missing"})
_NO_FURTHER_JOBS = (
    "No further jobs were started: repeated failed logins may lock the account. "
    "Check the worker's account first."
)


class InterruptedCheckError(Exception):
    """The acceptance test was interrupted."""


@dataclass(frozen=True)
class _Check:
    """One check of the acceptance test."""

    name: str
    #: Returns what was measured; raises CheckFailedError or ApiError.
    run: Callable[[Client, Report], str]
    #: Whether the later checks are still useful although this one failed.
    can_continue: Callable[[], bool]


class AcceptanceTest:
    """One run of the acceptance test.

    Its client must be created with `pause`, so that an interruption ends the threads that poll.
    """

    def __init__(self, options: CheckOptions, on_check: Callable[[CheckResult], None]) -> None:
        """Create the test.

        Args:
            options: Options of `garimpo check`.
            on_check: Called with the outcome of each check as it ends.
        """
        self._options = options
        self._on_check = on_check
        self._interrupted = threading.Event()
        self._started: StartedJob | None = None
        self._bodies: list[Body] = []
        self._key = str(uuid4())

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            InterruptedCheckError: The test was interrupted meanwhile.
        """
        if self._interrupted.wait(seconds):
            raise InterruptedCheckError

    def run(self, client: Client) -> Report:
        """Run the checks in order; stop at one whose failure makes the later ones useless."""
        report = Report(client.url, self._options.quick)
        started_at = time.monotonic()
        checks = self._list_checks()
        for check in checks:
            result = self._run_check(check.name, partial(check.run, client, report))
            report.checks.append(result)
            self._on_check(result)
            if not (result.passed or check.can_continue()):
                break
        report.not_run = [check.name for check in checks[len(report.checks) :]]
        report.advice = _NO_FURTHER_JOBS if self._has_login_failed() else ""
        report.seconds = round(time.monotonic() - started_at, 3)
        return report

    def _list_checks(self) -> list[_Check]:
        quick_checks = [
            _Check("health", self._check_health, lambda: False),
            # A start that was only slow has started a job.
            _Check("start", self._check_start, lambda: self._started is not None),
            _Check("progress", self._check_progress, self._has_ended),
            _Check("result", self._check_result, lambda: not self._has_login_failed()),
            _Check("unknown job", self._check_unknown_job, lambda: True),
        ]
        if self._options.quick:
            return quick_checks
        concurrent = f"{self._options.jobs} jobs at once"
        return [
            *quick_checks,
            _Check("start again", self._check_idempotency, lambda: True),
            _Check(concurrent, self._check_concurrent_jobs, lambda: True),
        ]

    def _has_ended(self) -> bool:
        """Return whether the first job has ended."""
        return bool(self._bodies) and self._bodies[-1].get("status") in {"completed", "failed"}

    def _has_login_failed(self) -> bool:
        """Return whether the first job failed to log in."""
        return self._has_ended() and self._bodies[-1].get("error_code") in _LOGIN_FAILURES

    def _run_check(self, name: str, run: Callable[[], str]) -> CheckResult:
        started_at = time.monotonic()
        try:
            detail = run()
            passed = True
        except (CheckFailedError, ApiError) as error:
            detail = str(error)
            passed = False
        return CheckResult(name, passed, detail, round(time.monotonic() - started_at, 3))

    def _check_health(self, client: Client, _report: Report) -> str:
        return assertions.check_health(client.health())

    def _check_start(self, client: Client, _report: Report) -> str:
        if not (self._options.site and self._options.job):
            site, job = self._choose_job(client.list_job_names())
            self._options = replace(self._options, site=site, job=job)
        self._started = started = start_job(client, self._options, self._key)
        duration = f"{started.start_ms:.0f} ms"
        job_text = f"{self._options.site} {self._options.job} {started.ref.id}"
        limit = self._options.max_start_ms
        too_slow = f"{duration}; more than {limit:g} ms (--start-within-ms), {job_text}"
        require(started.start_ms <= limit, too_slow)
        return f"{duration}, {job_text}"

    def _choose_job(self, names: list[tuple[str, str]]) -> tuple[str, str]:
        """Return the first job of the chosen site, or of any site."""
        candidates = [name for name in names if self._options.site in {"", name[0]}]
        require(candidates, f"no job of {self._options.site or 'any site'}; the API has: {names}")
        return candidates[0]

    def _check_progress(self, client: Client, _report: Report) -> str:
        assert self._started  # noqa: S101 - without it, no later check runs
        with ProgressDisplay() as display:
            self._bodies = follow_job(client, self._options, self._started, display)
        return assertions.check_progress(self._bodies)

    def _check_result(self, _client: Client, report: Report) -> str:
        assert self._started  # noqa: S101 - without it, no later check runs
        job = finish_job(self._started, self._bodies)
        report.jobs.append(job)
        return f"{job.items} rows in {job.execution_time_seconds:.1f} s"

    def _check_unknown_job(self, client: Client, _report: Report) -> str:
        for job_id in (str(uuid4()), "no-id"):
            try:
                client.result(JobRef(self._options.site, self._options.job, job_id))
            except ApiRefusedError as error:
                response = (error.status, error.code)
                require(
                    response == (404, "job_not_found"),
                    f"the response is {response}, not (404, 'job_not_found')",
                )
            else:
                message = f"the API has a result for the unknown id {job_id}"
                raise CheckFailedError(message)
        return "404 job_not_found"

    def _check_idempotency(self, client: Client, _report: Report) -> str:
        assert self._started  # noqa: S101 - without it, no later check runs
        repeated = start_job(client, self._options, self._key).ref.id
        require(
            repeated == self._started.ref.id,
            f"the same Idempotency-Key started another job: {repeated}",
        )
        return "the same Idempotency-Key returns the same job"

    def _check_concurrent_jobs(self, client: Client, report: Report) -> str:
        count = self._options.jobs
        started_at = time.monotonic()
        with ProgressDisplay() as display, ThreadPoolExecutor(count) as pool:
            futures = [
                pool.submit(self._run_job, client, display, f"#{number} ")
                for number in range(1, count + 1)
            ]
            try:
                jobs = [future.result() for future in futures]
            except BaseException:
                self._interrupted.set()
                raise
        report.jobs += jobs
        require(len({job.job_id for job in jobs}) == count, "two starts returned the same id")
        slowest_ms = max(job.start_ms for job in jobs)
        duration_s = time.monotonic() - started_at
        return f"all completed in {duration_s:.1f} s; slowest start: {slowest_ms:.0f} ms"

    def _run_job(self, client: Client, display: ProgressDisplay, name: str) -> FinishedJob:
        started = start_job(client, self._options)
        return finish_job(started, follow_job(client, self._options, started, display, name))
