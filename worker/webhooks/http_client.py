"""An HTTP POST that is safe against SSRF, slow and hostile servers."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import certifi
import httpx

from jobs.url_policy import ParsedUrl, UrlNotAllowedError, WebhookUrlPolicy, parse_url
from network.address_policy import IpAddress
from worker.webhooks.retry_policy import DeliveryResponse

#: The part of a response body that is read, in bytes, and the time limit for reading it.
_MAX_EXCERPT_BYTES = 2048
_EXCERPT_TIMEOUT_S = 2.0
#: The maximum number of a host's addresses that are tried.
_MAX_ADDRESSES = 4


@cache
def _make_ssl_context() -> ssl.SSLContext:
    """Return a context that trusts the system's certificates, SSL_CERT_FILE and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def post_pinned(
    url: str, policy: WebhookUrlPolicy, headers: Mapping[str, str], content: bytes, timeout_s: float
) -> DeliveryResponse:
    """Send a POST request and return its response, or the error; raise nothing.

    The host is resolved once, every address is checked, and the connection is made to one of these
    addresses, so that a second DNS answer cannot redirect it. No redirect is followed, no proxy of
    the environment is used, and only the beginning of the response is read.

    Args:
        url: The URL.
        policy: The addresses that may be called.
        headers: All headers except `Host`.
        content: The body.
        timeout_s: The time limit of the whole request.
    """
    # Not asyncio.run: it would wait for a resolver that hangs.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_post(url, policy, headers, content, timeout_s))
    finally:
        loop.close()


async def _post(
    url: str, policy: WebhookUrlPolicy, headers: Mapping[str, str], content: bytes, timeout_s: float
) -> DeliveryResponse:
    try:
        async with asyncio.timeout(timeout_s):
            target = parse_url(url)
            addresses = await _resolve(target)
            for address in addresses:
                policy.check_address(target, address)
            return await _send_to_first_reachable(
                target, addresses[:_MAX_ADDRESSES], headers, content, timeout_s
            )
    except (UrlNotAllowedError, UnicodeError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return DeliveryResponse(error=_describe_error(error))


#: The first match applies.
_ERROR_CODES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]] = (
    (UrlNotAllowedError, "address"),
    ((TimeoutError, httpx.TimeoutException), "timeout"),
    ((socket.gaierror, UnicodeError), "name"),
    (httpx.RemoteProtocolError, "protocol"),
    (Exception, "connection"),
)


def _describe_error(error: Exception) -> str:
    """Return the error's code (`jobs.model.delivery.DeliveryAttempt`)."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    return next(code for types, code in _ERROR_CODES if isinstance(error, types))


async def _resolve(target: ParsedUrl) -> list[IpAddress]:
    """Return all addresses of a host, in the resolver's order.

    Raises:
        socket.gaierror: The host cannot be resolved.
    """
    loop = asyncio.get_running_loop()
    address_infos = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return list(
        dict.fromkeys(
            ipaddress.ip_address(socket_address[0]) for *_, socket_address in address_infos
        )
    )


async def _send_to_first_reachable(
    target: ParsedUrl,
    addresses: list[IpAddress],
    headers: Mapping[str, str],
    content: bytes,
    timeout_s: float,
) -> DeliveryResponse:
    for address in addresses[:-1]:
        try:
            # A missing route to one kind of addresses must not use up the whole time limit.
            return await _send(target, address, headers, content, timeout_s / len(addresses))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await _send(target, addresses[-1], headers, content, timeout_s)


async def _send(
    target: ParsedUrl,
    address: IpAddress,
    headers: Mapping[str, str],
    content: bytes,
    connect_s: float,
) -> DeliveryResponse:
    host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    timeout = httpx.Timeout(None, connect=connect_s)  # `_post` limits the rest
    async with (
        httpx.AsyncClient(verify=_make_ssl_context(), trust_env=False, timeout=timeout) as client,
        client.stream(
            "POST",
            f"{target.scheme}://{host}:{target.port}/",
            # No compression: a small response stays small.
            headers={**headers, "Host": target.host_header, "Accept-Encoding": "identity"},
            content=content,
            # The path as it was given, and the name that the certificate must match.
            extensions={"target": target.path.encode(), "sni_hostname": target.host},
        ) as response,
    ):
        return DeliveryResponse(
            status=response.status_code,
            body_excerpt=await _read_excerpt(response),
            retry_after_s=_parse_retry_after_s(
                response.headers.get("retry-after", ""), response.headers.get("date", "")
            ),
        )


async def _read_excerpt(response: httpx.Response) -> str:
    """Return the beginning of the body, as far as it arrives in time."""
    read = bytearray()
    try:
        async with asyncio.timeout(_EXCERPT_TIMEOUT_S):
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) >= _MAX_EXCERPT_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    return bytes(read[:_MAX_EXCERPT_BYTES]).decode(errors="replace")


def _parse_retry_after_s(value: str, date: str) -> float:
    """Parse a Retry-After: seconds or a date (RFC 9110, section 10.2.3); 0 if it is invalid.

    Args:
        value: The header's value.
        date: The header `Date` of the same response: this machine's clock may be wrong.
    """
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    at, sent_at = _parse_date(value), _parse_date(date)
    return max(0.0, (at - (sent_at or datetime.now(UTC))).total_seconds()) if at else 0.0


def _parse_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
