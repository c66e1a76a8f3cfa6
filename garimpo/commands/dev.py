"""`garimpo dev`: the whole stack on this machine, kept running until Ctrl-C."""

import threading
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from demo.account import Account
from garimpo.local_stack.errors import StackError
from garimpo.local_stack.services import has_redis
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import exit_on_signals, lock_folder, require_free
from garimpo.settings import Settings
from jobs.redis import keys

#: Redis' data, so that jobs survive a restart, and the logs.
_FOLDER = Path(".garimpo")
_POLL_S = 0.5


class DevSettingsError(StackError):
    """The settings do not say which site to use, or which Redis."""


@dataclass(frozen=True)
class Ports:
    """Where the services listen."""

    api: int = 8000
    flower: int = 5555
    site: int = 8090


def run_dev(settings: Settings, ports: Ports) -> None:
    """Run the stack until Ctrl-C.

    With a site in the settings it is used, and with its user name and password alone the real
    one that the recipe names; otherwise the stand-in site is started.

    Raises:
        StackError: it could not be started, or a service has died; the text says which and why.
    """
    console = Console(highlight=False, soft_wrap=True)
    stand_in = wants_stand_in(settings)
    with exit_on_signals(), lock_folder(_FOLDER), Stack(_FOLDER, project=Path.cwd()) as stack:
        _require_room(settings, ports, stand_in=stand_in)
        console.print("Starting ...")
        _start(stack, settings, ports, stand_in=stand_in)
        stack.wait_ready()
        for line in _list_addresses(settings, ports, stack, stand_in=stand_in):
            console.print(line)
        try:
            _watch(stack)
        except KeyboardInterrupt:
            console.print("\nStopping; a service may take up to 10 s to end ...")


def _require_room(settings: Settings, ports: Ports, *, stand_in: bool) -> None:
    """Raise a StackError if a port is taken, or the Redis of the settings is not there."""
    require_free(ports.api, "the API", "--api-port")
    require_free(ports.flower, "Flower", "--flower-port")
    if stand_in:
        require_free(ports.site, "the stand-in site", "--site-port")
    if settings.redis_url and not has_redis(settings.redis_url):
        message = "No Redis answers at REDIS_URL: start it, or unset REDIS_URL to get one of ours."
        raise DevSettingsError(message)


def wants_stand_in(settings: Settings) -> bool:
    """Whether the settings name neither a site nor an account; raises DevSettingsError."""
    has_user, has_password = settings.tubehunt_username, settings.tubehunt_password
    if bool(has_user) != bool(has_password):
        missing = "TUBEHUNT_PASSWORD" if has_user else "TUBEHUNT_USERNAME"
        message = (
            f"{missing} is not set: set both for the real site, or neither for the stand-in site."
        )
        raise DevSettingsError(message)
    return not (settings.tubehunt_base_url or has_user)


def _start(stack: Stack, settings: Settings, ports: Ports, *, stand_in: bool) -> None:
    if not settings.redis_url:
        stack.redis()
    if stand_in:
        stack.site(port=ports.site, wait=False)
    stack.api(port=ports.api, wait=False)
    stack.worker(queues=keys.JOB_QUEUE, wait=False)
    stack.webhook_sender(wait=False)
    stack.flower(port=ports.flower, wait=False)


def _list_addresses(settings: Settings, ports: Ports, stack: Stack, *, stand_in: bool) -> list[str]:
    api = f"http://127.0.0.1:{ports.api}"
    site = f"http://127.0.0.1:{ports.site}  ({Account().email} / {Account().password})"
    if not stand_in:
        site = (
            settings.tubehunt_base_url
            or "the real one, as TUBEHUNT_USERNAME (no TUBEHUNT_BASE_URL is set)"
        )
    redis = stack.settings.get("REDIS_URL", "REDIS_URL as set")
    return [
        f"API     {api}  (its pages: {api}/docs)",
        f"Flower  http://127.0.0.1:{ports.flower}",
        f"Site    {site}",
        f"Redis   {redis}",
        f"Logs    {stack.folder}/*.log",
        "Ready. Ctrl-C ends it.",
    ]


def _watch(stack: Stack) -> None:
    nothing = threading.Event()
    while True:
        nothing.wait(_POLL_S)
        stack.check()
