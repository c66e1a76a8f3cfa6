"""Counters, histograms and gauges over all jobs."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.redis import keys, lua
from jobs.redis.replies import parse_number
from jobs.store.worker_registry import WorkerStatus

#: The names of the counters that are histograms.
HISTOGRAMS = ("waited", "ran")
#: The upper bounds of their buckets, in seconds, as they are stored.
BUCKET_BOUNDS = (*(f"{bound:g}" for bound in lua.BUCKET_BOUNDS), "+Inf")
_SUM_SUFFIX = "_sum_ms"
#: The number of parts of a counter's name: without a label, and with one.
_PARTS = (3, 4)


@dataclass(frozen=True)
class JobName:
    """A job definition."""

    site: str
    job: str


@dataclass
class Histogram:
    """The distribution of a duration."""

    #: The number of values in each bucket, by its upper bound; not cumulative.
    buckets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BUCKET_BOUNDS, 0))
    sum_s: float = 0.0


@dataclass(frozen=True)
class Counters:
    """Counters since the installation; no value falls."""

    #: By the counter's name, the job definition, and a label (the outcome for `ended`; else '').
    counts: Mapping[str, Mapping[tuple[JobName, str], int]]
    histograms: Mapping[str, Mapping[JobName, Histogram]]

    @classmethod
    def decode(cls, fields: Mapping[str, str]) -> "Counters":
        """Parse the hash that `lua_scripts/prelude.lua` describes."""
        counts: Any = defaultdict(dict)
        histograms: Any = {name: defaultdict(Histogram) for name in HISTOGRAMS}
        for counter, value in fields.items():
            parts = counter.split("|")
            if len(parts) not in _PARTS:
                continue  # not specific to a job definition, or not ours
            name, site, job, label = (*parts, "")[:4]
            job_name = JobName(site, job)
            number = parse_number(value)
            if name in HISTOGRAMS:
                if label in BUCKET_BOUNDS:
                    histograms[name][job_name].buckets[label] = number
            elif name.removesuffix(_SUM_SUFFIX) in HISTOGRAMS:
                histograms[name.removesuffix(_SUM_SUFFIX)][job_name].sum_s = number / 1000
            else:
                counts[name][job_name, label] = number
        return cls(counts, histograms)


@dataclass(frozen=True)
class Stats:
    """All statistics at one moment."""

    counters: Counters
    #: The live workers, by name.
    workers: Mapping[str, WorkerStatus]
    #: The number of jobs that wait in the queue.
    waiting: int
    #: The time since the next job was accepted, in seconds.
    oldest_waiting_s: float
    #: The number of jobs that have not ended.
    unfinished: int
    #: The number of jobs of the last week that ended as `worker_lost`.
    worker_lost: int
    #: The number of deliveries that wait for an attempt, and the age of the oldest one in seconds.
    deliveries_waiting: int
    oldest_delivery_s: float

    @property
    def refused(self) -> Mapping[str, int]:
        """The number of foreign things that were found in Redis and set aside, by their kind."""
        counts = self.counters.counts.get(keys.REFUSED_COUNTER, {})
        return {label: count for (_, label), count in counts.items()}

    @property
    def running(self) -> int:
        """The number of jobs that workers run."""
        # A job that is handed over may be in the status of both workers.
        return len({job_id for status in self.workers.values() for job_id in status.jobs})
