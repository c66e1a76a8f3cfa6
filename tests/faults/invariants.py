"""Invariants of every accepted job, which no fault may violate."""

from functools import partial
from typing import Any

from jobs.redis import keys
from tests.faults.browsers import find_parts
from tests.faults.job_scenario import SubmittedJob
from tests.faults.poll_recorder import Poll, PollRecorder
from tests.faults.scenario import FaultScenario
from tests.integration.services import Run
from tests.support.polling import wait_until

#: Longest response time without Redis.
_OUTAGE_RESPONSE_S = 5.0
#: The number of browsers that a worker keeps between jobs (WARM_BROWSERS).
_MAX_WARM = 2
#: Fields that must not change after their first value other than null.
_CONSTANT_FIELDS = ("job_id", "created_at", "started_at")


def check(scenario: FaultScenario) -> None:
    """Wait until every job has ended; fail if an invariant is violated."""
    ends = {job.id: scenario.wait_for_end(job) for job in scenario.jobs}
    contents = {job.id: scenario.redis_content(job) for job in scenario.jobs}
    # A worker that lost a job closes its browser last; after that it writes nothing. One that has
    # completed a job may keep browsers for the next one.
    for name in scenario.workers:
        wait_until(partial(_has_closed_browsers, scenario, name), within_s=15)
    if not any(worker.is_alive for worker in scenario.workers.values()):
        # The ends are published to Flower by a worker that runs.
        scenario.start_worker("publisher")
    for job in scenario.jobs:
        polls = scenario.recorder.polls[job.id]
        _check_responses(polls, scenario.recorder)
        assert sum(bool(poll.body.get("is_final")) for poll in polls) == 1
        for group in scenario.recorder.uninterrupted_polls(job.id):
            _check_progress(scenario, job, [poll.body for poll in group])
        _check_items(job, ends[job.id])
        last = scenario.recorder.poll(job.id)
        assert (last.status, last.body) == (200, ends[job.id]), "changed after its end"
        assert scenario.redis_content(job) == contents[job.id], "written to after its end"
        wait_until(partial(_is_same_in_flower, scenario, job, ends[job.id]))
        with scenario.services.connect() as redis:
            assert redis.zscore(keys.ACTIVE, job.id) is None
    for worker in scenario.workers.values():
        if worker.is_alive:
            assert "Unrecoverable error" not in worker.read_log()


def _has_closed_browsers(scenario: FaultScenario, worker: str) -> bool:
    log = scenario.workers[worker].read_log()
    if "job completed" in log or "part ended" in log:
        return len(find_parts(scenario, worker, "driver")) <= _MAX_WARM
    return not scenario.browsers(worker)


def _is_same_in_flower(scenario: FaultScenario, job: SubmittedJob, end: dict[str, Any]) -> bool:
    """Return whether Flower shows the job's end as the API does."""
    state = "SUCCESS" if end["status"] == "completed" else "FAILURE"
    task = scenario.flower_task(job)
    return bool(task) and (task["state"], task["name"]) == (state, f"{job.site}.scrape-channels")


def _check_responses(polls: list[Poll], recorder: PollRecorder) -> None:
    """Fail unless every response is 200, or a fast 503 during an outage of Redis."""
    for poll in polls:
        if poll.status == 200:
            continue
        in_outage = any(
            poll.started_at <= ended_at and started_at <= poll.ended_at
            for started_at, ended_at in recorder.outages
        )
        assert (poll.status, in_outage) == (503, True), poll
        assert poll.duration_s < _OUTAGE_RESPONSE_S, poll


def _check_progress(
    scenario: FaultScenario, job: SubmittedJob, bodies: list[dict[str, Any]]
) -> None:
    """Fail if a state or the progress went backwards, or a constant field changed."""
    run = Run(scenario.services, job.id, bodies)
    run.check_progress()
    if bodies and bodies[-1]["is_final"]:
        run.check_agreement()
    attempts = [body["attempt"] for body in bodies]
    assert attempts == sorted(attempts)
    for name in _CONSTANT_FIELDS:
        values = {body[name] for body in bodies} - {None}
        assert len(values) <= 1, values


def _check_items(job: SubmittedJob, end: dict[str, Any]) -> None:
    """Fail unless a result has each expected item exactly once, and says so."""
    if end["status"] == "completed":
        result = end["result"]
        assert result["channels"] == job.items
        assert (result["total_channels"], result["pages_read"]) == (len(job.items), job.pages)
