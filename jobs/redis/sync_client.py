"""Redis clients for workers: one that waits out an outage, one that fails at once."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from socket import socket
from typing import Any, TypeVar

from redis import Connection, ConnectionPool, Redis, SSLConnection, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.commands.core import Script
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection

from jobs.redis.url import RedisUrl

_T = TypeVar("_T")

#: How often a script is loaded in a row: a failover takes two.
MAX_SCRIPT_LOADS = 5

#: A line that is slower than this takes a page for a failure.
_SLOWEST_BYTES_PER_S = 10_000

#: Errors while Redis is away.
UNAVAILABLE_ERRORS = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    # Full, or a replica that is about to be promoted: as temporary as an outage.
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
)

#: Temporary refusals for which redis-py has no class: too few replicas, a disk that cannot be
#: written, a script of another program that does not end.
_REFUSALS = ("NOREPLICAS ", "MISCONF ", "BUSY ")

#: How Redis 6 reports the error of a command that a script has called; its code follows.
_SCRIPT_ERROR = re.compile(
    r"(?:ERR )?Error running script \(call to \w+\): (?:@user_script: ?\d+: )+-?"
    r"(?P<code>[A-Z]+) (?P<text>.*)",
    re.DOTALL,
)
#: redis-py's classes for temporary refusals, by code.
_REFUSAL_CLASSES: dict[str, type[exceptions.RedisError]] = {
    "READONLY": exceptions.ReadOnlyError,
    "OOM": exceptions.OutOfMemoryError,
    "MASTERDOWN": exceptions.MasterDownError,
    "LOADING": exceptions.BusyLoadingError,
}


def unwrap_script_error(error: exceptions.RedisError) -> exceptions.RedisError:
    """Return a temporary refusal as Redis 7 reports it, and any other error as it is.

    Redis 6 hides the refusal of a script's command in the text of an error about the script.
    """
    if not (found := _SCRIPT_ERROR.fullmatch(str(error))):
        return error
    if refusal := _REFUSAL_CLASSES.get(found["code"]):
        return refusal(found["text"])
    text = f"{found['code']} {found['text']}"
    return exceptions.ResponseError(text) if text.startswith(_REFUSALS) else error


def is_outage(error: exceptions.RedisError) -> bool:
    """Return whether Redis is away or refuses for a while; else the error is about the data."""
    error = unwrap_script_error(error)
    return isinstance(error, UNAVAILABLE_ERRORS) or str(error).startswith(_REFUSALS)


class _RetriedScript(Script):
    """A script that is loaded again if it is missing once more.

    During a failover redis-py may load it into the old master, and then call it at the new one.
    """

    def __call__(
        self,
        keys: Sequence[Any] | None = None,
        args: Iterable[Any] | None = None,
        client: Any = None,
    ) -> Any:
        """Call the script."""
        arguments = list(args or ())
        for _ in range(MAX_SCRIPT_LOADS):
            with suppress(exceptions.NoScriptError):
                return super().__call__(keys, arguments, client)
        message = "Redis loses its scripts again and again"
        raise exceptions.ConnectionError(message)


class _Client(Redis):
    def register_script(self, script: str | bytes | memoryview) -> Script:
        """Return a script for later calls."""
        return _RetriedScript(self, script)


class _OutageRetry(Retry):
    """Retries commands that Redis refuses temporarily, as if it were away."""

    def call_with_retry(self, do: Callable[[], _T], *args: Any, **kwargs: Any) -> _T:
        def attempt() -> _T:
            try:
                return do()
            except exceptions.ResponseError as error:
                if str(error).startswith(_REFUSALS):
                    raise exceptions.ReadOnlyError(*error.args) from error
                raise

        return super().call_with_retry(attempt, *args, **kwargs)


class _PatientConnection(Connection):
    """Gives a large command the time that it takes on a slow line; unwraps errors of scripts.

    The timeout is for a server that does not answer; much of a page may still be on its way to it,
    in the buffers of the kernel, when the wait for the answer begins.
    """

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read a reply; an error has the class that its code asks for."""
        try:
            return super().read_response(*args, **kwargs)
        except exceptions.ResponseError as error:
            if (refusal := unwrap_script_error(error)) is error:
                raise
            raise refusal from error

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        """Send a command; its timeout also holds for the answer."""
        if self._sock is None:
            self.connect_check_health(check_health=False)
        if check_health:
            # First, because it is a command with a timeout of its own.
            self.check_health()  # type: ignore[no-untyped-call] # redis-py has no types for it
        if self._sock is not None and self.socket_timeout is not None:
            parts = [command] if isinstance(command, str | bytes) else command
            size = sum(map(len, parts))
            self._sock.settimeout(self.socket_timeout + size / _SLOWEST_BYTES_PER_S)
        super().send_packed_command(  # type: ignore[no-untyped-call] # redis-py has no types for it
            command, check_health=False
        )


class _PatientTlsConnection(_PatientConnection, SSLConnection):
    """The same connection over TLS."""


class _MasterConnection(SentinelManagedConnection, _PatientConnection):
    """Asks the Sentinels for the master before every attempt.

    redis-py asks them once per command, so that retries go to the old master (redis/redis-py#3874).
    """

    def _connect(self) -> socket:
        self.host, self.port = self.connection_pool.get_master_address()
        sock: socket = super()._connect()  # type: ignore[no-untyped-call] # redis-py has no types for it
        return sock


class _MasterTlsConnection(_MasterConnection, SSLConnection):
    """The same connection over TLS."""


def connect_with_retries(url: RedisUrl) -> Redis:
    """Return a client that outlives a restart or failover of Redis; nothing is sent yet.

    Every command is retried for at least four minutes; all scripts are safe to repeat.

    Args:
        url: REDIS_URL.
    """
    return _open(
        url,
        socket_connect_timeout=5,
        socket_timeout=5,
        # Notices a connection that was lost silently while a page was read.
        socket_keepalive=True,
        health_check_interval=30,
        retry=_OutageRetry(ExponentialBackoff(cap=2, base=0.05), 120),
        retry_on_error=list(UNAVAILABLE_ERRORS),
    )


def connect_without_retries(url: RedisUrl) -> Redis:
    """Return a client whose commands fail at once while Redis is away.

    For commands that are repeated within seconds anyway, by an event loop or a thread that must not
    wait.

    Args:
        url: REDIS_URL.
    """
    return _open(
        url,
        socket_connect_timeout=2,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )


def _open(url: RedisUrl, **options: Any) -> Redis:
    # Bytes that are no UTF-8 are not ours: they must not fail all that is read with them.
    decoding = {"decode_responses": True, "encoding_errors": "replace"}
    options |= url.connection_options | decoding
    client: Redis
    if url.master_name:
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py has no types for it
            url.hosts, sentinel_kwargs=url.sentinel_options
        ).master_for(
            url.master_name,
            redis_class=_Client,
            connection_class=_MasterTlsConnection if url.tls else _MasterConnection,
            **options,
        )
    else:
        [(host, port)] = url.hosts
        pool = ConnectionPool(
            host=host,
            port=port,
            connection_class=_PatientTlsConnection if url.tls else _PatientConnection,
            **options,
        )
        client = _Client.from_pool(pool)
    return client
