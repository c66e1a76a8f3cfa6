"""Options and report of an acceptance test."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class CheckOptions:
    """Options of `garimpo check`."""

    #: Empty selects the first site that the API lists.
    site: str = ""
    #: Empty selects the first job of the site.
    job: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    #: Whether to skip the concurrent jobs.
    quick: bool = False
    #: Number of concurrent jobs.
    jobs: int = 3
    #: Polling interval; None is the body's `retry_after_seconds`, at most 5 s.
    poll_interval_s: float | None = None
    max_start_ms: float = 100.0
    timeout_s: float = 600.0


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check."""

    name: str
    passed: bool
    #: What was measured, or why the check failed.
    detail: str
    seconds: float


@dataclass(frozen=True)
class FinishedJob:
    """A job that completed."""

    job_id: str
    status: str
    start_ms: float
    execution_time_seconds: float
    items: int


@dataclass
class Report:
    """Outcome of an acceptance test."""

    url: str
    quick: bool
    checks: list[CheckResult] = field(default_factory=list)
    #: Names of the checks that were skipped because an earlier one failed.
    not_run: list[str] = field(default_factory=list)
    #: What to do before the next run; empty in most cases.
    advice: str = ""
    jobs: list[FinishedJob] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {"passed": self.passed, **asdict(self)}

    def summary(self) -> list[str]:
        """Return the lines that are printed after the checks."""
        failed = sum(not check.passed for check in self.checks)
        verdict = f"{failed} of {len(self.checks)} checks failed" if failed else "All checks passed"
        if self.not_run:
            verdict += f", {len(self.not_run)} not run ({', '.join(self.not_run)})"
        lines = [f"{verdict}: {self.url}, {self.seconds:.1f} s."]
        if self.advice:
            lines.append(self.advice)
        if self.jobs:
            start_ms = [job.start_ms for job in self.jobs]
            execution_s = [job.execution_time_seconds for job in self.jobs]
            lines.append(
                f"Jobs: {len(self.jobs)}, rows: {sum(job.items for job in self.jobs)}. "
                f"Start: {_format_spread(start_ms, 'ms', 0)}. "
                f"Execution: {_format_spread(execution_s, 's', 1)}."
            )
        return lines


def _format_spread(numbers: list[float], unit: str, digits: int) -> str:
    """Return the median, and the range if there are several numbers."""
    middle = f"{median(numbers):.{digits}f} {unit}"
    if len(numbers) == 1:
        return middle
    return f"median {middle} ({min(numbers):.{digits}f} to {max(numbers):.{digits}f})"
