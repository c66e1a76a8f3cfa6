"""The gate: decides before anything else runs whether a request is answered.

It is ASGI middleware, so that paths which do not exist are behind it too.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.caller import LOCAL_CALLER, Caller
from api.access.hosts import AllowedHosts, is_loopback_address
from api.access.key_ring import KeyRing
from api.errors import (
    ApiError,
    BadHostError,
    HostNotAllowedError,
    NotLocalError,
    OtherSiteError,
    UnauthorizedError,
    handle_api_error,
)
from api.log_config import CALLER

#: Answered to anybody: liveness for containers, and the way to the documentation.
_OPEN_PATHS: Final = frozenset({"/", "/api/live"})
#: Opened in a browser, which can send a key only as the password of HTTP's Basic scheme. Nothing
#: else accepts it: browsers repeat it on their own, also for the page of another site.
_DOCS_PREFIXES: Final = ("/docs", "/redoc", "/openapi.json", "/static-offline-docs")
_METRICS: Final = "/metrics"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SAME_SITE: Final = frozenset({"same-origin", "none"})
#: Headers that proxies add: an API without keys answers the same machine only, and cannot know
#: where a request comes from that a proxy has passed on.
_FORWARDED: Final = re.compile(r"forwarded|via|x-forwarded.*|x-real-ip|true-client-ip|cf-.*")
_RESPONSE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class AccessPolicy:
    """Who is answered."""

    keys: KeyRing
    hosts: AllowedHosts
    #: Origins of other sites whose pages may call the API, and that of PUBLIC_URL.
    origins: frozenset[str] = frozenset()
    #: Whether anybody may read the documentation, and the metrics.
    open_docs: bool = False
    open_metrics: bool = False


class Gate:
    """Middleware that rejects requests, and says who sends the others (`request.state.caller`)."""

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject a request or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        scope = _add_root_path(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, _public_path(scope))
            await send(message)

        try:
            caller = self._admit(scope)
            if caller and _is_docs(scope["path"]):
                # FastAPI makes these routes itself; the others count their requests.
                scope["state"]["services"].rate_limits.count_read(caller)
        except ApiError as error:
            response = await handle_api_error(Request(scope), error)
            await response(scope, receive, send_with_headers)
            return
        if caller:
            scope.setdefault("state", {})["caller"] = caller
            CALLER.set(caller.name)
        await self._app(scope, receive, send_with_headers)

    def _admit(self, scope: Scope) -> Caller | None:
        """Return the caller; None on paths that are open to anybody.

        Raises:
            ApiError: The request is rejected.
        """
        headers = Headers(scope=scope)
        path = _public_path(scope)
        if path == "/api/live":
            return None
        self._check_host(headers.getlist("host"))
        self._check_origin(scope["method"], headers)
        if not self._policy.keys.is_required:
            _check_is_local(scope, headers)
            return LOCAL_CALLER
        if self._is_open(path):
            return None
        secret = _read_secret(headers)
        is_docs = _is_docs(path)
        if secret is None and is_docs:
            secret = _read_basic_password(headers)
        key = self._policy.keys.find(secret) if secret else None
        if key is None:
            raise UnauthorizedError(basic=is_docs, is_wrong=secret is not None)
        return Caller.of_key(key)

    def _is_open(self, path: str) -> bool:
        if path in _OPEN_PATHS:
            return True
        if path == _METRICS:
            return self._policy.open_metrics
        return self._policy.open_docs and _is_docs(path)

    def _check_host(self, hosts: list[str]) -> None:
        if len(hosts) != 1:
            raise BadHostError
        if not self._policy.hosts.allows(hosts[0]):
            raise HostNotAllowedError

    def _check_origin(self, method: str, headers: Headers) -> None:
        """Keep pages of other sites from using the API in a visitor's browser.

        Browsers say where a request comes from: `Origin` with every POST, `Sec-Fetch-Site` with
        every request to https and to this machine (Fetch Metadata). Programs say neither.
        """
        if method in _SAFE_METHODS:
            return
        origin = headers.get("origin")
        if origin is not None:
            if origin in self._policy.origins:
                return
            if origin not in {f"{scheme}://{headers['host']}" for scheme in ("http", "https")}:
                raise OtherSiteError
        if headers.get("sec-fetch-site", "none") not in _SAME_SITE:
            raise OtherSiteError


def _add_headers(message: Message, path: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _RESPONSE_HEADERS.items():
        headers.setdefault(name, value)
    if path.startswith("/api/"):
        # No cache keeps a result, or the state of a job that has changed since.
        headers.setdefault("Cache-Control", "no-store")


def _public_path(scope: Scope) -> str:
    """Return the path without ROOT_PATH."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _check_is_local(scope: Scope, headers: Headers) -> None:
    client = scope.get("client")  # None for a Unix socket, which proxies use
    is_forwarded = any(_FORWARDED.fullmatch(name) for name in headers)
    if is_forwarded or client is None or not is_loopback_address(client[0]):
        raise NotLocalError


def _add_root_path(scope: Scope) -> Scope:
    """Return a scope whose path begins with ROOT_PATH, which a proxy may have removed.

    ASGI requires it: otherwise files below a mounted path are not found.
    """
    root_path: str = scope.get("root_path", "")
    path: str = scope["path"]
    if path == root_path or path.startswith(f"{root_path}/"):
        return scope
    # A copy: the server logs the path that was requested.
    return {**scope, "path": root_path + path}


def _is_docs(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _DOCS_PREFIXES)


def _read_secret(headers: Headers) -> str | None:
    """Return the secret that a request carries; None without one."""
    if "x-api-key" in headers:
        return headers["x-api-key"].strip()
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _read_basic_password(headers: Headers) -> str | None:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(credentials, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def has_key_header(headers: Headers) -> bool:
    """Return whether a request has a header that only a program sends: a key."""
    return _read_secret(headers) is not None
