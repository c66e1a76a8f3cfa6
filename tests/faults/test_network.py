"""A worker that is cut off from Redis does no harm: its job has one result, whoever has run it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.faults.proxy import Proxy
from tests.faults.scenario import LEASE_S, Asked, Scene, let_pass
from tests.support.polling import wait_until


@pytest.fixture
def networks(scene: Scene) -> Iterator[dict[str, Proxy]]:
    """Run two workers, each with its own way to Redis."""
    port = urlsplit(scene.services.redis.url).port or 0
    with Proxy(port) as one, Proxy(port) as two:
        networks = {"one": one, "two": two}
        for name, proxy in networks.items():
            scene.worker(name, {"REDIS_URL": proxy.redis_url})
        yield networks
        # While they have a network: without one they would take their time.
        for worker in scene.workers.values():
            worker.stop()


def start(scene: Scene) -> Asked:
    """Start a job that has come to its second page."""
    job = scene.start(pages=6)
    scene.wait_for_page(job, 2)
    return job


class TestNetwork:
    def test_may_be_cut_again_and_again(self, scene: Scene, networks: dict[str, Proxy]) -> None:
        job = start(scene)

        for page in (2, 3, 5):
            scene.wait_for_page(job, page)
            for proxy in networks.values():
                proxy.cut()

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 1)
        assert scene.pages(job) == [1, 2, 3, 4, 5, 6]

    def test_may_be_away_for_less_than_a_lease(
        self, scene: Scene, networks: dict[str, Proxy]
    ) -> None:
        job = start(scene)
        proxy = networks[scene.holder(job).name]

        proxy.refuse()
        let_pass(LEASE_S / 4)
        proxy.restore()

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 1)

    @pytest.mark.parametrize("how", ["swallowed", "refused", "frozen"])
    def test_costs_a_worker_its_job_if_it_is_away_for_longer(
        self, scene: Scene, networks: dict[str, Proxy], how: str
    ) -> None:
        with scene.held_at(3):
            job = scene.start()
            scene.wait_for_page(job, 3)
            old = scene.holder(job)
            if how == "frozen":
                scene.freeze(old)
            elif how == "swallowed":
                networks[old.name].blackhole()
            else:
                networks[old.name].refuse()
            scene.wait_for_page(job, 3, times=2)
            taken_over = scene.stored(job)
            scene.thaw(old) if how == "frozen" else networks[old.name].restore()

            # While the new one is at it, the old one hears that it has lost the job, ends its
            # browser and writes nothing.
            wait_until(lambda: not scene.browsers(old.name))
            assert scene.stored(job) == taken_over
            assert scene.field(job, "attempt") == "2"
        # The page that was held has no answer any more; the new one asks again.
        scene.services.demo.give_up()

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 2)
        # The page that was held is asked for by the old one once and by the new one twice.
        assert scene.pages(job) == [1, 2, 3, 3, 3, 4]
        for worker in scene.workers.values():
            if worker is not old:
                worker.stop()
        assert scene.end(scene.start(pages=1))["status"] == "completed"
