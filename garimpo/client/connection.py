"""HTTP requests to the API; failures are raised as ApiError."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from garimpo.client.errors import ApiRefusedError, ApiUnreachableError, NotTheApiError

#: A response body: a JSON object.
Body = dict[str, Any]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Connection:
    """Sends requests to one API."""

    def __init__(
        self, url: str, *, language: str, timeout_s: float, api_key: str | None = None
    ) -> None:
        """Create the connection; no request is sent.

        Args:
            url: Address of the API without a path; without a scheme, http is used.
            language: Value of `Accept-Language`.
            timeout_s: Timeout of a request in seconds.
            api_key: The API key to send.

        Raises:
            ApiUnreachableError: The address is invalid.
        """
        self._url = _add_scheme(url)
        #: The address for messages: without the user name and password that it may contain.
        self.url = _remove_account(self._url)
        try:
            host = httpx.URL(self._url).host
        except (httpx.InvalidURL, UnicodeError) as error:  # UnicodeError: invalid punycode
            # httpx's message may contain the password.
            reason = "the address is invalid" if self.url != self._url else str(error)
            raise ApiUnreachableError(self.url, reason) from error
        self._http = httpx.Client(
            timeout=timeout_s,
            headers={"Accept-Language": language, **({"X-API-Key": api_key} if api_key else {})},
            # A proxy set in the environment cannot reach this machine's loopback interface.
            trust_env=host not in _LOOPBACK,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def request_json(
        self,
        method: str,
        path: str,
        *,
        required_keys: tuple[str, ...] = ("status",),
        **options: Any,
    ) -> Body:
        """Send a request and return the JSON body of the response.

        Args:
            method: HTTP method.
            path: Path below the API's address.
            required_keys: Keys that every response of the API has at this path.
            options: Further arguments of `httpx.Client.stream`.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: The API sent an error response.
            NotTheApiError: The response is not one of Garimpo's API.
        """
        with self.open(method, path, **options) as response:
            body = self.read_json(response)
        if not body.keys() >= set(required_keys):
            raise NotTheApiError(self.url, response.status_code)
        return body

    @contextmanager
    def open(
        self, method: str, path: str, *, accept_errors: bool = False, **options: Any
    ) -> Iterator[httpx.Response]:
        """Send a request and yield the response, whose body has not been read.

        Args:
            method: HTTP method.
            path: Path below the API's address.
            accept_errors: Whether to yield error responses instead of raising.
            options: Further arguments of `httpx.Client.stream`.

        Raises:
            ApiUnreachableError: The API cannot be reached, or is unavailable.
            ApiRefusedError: The API sent an error response.
            NotTheApiError: The error response is not one of Garimpo's API.
        """
        try:
            with self._http.stream(method, self._url + path, **options) as response:
                if not (response.is_success or accept_errors):
                    self.raise_error(response)
                yield response
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ApiUnreachableError(
                self.url,
                str(error) or type(error).__name__,
                may_have_arrived=not isinstance(error, httpx.ConnectError | httpx.InvalidURL),
            ) from error

    def read_json(self, response: httpx.Response) -> Body:
        """Read and return the body of a response.

        Raises:
            NotTheApiError: It is not a JSON object.
        """
        try:
            response.read()
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise NotTheApiError(self.url, response.status_code)
        return body

    def raise_error(self, response: httpx.Response) -> None:
        """Raise the exception for an error response.

        Raises:
            ApiUnreachableError: The API is unavailable for now.
            ApiRefusedError: It is an error response of the API.
            NotTheApiError: It is not.
        """
        response.read()
        is_temporary = (
            response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS
        )
        if is_temporary:
            reason = _read_detail(response) or f"HTTP {response.status_code}"
            raise ApiUnreachableError(self.url, reason, _read_retry_after(response), answered=True)
        body = self.read_json(response)
        if "detail" not in body:
            raise NotTheApiError(self.url, response.status_code)
        raise ApiRefusedError(response.status_code, str(body["detail"]), body.get("error_code"))


def _add_scheme(url: str) -> str:
    """Return the address with a scheme; http if it has none."""
    url = url.strip().rstrip("/")
    return url if "://" in url else f"http://{url}"


def _remove_account(url: str) -> str:
    """Return an address, even an invalid one, without its user name and password."""
    return re.sub(r"//.*@", "//", url)


def _read_detail(response: httpx.Response) -> str:
    """Return the API's error message; empty if the response is not the API's."""
    try:
        return str(response.json()["detail"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return ""


def _read_retry_after(response: httpx.Response) -> float | None:
    """Return the seconds in `Retry-After`; None if it is missing or a date."""
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
