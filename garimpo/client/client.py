"""Client of the API: start jobs, follow them, download results."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from garimpo.client.connection import Body, Connection
from garimpo.client.errors import ApiError, ApiRefusedError, ApiUnreachableError, UnknownJobError
from garimpo.client.follower import JobFollower
from garimpo.client.job_ref import JobRef, make_job_path
from garimpo.client.sse import read_events

__all__ = ["Body", "Client"]

#: A start whose answer was lost is sent again, so often; its key keeps it one job.
_START_TRIES = 3
_START_PAUSE_S = 1.0
#: The API gives a sign of life on a stream every 15 s.
_STREAM_SILENT_S = 40.0
#: A large workbook is whole before its first byte is sent.
_FILE_TIMEOUT = httpx.Timeout(10, read=600)


class Client:
    """Speaks to one API."""

    def __init__(
        self,
        url: str,
        *,
        language: str = "en",
        timeout_s: float = 15.0,
        patience_s: float = 300.0,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Prepare it; nothing is sent.

        Args:
            url: the API's address without a path; without a scheme it is http.
            language: the language of messages, `en` or `pt`.
            timeout_s: for one answer.
            patience_s: how long the API may be away while a job is followed.
            pause: called with seconds between two questions; it may raise to end the wait.

        Raises:
            ApiUnreachableError: the address is none.
        """
        self._connection = Connection(url, language=language, timeout_s=timeout_s)
        self.url = self._connection.url
        self._patience_s = patience_s
        self._pause = pause or threading.Event().wait

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._connection.close()

    def health(self) -> Body:
        """Return the health body, whatever it says; raises ApiUnreachableError, NotTheApiError."""
        with self._connection.open("GET", "/api/health", accept_errors=True) as response:
            return self._connection.read_json(response)

    def list_job_names(self) -> list[tuple[str, str]]:
        """Return each site and job that the API's OpenAPI has; raises ApiError."""
        paths = self._connection.request_json("GET", "/openapi.json", required_keys=("paths",))[
            "paths"
        ]
        parts = [path.removeprefix("/api/v1/").split("/") for path in paths]
        return [(part[0], part[1]) for part in parts if part[2:] == ["start"]]

    def start(
        self,
        site: str,
        job: str,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Body:
        """Start a job and return its JobStart; it is one job, however often it must be sent.

        Args:
            site: the recipe's site.
            job: the recipe's job.
            params: the job's parameters.
            idempotency_key: the Idempotency-Key; the same one leads to the same job for a day.

        Raises:
            ApiUnreachableError: nothing answers, or it cannot take jobs now.
            UnknownJobError: there is no such job.
            ApiRefusedError: a parameter is wrong.
        """
        path = f"{make_job_path(site, job)}/start"
        headers, body = {"Idempotency-Key": idempotency_key or str(uuid4())}, dict(params or {})
        for further_tries in reversed(range(_START_TRIES)):
            try:
                return self._connection.request_json(
                    "POST", path, json=body, headers=headers, required_keys=("job_id", "status")
                )
            except ApiUnreachableError as error:
                if not (further_tries and error.may_have_arrived):
                    raise
                self._pause(error.retry_after_s or _START_PAUSE_S)
            except ApiRefusedError as error:
                if error.status == httpx.codes.NOT_FOUND:
                    raise UnknownJobError(self.url, site, job, self._known_names()) from error
                raise
        raise AssertionError  # the last try returns or raises

    def _known_names(self) -> list[tuple[str, str]]:
        try:
            return self.list_job_names()
        except ApiError:  # they are advice only
            return []

    def result(self, address: JobRef) -> Body:
        """Return the job's JobStatus, JobResult or JobError.

        Raises:
            ApiUnreachableError: nothing answers, or it cannot answer now.
            ApiRefusedError: there is no such result, or not any more.
        """
        return self._connection.request_json("GET", address.make_path("result"))

    def find(self, job_id: str) -> JobRef:
        """Return which site's and which job's it is; raises as `result` does."""
        path = f"/api/v1/jobs/{quote(job_id, safe='')}"
        must_have = ("site", "job", "job_id")
        return JobRef.from_listing(
            self._connection.request_json("GET", path, required_keys=must_have)
        )

    def cancel(self, address: JobRef) -> Body:
        """End a job before its time; raises as `result` does, also if it had ended."""
        return self._connection.request_json("POST", address.make_path("cancel"))

    def list_jobs(self, **filters: Any) -> Body:
        """List jobs, the newest first: `jobs` and `next_cursor`; raises as `result` does."""
        wanted = {name: value for name, value in filters.items() if value}
        return self._connection.request_json(
            "GET", "/api/v1/jobs", params=wanted, required_keys=("jobs", "next_cursor")
        )

    def download(self, address: JobRef, **wanted: str) -> "Body | Iterator[bytes]":
        """Return the result as a file, piece by piece; its status unless it is completed.

        Args:
            address: the job.
            wanted: `format`, and `separator` for CSV.

        Raises:
            As `result` does; ApiUnreachableError also in the middle of the file.
        """
        pieces = self._file(address, wanted)
        first = next(pieces)
        return first if isinstance(first, dict) else pieces

    def _file(self, address: JobRef, wanted: Mapping[str, str]) -> Iterator[Any]:
        """Yield a body, or an empty piece and then the file's."""
        path = address.make_path("result")
        with self._connection.open("GET", path, params=wanted, timeout=_FILE_TIMEOUT) as response:
            if response.headers.get("Content-Type", "").startswith("application/json"):
                yield self._connection.read_json(response)
                return
            yield b""
            yield from response.iter_bytes()

    def events(self, address: JobRef) -> Iterator[Body]:
        """Yield the job's bodies as they change; the last one is final unless it breaks off."""
        timeout = httpx.Timeout(10, read=_STREAM_SILENT_S)
        with self._connection.open("GET", address.make_path("events"), timeout=timeout) as response:
            yield from read_events(response.iter_lines())

    def follow(
        self,
        address: JobRef,
        on_trouble: Callable[[str], None] = lambda _: None,
        *,
        live: bool = False,
        poll_interval_s: float | None = None,
        max_interval_s: float | None = None,
    ) -> Iterator[Body]:
        """Yield the job's bodies to the final one; see `Follower`."""
        follower = JobFollower(
            lambda: self.result(address),
            lambda: self.events(address),
            pause=self._pause,
            patience_s=self._patience_s,
            poll_interval_s=poll_interval_s,
            max_interval_s=max_interval_s,
        )
        return follower.follow(on_trouble, live=live)
