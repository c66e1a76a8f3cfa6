"""`GET /metrics`: statistics in the Prometheus and OpenMetrics text formats."""

import asyncio
from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from api.access.api_key import Scope
from api.access.caller import require
from api.dependencies import JobIndexDep, ServicesDep, count_read
from api.errors import RefusalReason
from jobs.redis.async_client import RedisUnavailableError
from jobs.redis.refusals import RefusedKind
from jobs.redis.server_state import RedisProblem, ServerState
from jobs.store.job_index import JobIndex
from jobs.store.stats import BUCKET_BOUNDS, HISTOGRAMS, Histogram, Stats

router = APIRouter(tags=["health"], dependencies=[Depends(count_read)])
_NEEDS_SCOPE = require(Scope.METRICS)

# Not "job": Prometheus adds a label of that name for the scrape target.
_JOB_LABELS = ["site", "job_name"]
#: By the counter's name in Redis: metric, help text, and the label besides those of the job.
_COUNTERS = {
    "accepted": ("garimpo_jobs_accepted", "Start requests answered with 202", ""),
    "ended": ("garimpo_jobs_ended", "Jobs ended", "outcome"),
    "taken_over": (
        "garimpo_takeovers",
        "Attempts that continued with the pages of an earlier attempt",
        "",
    ),
    "released": ("garimpo_releases", "Jobs returned to the queue by a worker that stopped", ""),
    "crashed": ("garimpo_crashes", "Jobs taken from a worker whose lease expired", ""),
    "pages": ("garimpo_pages", "List pages read", ""),
    "items": ("garimpo_items", "Items read", ""),
    "logins": ("garimpo_logins", "Login attempts", ""),
    "browsers": ("garimpo_browser_starts", "Browsers started", ""),
    "retries": ("garimpo_page_retries", "Page retries", ""),
    "callbacks_delivered": ("garimpo_callbacks_delivered", "Webhooks delivered", "event"),
    "callbacks_given_up": ("garimpo_callbacks_given_up", "Webhook deliveries given up", "event"),
    "callback_tries": ("garimpo_callback_tries", "Webhook delivery attempts", "answer"),
}
_HISTOGRAMS = {
    "waited": ("garimpo_job_waiting_seconds", "Time from the start request to the first attempt"),
    "ran": ("garimpo_job_running_seconds", "Time from the first attempt to the end"),
}


class StatsCollector(Collector):
    """Collects the metrics of one snapshot of the statistics; None while Redis is unavailable."""

    def __init__(
        self,
        stats: Stats | None,
        server: ServerState | None = None,
        refused_requests: Mapping[RefusalReason, int] | None = None,
    ) -> None:
        self._stats = stats
        self._server = server
        self._refused_requests = refused_requests or {}

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield GaugeMetricFamily(
            "garimpo_redis_up", "Whether Redis accepts reads and writes", self._stats is not None
        )
        if self._stats is not None:
            yield from _counters(self._stats)
            yield from _histograms(self._stats)
            yield from _gauges(self._stats)
            yield from _worker_metrics(self._stats)
            yield _refused(self._stats)
            yield _refused_requests(self._refused_requests)
        if self._server is not None:
            yield _redis_problems(self._server)


def _counters(stats: Stats) -> Iterator[Metric]:
    counts = stats.counters.counts
    # Each counter is exported as 0 from a job's first start on: to Prometheus, a counter that
    # first appears with the value 1 has not increased.
    zeros = dict.fromkeys(counts.get("accepted", {}), 0)
    for name, (metric, help_text, label) in _COUNTERS.items():
        labels = [*_JOB_LABELS, label] if label else _JOB_LABELS
        family = CounterMetricFamily(metric, help_text, labels=labels)
        values = counts.get(name, {}) if label else {**zeros, **counts.get(name, {})}
        for (job, label_value), value in values.items():
            job_values = [job.site, job.job]
            family.add_metric([*job_values, label_value] if label else job_values, value)
        yield family


def _histograms(stats: Stats) -> Iterator[Metric]:
    for name in HISTOGRAMS:
        metric, help_text = _HISTOGRAMS[name]
        family = HistogramMetricFamily(metric, help_text, labels=_JOB_LABELS)
        for job, histogram in stats.counters.histograms[name].items():
            family.add_metric([job.site, job.job], _cumulative(histogram), histogram.sum_s)
        yield family


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound in BUCKET_BOUNDS:
        total += histogram.buckets[bound]
        buckets.append((bound if bound == "+Inf" else str(float(bound)), total))
    return buckets


