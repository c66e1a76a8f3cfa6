"""Many XLSX downloads at once: they fill neither the temporary folder nor the API's time."""

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.store.leased_jobs import FinishedPage
from tests.integration.jobs_in_redis import HEAD, Jobs
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"
ROWS = 1500
#: Fields with texts, and how long each of them is.
TEXTS = ("channel_name", "subscribers", "channel_link")
TEXT_LENGTH = 1000


@dataclass(frozen=True)
class Downloads:
    """An API with one completed job of several MB."""

    api: Process
    job_id: str
    #: The API's folder for temporary files.
    temporary: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.api.url, timeout=300, trust_env=False)

    def fetch(self, name: str) -> httpx.Response:
        with self.client() as client:
            return client.get(f"{PATH}/result/{self.job_id}", params={"format": name})

    def temporary_bytes(self) -> int:
        """Return how much the API has in temporary files; those without a name count too."""
        sizes: dict[tuple[int, int], int] = {}
        files = [path for path in self.temporary.rglob("*") if path.is_file()]
        files += [
            Path(f"/proc/{self.api.pid}/fd/{file}")
            for file in Path(f"/proc/{self.api.pid}/fd").iterdir()
        ]
        for path in files:
            try:
                if not str(path.resolve()).startswith(str(self.temporary)):
                    continue
                status = path.stat()
            except OSError:
                continue  # it has been deleted since
            sizes[status.st_dev, status.st_ino] = status.st_size
        return sum(sizes.values())

    def watch(self, futures: list[Future[httpx.Response]]) -> int:
        """Return the largest size of temporary files until all downloads have ended."""
        peak = 0

        def have_ended() -> bool:
            nonlocal peak
            peak = max(peak, self.temporary_bytes())
            return all(future.done() for future in futures)

        wait_until(have_ended, within_s=300)
        return peak


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Downloads]:
    temporary = tmp_path_factory.mktemp("temporary")
    with Stack() as stack:
        redis = stack.redis()
        api = stack.api({"TMPDIR": str(temporary)})
        with Jobs(redis.url) as jobs:
            job = jobs.submit()
            token = jobs.claim(job)
            rows = [
                {name: secrets.token_hex(TEXT_LENGTH // 2) for name in TEXTS} for _ in range(ROWS)
            ]
            jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, rows))
            jobs.store_result(job, token, "SUCCESS", HEAD)
        yield Downloads(api, job.id, temporary)


class TestThirtyAtOnce:
    def test_leave_the_temporary_folder_and_other_requests_alone(
        self, downloads: Downloads
    ) -> None:
        with ThreadPoolExecutor(30) as pool:
            alone = downloads.watch([pool.submit(downloads.fetch, "xlsx")])
            assert alone > 0
            futures = [pool.submit(downloads.fetch, "xlsx") for _ in range(30)]
            polls = pool.submit(self.poll, downloads, futures)

            peak = downloads.watch(futures)

            answers = [future.result() for future in futures]
            refused = [answer for answer in answers if answer.status_code != 200]
            assert {answer.status_code for answer in refused} == {503}
            assert {answer.json()["error_code"] for answer in refused} == {"too_many_downloads"}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
            served = [answer for answer in answers if answer.status_code == 200]
            assert served
            assert {answer.content[:2] for answer in served} == {b"PK"}
            # Two are built at a time; finished ones are a fraction of that.
            assert peak < 4 * alone
            assert polls.result() > len(served), "others were answered meanwhile"
        wait_until(lambda: downloads.temporary_bytes() == 0)

    def test_are_served_one_after_another_to_clients_that_wait(self, downloads: Downloads) -> None:
        answers = [downloads.fetch("xlsx").status_code for _ in range(2)]

        assert answers == [200, 200]

    @staticmethod
    def poll(downloads: Downloads, futures: list[Future[httpx.Response]]) -> int:
        """Ask for the health and the job's items until the downloads have ended; count answers."""
        never = threading.Event()
        polls = 0
        with downloads.client() as client:
            while not all(future.done() for future in futures):
                assert client.get("/api/health").status_code == 200
                items = client.get(f"{PATH}/items/{downloads.job_id}", params={"limit": 1})
                assert items.status_code == 200
                polls += 1
                never.wait(0.02)
        return polls
