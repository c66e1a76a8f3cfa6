"""Report of a soak test."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis
from rich.table import Table

from jobs.redis import keys
from tests.soak.callers import Callers, SoakJob
from tests.soak.nemesis import Nemesis


@dataclass(frozen=True)
class SoakReport:
    """Counts of a soak test."""

    jobs: Sequence[SoakJob]
    faults: Counter[str]
    violations: Sequence[str]
    lost: int
    duplicated: int
    orphans: int
    takeovers: int
    releases: int
    forgotten: int
    longest_takeover_s: float
    duration_s: float

    @property
    def passed(self) -> bool:
        """Whether no job was lost or duplicated, no browser orphaned, and no response invalid."""
        return not (self.lost or self.duplicated or self.orphans or self.violations)

    def table(self, seed: int) -> Table:
        """Return the report as a table."""
        ends = Counter(job.body.get("error_code", job.body["status"]) for job in self.jobs)
        attempts = Counter(job.body.get("attempt", 0) for job in self.jobs)
        table = Table(title=f"Soak, seed {seed}", show_header=False)
        table.add_row("accepted", str(len(self.jobs)))
        table.add_row("completed", str(ends.pop("completed", 0)))
        for code, count in sorted(ends.items()):
            table.add_row(f"failed: {code}", str(count))
        table.add_section()
        table.add_row("lost (0)", str(self.lost))
        table.add_row("items missing or duplicated (0)", str(self.duplicated))
        table.add_row("orphaned browser processes (0)", str(self.orphans))
        table.add_row("invalid responses (0)", str(len(self.violations)))
        table.add_section()
        table.add_row("jobs by attempts", _format_counts(dict(sorted(attempts.items()))))
        table.add_row("taken over after a lost lease", str(self.takeovers))
        table.add_row("released by a stopping worker", str(self.releases))
        table.add_row("unknown, because Redis lost their start", str(self.forgotten))
        table.add_row("longest from a kill to the next attempt", f"{self.longest_takeover_s:.1f} s")
        table.add_row("faults", _format_counts(dict(self.faults.most_common())))
        table.add_row("time", f"{self.duration_s:.0f} s")
        return table


def make_report(
    callers: Callers, nemesis: Nemesis, redis: Redis, orphans: int, duration_s: float
) -> SoakReport:
    """Return the report of a soak test.

    Args:
        callers: The clients, with the responses that they received.
        nemesis: The faults that were injected.
        redis: Redis with the jobs' records.
        orphans: Number of browser processes that are left.
        duration_s: Duration of the test in seconds.
    """
    jobs = list(callers.jobs.values())
    records = {job.id: redis.hgetall(keys.record(job.id)) for job in jobs}
    crashes = {job_id: int(record.get("crashes", 0)) for job_id, record in records.items()}
    attempts = {job_id: int(record.get("attempt", 0)) for job_id, record in records.items()}
    return SoakReport(
        jobs=jobs,
        faults=nemesis.injected,
        violations=callers.violations,
        # Includes jobs that were accepted although the client received 503.
        lost=sum(not job.is_final for job in jobs) + len(redis.zrange(keys.ACTIVE, 0, -1)),
        duplicated=sum(_is_duplicated(job) for job in jobs),
        orphans=orphans,
        takeovers=sum(crashes.values()),
        # Each attempt after the first follows a crash or a release.
        releases=sum(max(0, attempts[id_] - 1 - crashes[id_]) for id_ in records),
        forgotten=callers.forgotten,
        longest_takeover_s=max(_takeovers_s(callers, nemesis), default=0.0),
        duration_s=duration_s,
    )


def _is_duplicated(job: SoakJob) -> bool:
    """Return whether a result lacks a row, has one twice, or another number than it says."""
    if job.body["status"] != "completed":
        return False
    result = job.body["result"]
    is_right = result["channels"] == job.items
    return not is_right or (result["total_channels"], result["pages_read"]) != (
        len(job.items),
        job.pages,
    )


def _takeovers_s(callers: Callers, nemesis: Nemesis) -> list[float]:
    """Return the seconds from the kill of each attempt to the next attempt."""
    takeovers_s = []
    for job_id, attempt, at in nemesis.killed_attempts:
        job = callers.jobs.get(job_id)
        if job and (next_at := job.attempts.get(attempt + 1)):
            takeovers_s.append(next_at - at)
    return takeovers_s


def _format_counts(counts: dict[str, int] | dict[int, int]) -> str:
    return ", ".join(f"{count}x {name}" for name, count in counts.items())
