"""What must hold after every fault, for every job that was accepted."""

from functools import partial
from typing import Any

from jobs.redis import keys
from tests.faults.poll_recorder import Poll, Watch
from tests.faults.scenario import Asked, Scene
from tests.integration.services import Run
from tests.support.polling import wait_until

#: Without Redis an answer comes within so many seconds.
_AWAY_WITHIN_S = 5.0
#: What no later answer about a job may tell differently, once it has been told.
_FIXED = ("job_id", "created_at", "started_at")


def check(scene: Scene) -> None:
    """Wait for the end of every job; fail if one of the promises was broken."""
    ends = {job.id: scene.end(job) for job in scene.asked}
    first = {job.id: scene.stored(job) for job in scene.asked}
    # Whoever has lost a job ends its browser last: from now on nobody has anything to write.
    for name in scene.workers:
        wait_until(partial(_has_no_browser, scene, name), within_s=15)
    for job in scene.asked:
        polls = scene.watch.polls[job.id]
        _check_answers(polls, scene.watch)
        _check_course(scene, job, polls)
        _check_items(job, ends[job.id])
        again = scene.watch.ask(job.id)
        assert (again.status, again.body) == (200, ends[job.id]), "it changed after its end"
        assert scene.stored(job) == first[job.id], "somebody wrote to it after its end"
        wait_until(partial(_is_told_alike, scene, job, ends[job.id]))
        with scene.services.connect() as redis:
            assert redis.zscore(keys.ACTIVE, job.id) is None
    for worker in scene.workers.values():
        if worker.is_alive:
            assert "Unrecoverable error" not in worker.read_log()


def _has_no_browser(scene: Scene, worker: str) -> bool:
    return not scene.browsers(worker)


def _is_told_alike(scene: Scene, job: Asked, end: dict[str, Any]) -> bool:
    """Whether Flower shows the job's end as the API does."""
    state = "SUCCESS" if end["status"] == "completed" else "FAILURE"
    task = scene.task(job)
    return bool(task) and (task["state"], task["name"]) == (state, f"{job.site}.scrape-channels")


def _check_answers(polls: list[Poll], watch: Watch) -> None:
    """Every answer is 200; or 503, soon, while Redis is away."""
    for poll in polls:
        if poll.status == 200:
            continue
        told = poll.began + poll.took_s
        away = any(poll.began <= ended and began <= told for began, ended in watch.outages)
        assert (poll.status, away) == (503, True), poll
        assert poll.took_s < _AWAY_WITHIN_S, poll


def _check_course(scene: Scene, job: Asked, polls: list[Poll]) -> None:
    """States go forward, progress does not fall, nothing is told twice and differently."""
    bodies = [poll.body for poll in polls if poll.status == 200]
    run = Run(scene.services, job.id, bodies)
    run.check_course()
    run.check_agreement()
    assert sum(body["is_final"] for body in bodies) == 1
    attempts = [body["attempt"] for body in bodies]
    assert attempts == sorted(attempts)
    for name in _FIXED:
        told = {body[name] for body in bodies} - {None}
        assert len(told) <= 1, told


def _check_items(job: Asked, end: dict[str, Any]) -> None:
    """A result holds each item of the site's once, and as the site has it."""
    if end["status"] == "completed":
        assert end["result"]["channels"] == job.items
        assert end["result"]["pages_read"] == job.pages
