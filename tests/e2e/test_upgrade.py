"""New images under load: no job is lost, and the API is away for a moment only."""

import pytest

from tests.e2e.deployment import Scene

pytestmark = pytest.mark.timeout(900)

#: How long one API container may take to be replaced, in seconds: it is promised.
_AWAY_S = 10


class TestUpgrade:
    def test_loses_no_job_and_little_time(self, scene: Scene) -> None:
        compose = scene.compose
        compose.scale(2)
        scene.demo.have(slow_ms=1500)  # so that the load outlasts the upgrade
        jobs = [scene.start(pages=6) for _ in range(6)]
        scene.wait_for_page(jobs[0], 2)
        old = {*compose.containers("api"), *compose.containers("worker")}

        compose.tag += "-next"  # the version stands in the image: it is another one
        compose("build", "--quiet", "api", "worker")
        # One after the other: Compose starts nothing until all that it replaces has stopped.
        compose("up", "-d", "--wait", "api")
        compose("up", "-d", "--wait", "--scale", "worker=2", "worker")

        new = {*compose.containers("api"), *compose.containers("worker")}
        assert len(new) == 3
        assert not new & old
        ends = [scene.end(job) for job in jobs]
        assert [end["status"] for end in ends] == ["completed"] * 6
        # Some were at work when their workers went.
        assert {end["attempt"] for end in ends} == {1, 2}
        assert {scene.field(job, "crashes") for job in jobs} == {"0"}
        polls = sorted(
            (poll for polls in scene.watch.polls.values() for poll in polls),
            key=lambda poll: poll.began,
        )
        assert any(poll.status != 200 for poll in polls), "the API was never replaced"
        bad_since = None
        for poll in polls:
            if poll.status == 200:
                bad_since = None
                continue
            bad_since = bad_since or poll.began
            assert poll.began + poll.took_s - bad_since < _AWAY_S
