"""Claim: a thousand clients that wait for their jobs cost next to nothing."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import psutil
from redis import Redis

from benchmarks.load_generator import Latencies, load
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack

CLIENTS = 1000
JOBS = 100
ROUNDS = 3
#: How long nobody does anything but wait.
IDLE_S = 10.0
IN_FLIGHT = 20
STARTS = 1000


@dataclass(frozen=True)
class Cost:
    """What a round took."""

    cpu_percent: float
    memory_mb: float
    commands_per_s: float
    start: Latencies

    def __str__(self) -> str:
        """Show it as one line."""
        return (
            f"CPU {self.cpu_percent:4.1f} %   memory {self.memory_mb:5.1f} MiB   "
            f"Redis {self.commands_per_s:5.1f} commands/s   "
            f"start p50 {self.start.p50:5.1f} ms  p99 {self.start.p99:5.1f} ms"
        )


def run() -> None:
    """Measure the API without and with waiting clients, in turn, and print each round."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # one for each client
    print(f"{CLIENTS} clients that wait for {JOBS} jobs; then starts, {IN_FLIGHT} in flight:")
    with Stack() as stack:
        redis = stack.redis()
        api = stack.api()
        start = "/api/v1/tubehunt/scrape-channels/start"
        with httpx.Client(base_url=api.url) as client:
            results = [client.post(start).json()["result_url"] for _ in range(JOBS)]
        for number in range(1, ROUNDS + 1):
            print(f"  round {number}: nobody waits  {_measure(redis, api)}")
            with _waiting(api.url, [results[n % JOBS] for n in range(CLIENTS)]):
                print(f"           {CLIENTS} wait     {_measure(redis, api)}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _waiting(url: str, paths: list[str]) -> Iterator[None]:
    """Have a client for each path that waits for a minute; none is answered in the block."""
    address = urlsplit(url)
    with ExitStack() as connections:
        for path in paths:
            client = socket.create_connection((str(address.hostname), address.port or 80))
            connections.enter_context(closing(client))
            request = f"GET {path}?wait=60 HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
            client.sendall(request.encode())
        yield


def _measure(redis: Process, api: Process) -> Cost:
    process = psutil.Process(api.pid)
    with Redis.from_url(redis.url) as connection:
        _settle(connection)
        before, began = process.cpu_times(), time.perf_counter()
        commands = _commands(connection)
        threading.Event().wait(IDLE_S)
        took_s, after = time.perf_counter() - began, process.cpu_times()
        # Less the question itself.
        commands = _commands(connection) - commands - 1
    memory_mb = process.memory_info().rss / 1024 / 1024
    cpu_s = after.user + after.system - before.user - before.system
    url = f"{api.url}/api/v1/tubehunt/scrape-channels/start"
    start = load(url, method="POST", in_flight=IN_FLIGHT, requests=STARTS)
    return Cost(100 * cpu_s / took_s, memory_mb, commands / took_s, start)


def _commands(connection: Redis) -> int:
    return int(connection.info("stats")["total_commands_processed"])


def _settle(connection: Redis) -> None:
    """Return once what came before is over: Redis hears next to nothing for a second."""
    pause, last = threading.Event(), _commands(connection)
    while True:
        pause.wait(1)
        now = _commands(connection)
        if now - last <= 5:
            return
        last = now
