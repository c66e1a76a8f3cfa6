"""Counters, histograms and gauges over all jobs."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.store.worker_registry import WorkerStatus

#: The names of the counters that are histograms; the others count.
HISTOGRAMS = ("waited", "ran")
#: The upper bounds of their buckets, in seconds: those of `lua_scripts/prelude.lua`.
BUCKET_BOUNDS = ("1", "2.5", "5", "10", "30", "60", "120", "300", "600", "1800", "3600", "+Inf")
_SUM_SUFFIX = "_sum_ms"


@dataclass(frozen=True)
class JobName:
    """Whose number it is."""

    site: str
    job: str


@dataclass
class Histogram:
    """How long something took."""

    #: How many took no longer than each bound and longer than the one before, by bound.
    buckets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BUCKET_BOUNDS, 0))
    sum_s: float = 0.0


@dataclass(frozen=True)
class Counters:
    """What has happened since ever; no number falls."""

    #: By the counter's name, the job, and what it tells apart (for `ended` the outcome; else '').
    counts: Mapping[str, Mapping[tuple[JobName, str], int]]
    histograms: Mapping[str, Mapping[JobName, Histogram]]

    @classmethod
    def decode(cls, fields: Mapping[str, str]) -> "Counters":
        """Read the hash that `lua_scripts/prelude.lua` writes."""
        counts: Any = defaultdict(dict)
        histograms: Any = {name: defaultdict(Histogram) for name in HISTOGRAMS}
        for counter, value in fields.items():
            if "|" not in counter:
                continue  # of all jobs together
            name, site, job, more = (*counter.split("|"), "")[:4]
            owner = JobName(site, job)
            if name in HISTOGRAMS:
                histograms[name][owner].buckets[more] = int(value)
            elif name.removesuffix(_SUM_SUFFIX) in HISTOGRAMS:
                histograms[name.removesuffix(_SUM_SUFFIX)][owner].sum_s = int(value) / 1000
            else:
                counts[name][owner, more] = int(value)
        return cls(counts, histograms)


@dataclass(frozen=True)
class Stats:
    """All of it at one moment."""

    counters: Counters
    #: The workers that are alive, by name.
    workers: Mapping[str, WorkerStatus]
    #: How many jobs wait in the queue for a worker.
    waiting: int
    #: For how long the one that comes next has waited since its start, in seconds.
    oldest_waiting_s: float
    #: How many jobs have not ended.
    unfinished: int
    #: How many of the last week were given up because their workers died.
    worker_lost: int
    #: How many call backs wait for their first or their next try; and for how long the one that has
    #: waited longest, in seconds.
    deliveries_waiting: int
    oldest_delivery_s: float

    @property
    def running(self) -> int:
        """How many jobs workers have."""
        return sum(len(doing.jobs) for doing in self.workers.values())
