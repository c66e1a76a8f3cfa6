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

from jobs.url_policy import IpAddress, ParsedUrl, UrlNotAllowedError, WebhookUrlPolicy, parse_url
from worker.webhooks.retry_policy import DeliveryResponse

#: What is read of an answer, in bytes, and for how long its beginning is waited for.
_READ_BYTES, _READ_WITHIN_S = 2048, 2.0
#: How many of a name's addresses are tried.
_MAX_ADDRESSES = 4


@cache
def _make_ssl_context() -> ssl.SSLContext:
    """Trust what the system trusts (SSL_CERT_FILE adds to it), and what httpx does."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def post_pinned(
    url: str, policy: WebhookUrlPolicy, headers: Mapping[str, str], content: bytes, timeout_s: float
) -> DeliveryResponse:
    """Send a body and return what came of it; raises nothing.

    The name is resolved once, every address is looked at, and the connection goes to one of these,
    so that nobody can lead it elsewhere in between. No redirect is followed, no proxy of the
    environment is used, and of the answer the beginning is read.

    Args:
        url: Where to.
        policy: Where one may go.
        headers: Besides `Host`.
        content: The body.
        timeout_s: For all of it.
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


#: The first that fits.
_ERROR_CODES: Sequence[tuple[type[Exception] | tuple[type[Exception], ...], str]] = (
    (UrlNotAllowedError, "address"),
    ((TimeoutError, httpx.TimeoutException), "timeout"),
    ((socket.gaierror, UnicodeError), "name"),
    (httpx.RemoteProtocolError, "protocol"),
    (Exception, "connection"),
)


def _describe_error(error: Exception) -> str:
    """Say why there was no answer, as `jobs.model.delivery.DeliveryAttempt` has it."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    return next(word for kinds, word in _ERROR_CODES if isinstance(error, kinds))


async def _resolve(target: ParsedUrl) -> list[IpAddress]:
    """Return all addresses of a host, in the system's order.

    Raises:
        socket.gaierror: It has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(place[0]) for *_, place in found))


async def _send_to_first_reachable(
    target: ParsedUrl,
    addresses: list[IpAddress],
    headers: Mapping[str, str],
    content: bytes,
    timeout_s: float,
) -> DeliveryResponse:
    for address in addresses[:-1]:
        try:
            # A network without a way to one kind of addresses shall cost seconds, not the try.
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
    timeout = httpx.Timeout(None, connect=connect_s)  # `_post` ends the rest
    async with (
        httpx.AsyncClient(verify=_make_ssl_context(), trust_env=False, timeout=timeout) as client,
        client.stream(
            "POST",
            f"{target.scheme}://{host}:{target.port}/",
            # Nothing is unpacked: a small answer stays small.
            headers={**headers, "Host": target.host_header, "Accept-Encoding": "identity"},
            content=content,
            # The path as it was given; and the name that the certificate must have.
            extensions={"target": target.path.encode(), "sni_hostname": target.host},
        ) as response,
    ):
        return DeliveryResponse(
            status=response.status_code,
            body_excerpt=await _read_excerpt(response),
            retry_after_s=_parse_retry_after_s(response.headers.get("retry-after", "")),
        )


async def _read_excerpt(response: httpx.Response) -> str:
    """Read the beginning of the body, as far as it comes; the status is what counts."""
    read = bytearray()
    try:
        async with asyncio.timeout(_READ_WITHIN_S):
            async for chunk in response.aiter_raw():
                read += chunk
                if len(read) >= _READ_BYTES:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    return bytes(read[:_READ_BYTES]).decode(errors="replace")


def _parse_retry_after_s(value: str) -> float:
    """Read the header: seconds, or a date (RFC 9110, section 10.2.3); 0 if it cannot be read."""
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0
