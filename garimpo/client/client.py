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
from garimpo.client.sse import parse_events

__all__ = ["Body", "Client", "list_collections"]

#: A start without a response is sent this often; its Idempotency-Key keeps it one job.
_START_ATTEMPTS = 3
_START_PAUSE_S = 1.0
#: Read timeout of an event stream: the API sends a keep-alive every 15 s.
_STREAM_TIMEOUT_S = 40.0
#: A large workbook is written completely before its first byte is sent.
_FILE_TIMEOUT = httpx.Timeout(10, read=600)


def list_collections(result: Mapping[str, Any]) -> list[str]:
    """Return the names of a result's lists of items: each `x` with a field `total_x`."""
    return [name.removeprefix("total_") for name in result if name.startswith("total_")]


def _required_params(start: Any) -> Any:
    """Return the names of the parameters that a start needs, from its description in OpenAPI."""
    try:
        return start["post"]["requestBody"]["content"]["application/json"]["schema"]["required"]
    except (KeyError, TypeError):
        return ()


class Client:
    """Client of one API."""

    def __init__(  # noqa: PLR0913 - each is optional
        self,
        url: str,
        *,
        api_key: str | None = None,
        language: str = "en",
        timeout_s: float = 15.0,
        patience_s: float = 300.0,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """Create the client; no request is sent.

        Args:
            url: Address of the API without a path; without a scheme, http is used.
            api_key: The API key to send.
            language: Language of messages, `en` or `pt`.
            timeout_s: Timeout of a request in seconds.
            patience_s: How long the API may be unavailable while a job is followed.
            pause: Called with seconds between two requests; it may raise to stop waiting.

        Raises:
            ApiUnreachableError: The address is invalid.
        """
        self._connection = Connection(url, api_key=api_key, language=language, timeout_s=timeout_s)
        self.url = self._connection.url
        self._patience_s = patience_s
        self._pause = pause or threading.Event().wait

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._connection.close()

    def health(self) -> Body:
        """Return the body of the health endpoint, also if it reports an error.

        Raises:
            ApiUnreachableError: The API cannot be reached.
            ApiRefusedError: The API needs another key.
            NotTheApiError: The response is not a JSON object.
        """
        with self._connection.open("GET", "/api/health", accept_errors=True) as response:
            if response.is_client_error:
                self._connection.raise_error(response)
            return self._connection.read_json(response)

    def list_job_names(self) -> list[tuple[str, str]]:
        """Return the site and the name of each job definition in the API's OpenAPI document.

        Those that can be started without parameters are the first.

        Raises:
            ApiError: The request failed.
        """
        paths = self._connection.request_json("GET", "/openapi.json", required_keys=("paths",))[
            "paths"
        ]
        parts = {path: path.removeprefix("/api/v1/").split("/") for path in paths}
        starts = [path for path, part in parts.items() if part[2:] == ["start"]]
        starts.sort(key=lambda path: bool(_required_params(paths[path])))
        return [(parts[path][0], parts[path][1]) for path in starts]

    def start(
        self,
        site: str,
        job: str,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Body:
        """Start a job and return its JobStart.

        A request without a response is sent again with the same Idempotency-Key, so that it
        starts one job.

        Args:
            site: Site of the recipe.
            job: Name of the job definition.
            params: Parameters of the job.
            idempotency_key: The Idempotency-Key; by default a new one. For a day, the same key
                returns the same job.

        Raises:
            ApiUnreachableError: The API cannot be reached, or cannot accept jobs now.
            UnknownJobError: The API has no such job definition.
            ApiRefusedError: A parameter is invalid, or the key was used for another job.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        path = f"{make_job_path(site, job)}/start"
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        for remaining_attempts in reversed(range(_START_ATTEMPTS)):
            try:
                return self._connection.request_json(
                    "POST",
                    path,
                    json=dict(params or {}),
                    headers=headers,
                    required_keys=("job_id", "status"),
                )
            except ApiUnreachableError as error:
                if not (remaining_attempts and error.may_have_arrived):
                    raise
                self._pause(error.retry_after_s or _START_PAUSE_S)
            except ApiRefusedError as error:
                if error.status == httpx.codes.NOT_FOUND:
                    raise UnknownJobError(self.url, site, job, self._known_names()) from error
                raise
        raise AssertionError  # the last attempt returns or raises

    def _known_names(self) -> list[tuple[str, str]]:
        try:
            return self.list_job_names()
        except ApiError:  # they only extend an error message
            return []

    def result(self, job: JobRef) -> Body:
        """Return the job's JobStatus, JobResult or JobError.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: There is no such job, or its result has expired.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        return self._connection.request_json("GET", job.make_path("result"))

    def find(self, job_id: str) -> JobRef:
        """Return the reference to the job with this id.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: There is no such job, or its result has expired.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        path = f"/api/v1/jobs/{quote(job_id, safe='')}"
        required_keys = ("site", "job", "job_id")
        return JobRef.from_listing(
            self._connection.request_json("GET", path, required_keys=required_keys)
        )

    def cancel(self, job: JobRef) -> Body:
        """Cancel a job; return its JobStatus or JobError.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: There is no such job, or it has already ended.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        return self._connection.request_json("POST", job.make_path("cancel"))

    def list_jobs(self, **filters: Any) -> Body:
        """Return a page of jobs, newest first: `jobs` and `next_cursor`.

        Args:
            filters: Query parameters: `site`, `job`, `status`, `limit`, `cursor`.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: A filter is invalid.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        params = {name: value for name, value in filters.items() if value}
        return self._connection.request_json(
            "GET", "/api/v1/jobs", params=params, required_keys=("jobs", "next_cursor")
        )

    def download(self, job: JobRef, **options: str) -> "Body | Iterator[bytes]":
        """Return the result as a file, piece by piece, or the job's body if it has no result.

        Args:
            job: The job.
            options: Query parameters: `format`, and `separator` for CSV.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable; also raised while
                the file is read.
            ApiRefusedError: There is no such job, or its result has expired.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        pieces = self._download(job, options)
        first = next(pieces)
        return first if isinstance(first, dict) else pieces

    def _download(self, job: JobRef, options: Mapping[str, str]) -> Iterator[Any]:
        """Yield a body, or an empty piece and then the pieces of the file."""
        path = job.make_path("result")
        with self._connection.open("GET", path, params=options, timeout=_FILE_TIMEOUT) as response:
            if response.headers.get("Content-Type", "").startswith("application/json"):
                yield self._connection.read_json(response)
                return
            yield b""
            yield from response.iter_bytes()

    def events(self, job: JobRef) -> Iterator[Body | None]:
        """Yield the job's bodies as they change, and None for each keep-alive.

        The last body is final unless the stream was interrupted.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: There is no such job, or its result has expired.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        timeout = httpx.Timeout(10, read=_STREAM_TIMEOUT_S)
        with self._connection.open("GET", job.make_path("events"), timeout=timeout) as response:
            yield from parse_events(response.iter_lines())

    def follow(
        self,
        job: JobRef,
        on_outage: Callable[[str], None] = lambda _: None,
        *,
        live: bool = False,
        poll_interval_s: float | None = None,
        max_interval_s: float | None = None,
    ) -> Iterator[Body]:
        """Yield the job's bodies to the final one.

        Args:
            job: The job.
            on_outage: Called with the reason before each retry while the API is unavailable.
            live: Whether to follow the event stream; otherwise the status is polled.
            poll_interval_s: Polling interval; None is the body's `retry_after_seconds`.
            max_interval_s: Longest `retry_after_seconds` to respect; None is two minutes.

        Raises:
            ApiUnreachableError: The API was unavailable for longer than `patience_s`.
            ApiRefusedError: There is no such job, or its result has expired.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        follower = JobFollower(
            lambda: self.result(job),
            lambda: self.events(job),
            pause=self._pause,
            patience_s=self._patience_s,
            poll_interval_s=poll_interval_s,
            max_interval_s=max_interval_s,
        )
        return follower.follow(on_outage, live=live)