def _gauges(stats: Stats) -> Iterator[Metric]:
    gauges = {
        "garimpo_queue_jobs": ("Jobs in the queue", stats.waiting),
        "garimpo_queue_oldest_seconds": (
            "Time since the next job in the queue was accepted",
            stats.oldest_waiting_s,
        ),
        "garimpo_jobs_running": ("Jobs claimed by workers", stats.running),
        "garimpo_jobs_unfinished": ("Jobs that have not ended", stats.unfinished),
        "garimpo_jobs_given_up": (
            "Jobs of the last week that failed because their workers died",
            stats.worker_lost,
        ),
        "garimpo_callbacks_waiting": ("Webhook deliveries pending", stats.deliveries_waiting),
        "garimpo_callbacks_oldest_seconds": (
            "Time since the oldest pending webhook delivery was due",
            stats.oldest_delivery_s,
        ),
        "garimpo_workers_alive": ("Live workers", len(stats.workers)),
    }
    for name, (help_text, value) in gauges.items():
        yield GaugeMetricFamily(name, help_text, value)


def _refused(stats: Stats) -> Metric:
    family = CounterMetricFamily(
        "garimpo_refused", "Foreign data in Redis that was set aside", labels=["kind"]
    )
    # From 0 on: to Prometheus, a counter that first appears with the value 1 has not increased.
    for kind, count in (dict.fromkeys(RefusedKind, 0) | dict(stats.refused)).items():
        family.add_metric([kind], count)
    return family


def _refused_requests(counts: Mapping[RefusalReason, int]) -> Metric:
    family = CounterMetricFamily(
        "garimpo_requests_refused",
        "Requests that this API process has refused since its start",
        labels=["reason"],
    )
    for reason in RefusalReason:
        family.add_metric([reason], counts.get(reason, 0))
    return family


def _redis_problems(server: ServerState) -> Metric:
    family = GaugeMetricFamily(
        "garimpo_redis_problem",
        "Whether Redis may lose accepted jobs in this way; unknown: its user may not call INFO",
        labels=["problem"],
    )
    for problem in RedisProblem:
        if server.is_known or problem in server.problems:
            family.add_metric([problem], problem in server.problems)
    family.add_metric(["unknown"], not server.is_known)
    return family


def _worker_metrics(stats: Stats) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        "garimpo_worker_jobs", "Jobs that the worker is running", labels=["worker"]
    )
    memory = GaugeMetricFamily(
        "garimpo_worker_browser_bytes",
        "Memory of the worker's browsers, without shared pages",
        labels=["worker"],
    )
    orphans = CounterMetricFamily(
        "garimpo_worker_browser_orphans",
        "Orphaned browsers that the worker has killed",
        labels=["worker"],
    )
    for name, status in stats.workers.items():
        jobs.add_metric([name], len(status.jobs))
        memory.add_metric([name], status.browser_mb * 1024 * 1024)
        orphans.add_metric([name], status.orphans)
    yield from (jobs, memory, orphans)


# The name is part of the operation id in OpenAPI, which generated clients use.
@router.get("/metrics", name="metrics", response_class=Response, summary="Get Prometheus metrics")
async def get_metrics(request: Request, services: ServicesDep, job_index: JobIndexDep) -> Response:
    """Return all metrics in the text format that `Accept` requests: Prometheus or OpenMetrics.

    Every API process returns the same values, since they are stored in Redis, except for
    `garimpo_requests_refused_total`, which each process counts for itself. While Redis is
    unavailable, `garimpo_redis_up 0` is the only metric; while it refuses writes, there is also
    `garimpo_redis_problem`.
    """
    if not services.access.open_metrics:
        await _NEEDS_SCOPE(request)
    # Side by side: while Redis hangs, each of them takes seconds.
    stats, server = await asyncio.gather(_read_stats(job_index), services.server_monitor.check())
    registry = CollectorRegistry()
    registry.register(StatsCollector(stats, server, services.refused_requests))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


async def _read_stats(job_index: JobIndex) -> Stats | None:
    try:
        return await job_index.get_stats()
    except RedisUnavailableError:
        return None
