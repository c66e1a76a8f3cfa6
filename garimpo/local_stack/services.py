"""Definitions of the services: command line, environment and readiness check of each.

The functions only create a Process (see process.py); `stack.py` starts it.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from redis import RedisError

from demo.account import Account
from garimpo.local_stack.process import Process
from garimpo.local_stack.system import find_free_port
from jobs.redis.sync_client import connect_without_retries
from jobs.redis.url import RedisUrl
from scraper.credentials import variable_prefix

#: Site of the bundled recipe that the demo site imitates.
DEMO_SITE: Final = "tubehunt"


@dataclass(frozen=True)
class ProcessContext:
    """Folders and environment of a stack's processes."""

    #: Folder for logs and data.
    folder: Path
    #: Working folder of the processes, whose `.env` they read.
    cwd: Path
    #: Complete environment of the processes.
    environment: Mapping[str, str]


def make_redis(
    context: ProcessContext, port: int | None = None, data: Path | None = None
) -> Process:
    """Return a Redis that writes to disk before it acknowledges a command.

    Args:
        context: Its folders and environment.
        port: Its port; by default a free one.
        data: Folder of its append-only file; by default one in the stack's folder.
    """
    port = port or find_free_port()
    data = data or context.folder / "redis"
    data.mkdir(parents=True, exist_ok=True)
    listen = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(data.resolve())]
    durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
    # Without it, a full Redis would evict jobs instead of rejecting writes.
    durable += ["--maxmemory-policy", "noeviction"]
    url = f"redis://127.0.0.1:{port}/0"
    return _make(
        context,
        "redis",
        ["redis-server", *listen, *durable],
        url=url,
        is_ready=lambda _: has_redis(url),
    )


def make_site(
    context: ProcessContext, port: int | None = None, flags: Sequence[str] = ()
) -> Process:
    """Return the demo site.

    Args:
        context: Its folders and environment.
        port: Its port; by default a free one.
        flags: Options of `python -m demo`, such as `--bad-day`.
    """
    port = port or find_free_port()
    url = f"http://127.0.0.1:{port}"
    argv = _python("demo", "--port", str(port), *flags)
    return _make(
        context, "site", argv, url=url, is_ready=lambda _: _is_healthy(f"{url}/_demo/health")
    )


def make_api(context: ProcessContext, port: int | None = None) -> Process:
    """Return the API; it is ready as soon as it responds, with or without Redis."""
    port = port or find_free_port()
    url = f"http://127.0.0.1:{port}"
    argv = _python("api", "--port", str(port))
    return _make(context, "api", argv, url=url, is_ready=lambda _: _is_healthy(f"{url}/api/live"))


def make_worker(context: ProcessContext, name: str = "worker", queues: str = "") -> Process:
    """Return a worker.

    Args:
        context: Its folders and environment.
        name: Its name, which must be unique in a stack.
        queues: Queues that it consumes, separated by commas; by default all.
    """
    queue_flags = ["--queues", queues] if queues else []
    return _make_celery(context, name, "worker.app", "--concurrency", "1", *queue_flags)


def make_webhook_sender(context: ProcessContext) -> Process:
    """Return the worker that only sends webhooks."""
    return _make_celery(context, "callbacks", "worker.webhooks.app")


def _make_celery(context: ProcessContext, name: str, app: str, *flags: str) -> Process:
    hostname = ["--hostname", f"{name}@%h"]
    # Workers do not need each other's state, and mingle adds a second to each start.
    no_sync = ["--without-mingle", "--without-gossip"]
    return _make(
        context,
        name,
        _python("celery", "-A", app, "worker", *flags, *hostname, *no_sync),
        # On SIGTERM Celery would wait for the running job; it reads this before loading our code.
        extra={"REMAP_SIGTERM": "SIGQUIT"},
        is_ready=lambda process: " ready." in process.read_log(),
    )


def make_flower(context: ProcessContext, port: int | None = None) -> Process:
    """Return Flower, which monitors the workers."""
    port = port or find_free_port()
    url = f"http://127.0.0.1:{port}"
    listen = [f"--port={port}", "--address=127.0.0.1"]
    argv = _python("celery", "-A", "jobs.queue", "flower", *listen)
    return _make(
        context, "flower", argv, url=url, is_ready=lambda _: _is_healthy(f"{url}/healthcheck")
    )


def make_site_settings(site: Process) -> dict[str, str]:
    """Return the environment variables with which a worker scrapes the demo site."""
    prefix = variable_prefix(DEMO_SITE)
    account = Account()
    return {
        f"{prefix}BASE_URL": site.url,
        f"{prefix}USERNAME": account.email,
        f"{prefix}PASSWORD": account.password,
    }


def has_redis(url: str) -> bool:
    """Return whether a Redis answers at this URL."""
    try:
        with connect_without_retries(RedisUrl.parse(url)) as redis:
            return bool(redis.ping())
    except (RedisError, ValueError):  # ValueError: the URL is invalid
        return False


def _make(  # noqa: PLR0913 - the settings that differ between services
    context: ProcessContext,
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
        {**context.environment, **(extra or {})},
        cwd=context.cwd,
        log=context.folder / f"{name}.log",
        url=url,
        is_ready=is_ready,
    )


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _is_healthy(url: str) -> bool:
    try:
        # A proxy set in the environment cannot reach this machine's loopback interface.
        return httpx.get(url, timeout=2, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
