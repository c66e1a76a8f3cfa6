"""The product's services as processes: what each is started with, and when it is ready.

Each function only describes its process (see process.py); `stack.py` starts them.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from redis import RedisError

from demo.account import Account
from garimpo.local_stack.process import Process
from garimpo.local_stack.system import find_free_port
from jobs.redis.sync_client import connect_impatient
from jobs.redis.url import RedisUrl


@dataclass(frozen=True)
class ProcessContext:
    """Where a stack's processes run."""

    #: Log files and data go here.
    folder: Path
    #: The processes' working folder; its `.env` is read.
    cwd: Path
    #: The processes' whole environment.
    environment: Mapping[str, str]


def make_redis(place: ProcessContext, port: int | None = None, data: Path | None = None) -> Process:
    """Describe a Redis whose every answered write is on disk; `data` keeps them over a restart."""
    port = port or find_free_port()
    data = data or place.folder / "redis"
    data.mkdir(parents=True, exist_ok=True)
    listen = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(data.resolve())]
    durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    # A Redis that is full refuses; it must never make room by forgetting jobs.
    durable += ["--maxmemory-policy", "noeviction"]
    url = f"redis://127.0.0.1:{port}/0"
    return _make(
        place,
        "redis",
        ["redis-server", *listen, *durable],
        url=url,
        is_ready=lambda _: has_redis(url),
    )


def make_site(place: ProcessContext, port: int | None = None, flags: Sequence[str] = ()) -> Process:
    """Describe the stand-in site; `flags` are those of `python -m demo`, such as its bad days."""
    port = port or find_free_port()
    url = f"http://127.0.0.1:{port}"
    argv = _python("demo", "--port", str(port), *flags)
    return _make(place, "site", argv, url=url, is_ready=lambda _: _answers(f"{url}/_demo/health"))


def make_api(place: ProcessContext, port: int | None = None) -> Process:
    """Describe the API; it is ready as soon as it answers, with or without Redis."""
    port = port or find_free_port()
    url = f"http://127.0.0.1:{port}"
    where = ("--host", "127.0.0.1", "--port", str(port))
    argv = _python("uvicorn", "api.app:app", *where, "--timeout-graceful-shutdown", "8")
    return _make(place, "api", argv, url=url, is_ready=lambda _: _answers(f"{url}/api/live"))


def make_worker(place: ProcessContext, name: str = "worker", queues: str = "") -> Process:
    """Describe a worker; several in one stack need different names.

    Args:
        place: Where it runs.
        name: Its own.
        queues: The only ones that it takes from, with commas between them; by default all.
    """
    only = ["--queues", queues] if queues else []
    return _make_celery(place, name, "worker.app", "--concurrency", "1", *only)


def make_webhook_sender(place: ProcessContext) -> Process:
    """Describe the worker that only sends call backs."""
    return _make_celery(place, "callbacks", "worker.webhooks.app")


def _make_celery(place: ProcessContext, name: str, app: str, *flags: str) -> Process:
    usual = ["--hostname", f"{name}@%h"]
    # Mingle and gossip: talk between workers that nothing here needs, a second at each start.
    quiet = ["--without-mingle", "--without-gossip"]
    return _make(
        place,
        name,
        _python("celery", "-A", app, "worker", *flags, *usual, *quiet),
        # Celery reads it before any of our code: SIGTERM shall not wait for the running job.
        extra={"REMAP_SIGTERM": "SIGQUIT"},
        is_ready=lambda process: " ready." in process.read_log(),
    )


def make_flower(place: ProcessContext, port: int | None = None) -> Process:
    """Describe Flower, which watches the workers."""
    port = port or find_free_port()
    url = f"http://127.0.0.1:{port}"
    listen = [f"--port={port}", "--address=127.0.0.1"]
    argv = _python("celery", "-A", "jobs.queue", "flower", *listen)
    return _make(place, "flower", argv, url=url, is_ready=lambda _: _answers(f"{url}/healthcheck"))


def site_settings(site: Process) -> dict[str, str]:
    """Return the settings that point a worker at the stand-in site."""
    return {
        "TUBEHUNT_BASE_URL": site.url,
        "TUBEHUNT_USERNAME": Account().email,
        "TUBEHUNT_PASSWORD": Account().password,
    }


def has_redis(url: str) -> bool:
    """Whether a Redis answers there."""
    try:
        with connect_impatient(RedisUrl.parse(url)) as redis:
            return bool(redis.ping())
    except (RedisError, ValueError):  # ValueError: the address is none
        return False


def _make(  # noqa: PLR0913 - what differs from one service to the next
    place: ProcessContext,
    name: str,
    argv: list[str],
    *,
    is_ready: Callable[[Process], bool],
    url: str = "",
    extra: Mapping[str, str] | None = None,
) -> Process:
    return Process(
        name,
        argv,
        {**place.environment, **(extra or {})},
        cwd=place.cwd,
        log=place.folder / f"{name}.log",
        url=url,
        is_ready=is_ready,
    )


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _answers(url: str) -> bool:
    try:
        # Past any proxy: it is our own loopback interface.
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
