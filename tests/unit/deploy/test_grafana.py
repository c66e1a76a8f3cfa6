"""Metrics and layout of the Grafana dashboard."""

import json
import re

from prometheus_client import CollectorRegistry, generate_latest

from api.routes.metrics import StatsCollector
from jobs.store.stats import Counters, Stats
from jobs.store.worker_registry import WorkerStatus
from tests.support.paths import ROOT

_TEXT = (ROOT / "deploy" / "grafana" / "garimpo.json").read_text("utf-8")
_DASHBOARD = json.loads(_TEXT)
_SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


def _list_metrics() -> set[str]:
    registry = CollectorRegistry()
    stats = Stats(Counters.decode({}), {"one": WorkerStatus()}, 0, 0.0, 0, 0, 0, 0.0)
    registry.register(StatsCollector(stats))
    names = re.findall(r"^# TYPE (\w+) ", generate_latest(registry).decode(), re.MULTILINE)
    return {_SUFFIX.sub("", name) for name in names}


class TestDashboard:
    def test_shows_all_metrics(self) -> None:
        shown = {
            _SUFFIX.sub("", name)
            for panel in _DASHBOARD["panels"]
            for target in panel["targets"]
            for name in re.findall(r"garimpo_\w+", target["expr"])
        }
        # These metrics only add detail to others.
        not_shown = {"garimpo_jobs_accepted", "garimpo_jobs_unfinished", "garimpo_worker_jobs"}
        assert shown == _list_metrics() - not_shown

    def test_has_a_unique_id_and_position_for_each_panel(self) -> None:
        ids = [panel["id"] for panel in _DASHBOARD["panels"]]
        positions = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in _DASHBOARD["panels"]]
        assert len(set(ids)) == len(set(positions)) == len(ids)
