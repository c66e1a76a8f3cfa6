"""HTTP requests to the API; failures become errors of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from garimpo.client.errors import ApiRefusedError, ApiUnreachableError, NotTheApiError

Body = dict[str, Any]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Connection:
    """Sends requests to one API."""

    def __init__(self, url: str, *, language: str, timeout_s: float) -> None:
        """Prepare it; nothing is sent.

        Raises:
            ApiUnreachableError: the address is none.
        """
        self._url = _add_scheme(url)
        #: For messages: without the user name and password that may stand in it.
        self.url = _hide_account(self._url)
        try:
            host = httpx.URL(self._url).host
        except (httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: a name in bad punycode
            # What httpx says of it may quote the password.
            reason = "the address is none" if self.url != self._url else str(error)
            raise ApiUnreachableError(self.url, reason) from error
        self._http = httpx.Client(
            timeout=timeout_s,
            headers={"Accept-Language": language},
            # A proxy of the environment has no business with our own loopback interface.
            trust_env=host not in _LOOPBACK,
        )

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def request_json(
        self,
        method: str,
        path: str,
        *,
        required_keys: tuple[str, ...] = ("status",),
        **request: Any,
    ) -> Body:
        """Send a request and return its answer's body.

        Args:
            method: of the request.
            path: below the API's address.
            required_keys: the keys by which an answer of this API is known.
            request: the rest of it, as httpx takes it.

        Raises:
            ApiUnreachableError: nothing answers, or it cannot answer now.
            ApiRefusedError: the API says no.
            NotTheApiError: somebody else answers.
        """
        with self.open(method, path, **request) as response:
            answer = self.read_json(response)
        if not answer.keys() >= set(required_keys):
            raise NotTheApiError(self.url, response.status_code)
        return answer

    @contextmanager
    def open(
        self, method: str, path: str, *, accept_errors: bool = False, **request: Any
    ) -> Iterator[httpx.Response]:
        """Send a request; give its answer, whose body is still to come. Raises as `ask` does.

        Args:
            method: of the request.
            path: below the API's address.
            accept_errors: whether an answer that tells of an error is an answer too.
            request: the rest of it, as httpx takes it.
        """
        try:
            with self._http.stream(method, self._url + path, **request) as response:
                if not (response.is_success or accept_errors):
                    response.read()
                    self._raise(response)
                yield response
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ApiUnreachableError(
                self.url,
                str(error) or type(error).__name__,
                may_have_arrived=not isinstance(error, httpx.ConnectError | httpx.InvalidURL),
            ) from error

    def read_json(self, response: httpx.Response) -> Body:
        """Return an answer's body; raises NotTheApiError unless it is a JSON object."""
        try:
            response.read()
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise NotTheApiError(self.url, response.status_code)
        return answer

    def _raise(self, response: httpx.Response) -> None:
        passing = response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS
        if passing:
            reason = _read_detail(response) or f"HTTP {response.status_code}"
            raise ApiUnreachableError(self.url, reason, _read_retry_after(response), answered=True)
        answer = self.read_json(response)
        if "detail" not in answer:
            raise NotTheApiError(self.url, response.status_code)
        raise ApiRefusedError(response.status_code, str(answer["detail"]), answer.get("error_code"))


def _add_scheme(url: str) -> str:
    """Return an address with its scheme, also where only host and port are given."""
    url = url.strip().rstrip("/")
    return url if "://" in url else f"http://{url}"


def _hide_account(url: str) -> str:
    """Return an address, even a broken one, without a user name and a password."""
    return re.sub(r"//.*@", "//", url)


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
