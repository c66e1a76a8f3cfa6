"""What a soak has come to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis
from rich.table import Table

from jobs.redis import keys
from tests.soak.callers import Asked, Callers
from tests.soak.nemesis import Nemesis


@dataclass(frozen=True)
class Tally:
    """The numbers; `is_good` says whether every promise was kept."""

    asked: Sequence[Asked]
    faults: Counter[str]
    wrong: Sequence[str]
    lost: int
    doubled: int
    orphans: int
    takeovers: int
    releases: int
    longest_takeover_s: float
    took_s: float

    @property
    def is_good(self) -> bool:
        """Whether all is 0 that must be."""
        return not (self.lost or self.doubled or self.orphans or self.wrong)

    def table(self, seed: int) -> Table:
        """Show it."""
        ends = Counter(job.body.get("error_code", job.body["status"]) for job in self.asked)
        attempts = Counter(job.body.get("attempt", 0) for job in self.asked)
        table = Table(title=f"Soak, seed {seed}", show_header=False)
        table.add_row("accepted", str(len(self.asked)))
        table.add_row("completed", str(ends.pop("completed", 0)))
        for code, count in sorted(ends.items()):
            table.add_row(f"failed: {code}", str(count))
        table.add_section()
        table.add_row("lost (0)", str(self.lost))
        table.add_row("doubled, or not the site's items (0)", str(self.doubled))
        table.add_row("orphaned browser processes (0)", str(self.orphans))
        table.add_row("wrong answers (0)", str(len(self.wrong)))
        table.add_section()
        table.add_row("jobs by attempts", _words(dict(sorted(attempts.items()))))
        table.add_row("taken over from a silent worker", str(self.takeovers))
        table.add_row("released by a worker that was told to stop", str(self.releases))
        table.add_row("longest from a kill to the next attempt", f"{self.longest_takeover_s:.1f} s")
        table.add_row("faults", _words(dict(self.faults.most_common())))
        table.add_row("time", f"{self.took_s:.0f} s")
        return table


def count(callers: Callers, nemesis: Nemesis, redis: Redis, orphans: int, took_s: float) -> Tally:
    """Count what has happened.

    Args:
        callers: What they have seen.
        nemesis: What it has done.
        redis: Where the records are.
        orphans: Browser processes that are left.
        took_s: How long it took.
    """
    asked = list(callers.asked.values())
    records = {job.id: redis.hgetall(keys.record(job.id)) for job in asked}
    crashes = {job_id: int(record.get("crashes", 0)) for job_id, record in records.items()}
    attempts = {job_id: int(record.get("attempt", 0)) for job_id, record in records.items()}
    return Tally(
        asked=asked,
        faults=nemesis.done,
        wrong=callers.wrong,
        # Also a job whose caller heard 503 while it was accepted has to come to an end.
        lost=sum(not job.is_final for job in asked) + len(redis.zrange(keys.ACTIVE, 0, -1)),
        doubled=sum(_is_doubled(job) for job in asked),
        orphans=orphans,
        takeovers=sum(crashes.values()),
        # Every attempt after the first follows a crash or a release.
        releases=sum(max(0, attempts[id_] - 1 - crashes[id_]) for id_ in records),
        longest_takeover_s=max(_takeovers_s(callers, nemesis), default=0.0),
        took_s=took_s,
    )


def _is_doubled(job: Asked) -> bool:
    return job.body["status"] == "completed" and bool(job.body["result"]["channels"] != job.items)


def _takeovers_s(callers: Callers, nemesis: Nemesis) -> list[float]:
    """Return how long each killed attempt has waited for the next one."""
    took_s = []
    for job_id, attempt, at in nemesis.struck:
        job = callers.asked.get(job_id)
        if job and (seen := job.attempts.get(attempt + 1)):
            took_s.append(seen - at)
    return took_s


def _words(counts: dict[str, int] | dict[int, int]) -> str:
    return ", ".join(f"{count}x {what}" for what, count in counts.items())
