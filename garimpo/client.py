"""A client of the API: start a job, ask for its result, follow it to its end."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote

import httpx

from garimpo.errors import (
    ApiRefusedError,
    ApiUnreachableError,
    NotTheApiError,
    UnknownJobError,
)

Body = dict[str, Any]

#: While the API is away: the first pause between two questions, and the longest.
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
#: A pause that the API asks for is kept within these bounds.
_SHORTEST_WAIT_S = 0.05
_LONGEST_WAIT_S = 120.0
#: Where a waiting body does not say when to ask again.
_USUAL_WAIT_S = 2.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


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
            url: the API's address without a path.
            language: the language of messages, `en` or `pt`.
            timeout_s: for one answer.
            patience_s: how long the API may be away while a job is followed.
            pause: called with seconds between two questions; it may raise to end the wait.

        Raises:
            ApiUnreachableError: the address is none.
        """
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._pause = pause or threading.Event().wait
        try:
            host = httpx.URL(self.url).host
        except httpx.InvalidURL as error:
            raise ApiUnreachableError(self.url, str(error)) from error
        self._http = httpx.Client(
            timeout=timeout_s,
            headers={"Accept-Language": language},
            # A proxy of the environment has no business with our own loopback interface.
            trust_env=host not in _LOOPBACK,
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._http.close()

    def health(self) -> Body:
        """Return the health body, whatever it says; raises ApiUnreachableError."""
        return self._read(self._send("GET", "/api/health"))

    def start(self, site: str, job: str, params: Mapping[str, Any] | None = None) -> Body:
        """Start a job and return its JobStart.

        Raises:
            ApiUnreachableError: nothing answers, or it cannot take jobs now.
            UnknownJobError: there is no such job.
            ApiRefusedError: a parameter is wrong.
        """
        try:
            return self._ask("POST", f"{_job_path(site, job)}/start", dict(params or {}))
        except ApiRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                raise UnknownJobError(self.url, site, job) from error
            raise

    def result(self, site: str, job: str, job_id: str) -> Body:
        """Return the job's JobStatus, JobResult or JobError.

        Raises:
            ApiUnreachableError: nothing answers, or it cannot answer now.
            ApiRefusedError: there is no such result, or not any more.
        """
        return self._ask("GET", self.result_path(site, job, job_id))

    def follow(
        self,
        site: str,
        job: str,
        job_id: str,
        on_trouble: Callable[[str], None] = lambda _: None,
    ) -> Iterator[Body]:
        """Yield the job's bodies, each when the one before said to ask again, to the final one.

        While the API is away or cannot serve it asks on with growing pauses (Retry-After is
        honoured) and tells `on_trouble` why; ApiUnreachableError comes only after `patience_s`.
        """
        away_since: float | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                body = self.result(site, job, job_id)
            except ApiUnreachableError as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > self._patience_s:
                    raise
                on_trouble(error.reason)
                self._wait(max(error.retry_after_s or 0.0, pause_s))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            away_since, pause_s = None, _FIRST_PAUSE_S
            yield body
            if body["status"] in {"completed", "failed"}:
                return
            self._wait(body.get("retry_after_seconds") or _USUAL_WAIT_S)

    def result_path(self, site: str, job: str, job_id: str) -> str:
        """Return the path of a job's result below the API's address."""
        return f"{_job_path(site, job)}/result/{quote(job_id, safe='')}"

    def _wait(self, seconds: float) -> None:
        self._pause(min(max(seconds, _SHORTEST_WAIT_S), _LONGEST_WAIT_S))

    def _ask(self, method: str, path: str, body: Body | None = None) -> Body:
        response = self._send(method, path, body)
        answer = self._read(response)
        if response.is_success and "status" in answer:
            return answer
        if response.is_success or "detail" not in answer:
            raise NotTheApiError(self.url, response.status_code)
        raise ApiRefusedError(response.status_code, str(answer["detail"]), answer.get("error_code"))

    def _send(self, method: str, path: str, body: Body | None = None) -> httpx.Response:
        try:
            response = self._http.request(method, self.url + path, json=body)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ApiUnreachableError(self.url, str(error) or type(error).__name__) from error
        passing = response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS
        if passing and path != "/api/health":
            reason = _read_detail(response) or f"HTTP {response.status_code}"
            raise ApiUnreachableError(self.url, reason, _read_retry_after(response))
        return response

    def _read(self, response: httpx.Response) -> Body:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NotTheApiError(self.url, response.status_code)
        return answer


def _job_path(site: str, job: str) -> str:
    return f"/api/v1/{quote(site, safe='')}/{quote(job, safe='')}"


def _read_detail(response: httpx.Response) -> str:
    """Return the API's own sentence; empty if something else has answered."""
    try:
        return str(response.json()["detail"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return ""


def _read_retry_after(response: httpx.Response) -> float | None:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):  # none, or a date: our own pauses serve
        return None
