"""Claim: a thousand clients that wait for their jobs cost almost nothing."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
from redis import Redis

from benchmarks.jobs import START_PATH, start_job
from benchmarks.load_generator import Latencies, load
from garimpo.client.client import Client
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack

CLIENTS = 1000
JOBS = 100
ROUNDS = 3
#: How long the idle API is measured.
IDLE_S = 10.0
IN_FLIGHT = 20
STARTS = 1000


@dataclass(frozen=True)
class Cost:
    """CPU, memory, Redis commands and start latency of a round."""

    cpu_percent: float
    memory_mb: float
    commands_per_s: float
    start: Latencies

    def __str__(self) -> str:
        """Format it as one line."""
        return (
            f"CPU {self.cpu_percent:4.1f} %   memory {self.memory_mb:5.1f} MiB   "
            f"Redis {self.commands_per_s:5.1f} commands/s   "
            f"start p50 {self.start.p50:5.1f} ms  p99 {self.start.p99:5.1f} ms"
        )


def run() -> None:
    """Measure the API alternately without and with waiting clients; print each round."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a socket for each client
    print(f"{CLIENTS} clients waiting for {JOBS} jobs, then starts with {IN_FLIGHT} in flight:")
    with Stack() as stack:
        redis = stack.redis()
        api = stack.api()
        with Client(api.url) as client:
            paths = [start_job(client).make_path("result") for _ in range(JOBS)]
        for number in range(1, ROUNDS + 1):
            print(f"  round {number}: no clients    {_measure(redis, api)}")
            with _waiting_clients(api.url, [paths[n % JOBS] for n in range(CLIENTS)]):
                print(f"           {CLIENTS} clients  {_measure(redis, api)}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _waiting_clients(url: str, paths: list[str]) -> Iterator[None]:
    """Open a client for each path, which waits for up to a minute, until the block ends."""
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
        _wait_until_idle(connection)
        cpu_before = process.cpu_times()
        started_at = time.perf_counter()
        commands_before = _count_commands(connection)
        threading.Event().wait(IDLE_S)
        duration_s = time.perf_counter() - started_at
        cpu_after = process.cpu_times()
        # Minus one for the INFO command of the count itself.
        commands = _count_commands(connection) - commands_before - 1
    memory_mb = process.memory_info().rss / 1024 / 1024
    cpu_s = cpu_after.user + cpu_after.system - cpu_before.user - cpu_before.system
    start = load(f"{api.url}{START_PATH}", method="POST", in_flight=IN_FLIGHT, requests=STARTS)
    return Cost(100 * cpu_s / duration_s, memory_mb, commands / duration_s, start)


def _count_commands(connection: Redis) -> int:
    return int(connection.info("stats")["total_commands_processed"])


def _wait_until_idle(connection: Redis) -> None:
    """Wait until Redis receives at most five commands per second."""
    never = threading.Event()
    previous = _count_commands(connection)
    while True:
        never.wait(1)
        current = _count_commands(connection)
        if current - previous <= 5:
            return
        previous = current
