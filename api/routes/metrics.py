"""The figures in Prometheus' form."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.routes.jobs import Jobs
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.stats import BUCKET_BOUNDS, HISTOGRAMS, Histogram, Stats

router = APIRouter(tags=["health"])

# Prometheus has a label `job` of its own, for what it scrapes.
_JOB = ["site", "job_name"]
#: By the counter's name: the metric, what it is, and what it tells apart within a job.
_COUNTERS = {
    "accepted": ("garimpo_jobs_accepted", "Starts that were answered with 202", ""),
    "ended": ("garimpo_jobs_ended", "Jobs that have ended", "outcome"),
    "taken_over": ("garimpo_takeovers", "Attempts that went on with an earlier one's pages", ""),
    "released": ("garimpo_releases", "Jobs handed over by a worker that was stopped", ""),
    "crashed": ("garimpo_crashes", "Jobs taken from a worker that had fallen silent", ""),
    "pages": ("garimpo_pages", "List pages read", ""),
    "items": ("garimpo_items", "Items read", ""),
    "logins": ("garimpo_logins", "Log-ins begun", ""),
    "browsers": ("garimpo_browser_starts", "Browsers started", ""),
    "retries": ("garimpo_page_retries", "Pages tried again", ""),
    "callbacks_delivered": ("garimpo_callbacks_delivered", "Call backs that arrived", "event"),
    "callbacks_given_up": ("garimpo_callbacks_given_up", "Call backs that never did", "event"),
    "callback_tries": ("garimpo_callback_tries", "Tries, by what came of them", "answer"),
}
_HISTOGRAMS = {
    "waited": ("garimpo_job_waiting_seconds", "From the start to the first attempt"),
    "ran": ("garimpo_job_running_seconds", "From the first attempt to the end"),
}


class _Once(Collector):
    """One moment's figures; None while Redis does not answer."""

    def __init__(self, figures: Stats | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield GaugeMetricFamily(
            "garimpo_redis_up", "Whether Redis answers and takes writes", self._figures is not None
        )
        if self._figures is not None:
            yield from _counters(self._figures)
            yield from _gauges(self._figures)
            yield from _workers(self._figures)


def _counters(figures: Stats) -> Iterator[Metric]:
    counts = figures.counters.counts
    # From a job's first start on: a counter that comes to be at 1 has not risen, for Prometheus.
    zeros = dict.fromkeys(counts.get("accepted", {}), 0)
    for name, (metric, what, label) in _COUNTERS.items():
        family = CounterMetricFamily(metric, what, labels=[*_JOB, *filter(None, [label])])
        known = {**({} if label else zeros), **counts.get(name, {})}
        for (owner, more), value in known.items():
            family.add_metric([owner.site, owner.job, *filter(None, [more])], value)
        yield family
    for name in HISTOGRAMS:
        histogram = HistogramMetricFamily(*_HISTOGRAMS[name], labels=_JOB)
        for owner, times in figures.counters.histograms[name].items():
            histogram.add_metric([owner.site, owner.job], _cumulative(times), times.sum_s)
        yield histogram


def _cumulative(times: Histogram) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound in BUCKET_BOUNDS:
        total += times.buckets[bound]
        buckets.append((bound if bound == "+Inf" else str(float(bound)), total))
    return buckets


def _gauges(figures: Stats) -> Iterator[Metric]:
    gauges = {
        "garimpo_queue_jobs": ("Jobs that wait in the queue", figures.waiting),
        "garimpo_queue_oldest_seconds": (
            "How long ago the next job in the queue was accepted",
            figures.oldest_waiting_s,
        ),
        "garimpo_jobs_running": ("Jobs that workers have", figures.running),
        "garimpo_jobs_unfinished": ("Jobs that have not ended", figures.unfinished),
        "garimpo_jobs_given_up": (
            "Jobs of this week that killed their workers",
            figures.worker_lost,
        ),
        "garimpo_callbacks_waiting": (
            "Call backs that have not arrived yet",
            figures.deliveries_waiting,
        ),
        "garimpo_callbacks_oldest_seconds": (
            "How long ago the oldest of them was due",
            figures.oldest_delivery_s,
        ),
        "garimpo_workers_alive": ("Workers that are alive", len(figures.workers)),
    }
    for name, (what, value) in gauges.items():
        yield GaugeMetricFamily(name, what, value)


def _workers(figures: Stats) -> Iterator[Metric]:
    busy = GaugeMetricFamily("garimpo_worker_jobs", "Jobs that a worker has", labels=["worker"])
    memory = GaugeMetricFamily(
        "garimpo_worker_browser_bytes", "What a worker's browsers take", labels=["worker"]
    )
    orphans = CounterMetricFamily(
        "garimpo_worker_browser_orphans",
        "Browsers that nobody looked after; the worker has ended them",
        labels=["worker"],
    )
    for name, doing in figures.workers.items():
        busy.add_metric([name], len(doing.jobs))
        memory.add_metric([name], doing.browser_mb * 1024 * 1024)
        orphans.add_metric([name], doing.orphans)
    yield from (busy, memory, orphans)


@router.get("/metrics", response_class=Response, summary="Figures for Prometheus")
async def metrics(request: Request, jobs: Jobs) -> Response:
    """Answer in Prometheus' or OpenMetrics' text form, as `Accept` wants it.

    Every API process gives the same figures, for they are in Redis. Without Redis there is
    `garimpo_redis_up 0` alone.
    """
    try:
        figures: Stats | None = await jobs.get_stats()
    except RedisUnavailableError:
        figures = None
    registry = CollectorRegistry()
    registry.register(_Once(figures))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})
