"""HTTP load generator with concurrent clients, cheap enough for one core."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Latencies:
    """Response times in ms, and the throughput."""

    p50: float
    p99: float
    per_second: float


#: The longest response that can be read.
_MAX_RESPONSE = 2**24


def load(
    url: str,
    *,
    method: str,
    in_flight: int,
    requests: int,
    headers: Mapping[str, str] | None = None,
) -> Latencies:
    """Send requests from several clients, each of which waits for a response before the next.

    Args:
        url: Address to request.
        method: GET, or POST with an empty body.
        in_flight: Number of clients, each with a persistent connection.
        requests: Number of requests of all clients together.
        headers: Further headers.

    Raises:
        RuntimeError: A response had another status than 200 or 202.
    """
    return asyncio.run(_load(url, _make_request(url, method, headers or {}), in_flight, requests))


def _make_request(url: str, method: str, headers: Mapping[str, str]) -> bytes:
    address = urlsplit(url)
    lines = [
        f"{method} {address.path} HTTP/1.1",
        f"Host: {address.netloc}",
        "Content-Length: 0",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _load(url: str, request: bytes, in_flight: int, requests: int) -> Latencies:
    durations_ms: list[float] = []
    per_client = requests // in_flight
    started_at = time.perf_counter()
    await asyncio.gather(
        *(_client(url, request, per_client, durations_ms) for _ in range(in_flight))
    )
    total_s = time.perf_counter() - started_at
    percentiles = quantiles(durations_ms, n=100)
    return Latencies(percentiles[49], percentiles[98], len(durations_ms) / total_s)


async def _client(url: str, request: bytes, requests: int, durations_ms: list[float]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        address.hostname, address.port, limit=_MAX_RESPONSE
    )
    for _ in range(requests):
        started_at = time.perf_counter()
        writer.write(request)
        response = await reader.readuntil(b"\r\n\r\n")
        _, _, length = response.lower().partition(b"content-length:")
        if length:
            await reader.readexactly(int(length.partition(b"\r\n")[0]))
        else:  # chunked
            await reader.readuntil(b"\r\n0\r\n\r\n")
        durations_ms.append((time.perf_counter() - started_at) * 1000)
        if not response.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            raise RuntimeError(response.decode())
    writer.close()
    await writer.wait_closed()
