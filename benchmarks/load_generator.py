"""A load of HTTP requests from as many clients as shall be in flight, cheap enough for one core."""

import asyncio
import time
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Latencies:
    """How long requests took, in ms."""

    p50: float
    p99: float
    per_second: float


def load(url: str, *, method: str, in_flight: int, requests: int) -> Latencies:
    """Send requests, each client its next one as soon as the last is answered.

    Args:
        url: Where to.
        method: GET, or POST with an empty body.
        in_flight: How many clients there are, each with one connection kept open.
        requests: How many are sent in all.

    Raises:
        RuntimeError: An answer was no success.
    """
    return asyncio.run(_load(url, method, in_flight, requests))


async def _load(url: str, method: str, in_flight: int, requests: int) -> Latencies:
    took_ms: list[float] = []
    each = requests // in_flight
    began = time.perf_counter()
    await asyncio.gather(*(_client(url, method, each, took_ms) for _ in range(in_flight)))
    ran_s = time.perf_counter() - began
    hundredths = quantiles(took_ms, n=100)
    return Latencies(hundredths[49], hundredths[98], len(took_ms) / ran_s)


async def _client(url: str, method: str, requests: int, took_ms: list[float]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"{method} {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    request = f"{head}Content-Length: 0\r\n\r\n".encode()
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = answer.lower().split(b"content-length:")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        took_ms.append((time.perf_counter() - began) * 1000)
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            raise RuntimeError(answer.decode())
    writer.close()
    await writer.wait_closed()
