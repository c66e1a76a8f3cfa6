"""Options and report of an acceptance test."""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class CheckOptions:
    """The words on the command line."""

    #: Empty is the first that the API has.
    site: str = ""
    job: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    #: Only one job, without those at once.
    quick: bool = False
    #: So many at once.
    jobs: int = 3
    #: When to ask again; None is when the API says, after 5 s at most.
    poll_interval_s: float | None = None
    max_start_ms: float = 100.0
    timeout_s: float = 600.0


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at."""

    name: str
    passed: bool
    #: What was seen, or why it is not good.
    detail: str
    seconds: float


@dataclass(frozen=True)
class FinishedJob:
    """A job that came to its end."""

    job_id: str
    status: str
    start_ms: float
    execution_time_seconds: float
    items: int


@dataclass
class Report:
    """All checks of one run."""

    url: str
    quick: bool
    checks: list[CheckResult] = field(default_factory=list)
    #: The checks that would have come after one that makes them senseless.
    not_run: list[str] = field(default_factory=list)
    #: What to know, or to do first; mostly empty.
    advice: str = ""
    jobs: list[FinishedJob] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every check has passed."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"passed": self.passed, **asdict(self)}

    def summary(self) -> list[str]:
        """Return its last lines for people."""
        failed = sum(not check.passed for check in self.checks)
        verdict = f"{failed} of {len(self.checks)} checks failed" if failed else "All checks passed"
        if self.not_run:
            verdict += f", {len(self.not_run)} not run ({', '.join(self.not_run)})"
        lines = [f"{verdict}: {self.url}, {self.seconds:.1f} s."]
        if self.advice:
            lines.append(self.advice)
        if self.jobs:
            starts = [job.start_ms for job in self.jobs]
            ran = [job.execution_time_seconds for job in self.jobs]
            lines.append(
                f"Jobs: {len(self.jobs)}, with {sum(job.items for job in self.jobs)} rows. "
                f"Starts took {_spread(starts, 'ms', 0)}, jobs {_spread(ran, 's', 1)}."
            )
        return lines


def _spread(numbers: list[float], unit: str, digits: int) -> str:
    middle = f"{median(numbers):.{digits}f} {unit}"
    if len(numbers) == 1:
        return middle
    return f"{middle} ({min(numbers):.{digits}f} to {max(numbers):.{digits}f})"
