"""Upgrade to new images under load: no job is lost, and the API is down only briefly."""

import pytest

from tests.e2e.deployment import Deployment

pytestmark = pytest.mark.timeout(900)

#: Longest downtime of the API in seconds while its only container is replaced, as documented.
_MAX_DOWNTIME_S = 10


class TestUpgrade:
    def test_loses_no_job_and_has_little_downtime(self, deployment: Deployment) -> None:
        compose = deployment.compose
        compose.scale(2)
        deployment.demo.have(slow_ms=4500)  # so that the load outlasts the upgrade
        jobs = [deployment.start(pages=6) for _ in range(6)]
        deployment.wait_for_page(jobs[0], 2)
        old = {*compose.containers("api"), *compose.containers("worker")}

        compose.tag += "-next"  # the version is part of the image, so that the image differs
        compose("build", "--quiet", "api", "worker")
        # One after the other: Compose starts new containers after all replaced ones have stopped.
        compose("up", "-d", "--wait", "api")
        compose("up", "-d", "--wait", "--scale", "worker=2", "worker")

        new = {*compose.containers("api"), *compose.containers("worker")}
        assert len(new) == 3
        assert not new & old
        ends = [deployment.wait_for_end(job) for job in jobs]
        assert [end["status"] for end in ends] == ["completed"] * 6
        # Some were running when their workers were replaced.
        assert {end["attempt"] for end in ends} == {1, 2}
        assert {deployment.record_field(job, "crashes") for job in jobs} == {"0"}
        polls = sorted(
            (poll for polls in deployment.recorder.polls.values() for poll in polls),
            key=lambda poll: poll.started_at,
        )
        assert any(poll.status != 200 for poll in polls), "the API was never replaced"
        down_since = None
        for poll in polls:
            if poll.status == 200:
                down_since = None
                continue
            down_since = down_since or poll.started_at
            assert poll.started_at + poll.duration_s - down_since < _MAX_DOWNTIME_S
