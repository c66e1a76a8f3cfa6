"""The Grafana dashboard asks for metrics that there are."""

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


def _known() -> set[str]:
    registry = CollectorRegistry()
    figures = Stats(Counters.decode({}), {"one": WorkerStatus()}, 0, 0.0, 0, 0, 0, 0.0)
    registry.register(StatsCollector(figures))
    names = re.findall(r"^# TYPE (\w+) ", generate_latest(registry).decode(), re.MULTILINE)
    return {_SUFFIX.sub("", name) for name in names}


class TestDashboard:
    def test_asks_for_every_metric_and_no_other(self) -> None:
        asked = {
            _SUFFIX.sub("", name)
            for panel in _DASHBOARD["panels"]
            for target in panel["targets"]
            for name in re.findall(r"garimpo_\w+", target["expr"])
        }
        # What else there is only refines these.
        quiet = {"garimpo_jobs_accepted", "garimpo_jobs_unfinished", "garimpo_worker_jobs"}
        assert asked == _known() - quiet

    def test_has_a_number_and_a_place_for_each_panel(self) -> None:
        ids = [panel["id"] for panel in _DASHBOARD["panels"]]
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in _DASHBOARD["panels"]]
        assert len(set(ids)) == len(set(places)) == len(ids)
