"""Redis clients for workers: one that waits out an outage, one that fails at once."""

from collections.abc import Callable
from socket import socket
from typing import Any, TypeVar

from redis import Redis, SSLConnection, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection

from jobs.redis.url import RedisUrl

_T = TypeVar("_T")

#: Errors while Redis is away.
UNAVAILABLE_ERRORS = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    # Full, or a replica that is about to be promoted: as temporary as an outage.
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
)

#: Temporary refusals of writes for which redis-py has no class: too few replicas, or a disk that
#: cannot be written.
_REFUSALS = ("NOREPLICAS", "MISCONF")


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


class _MasterConnection(SentinelManagedConnection):
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
    options |= url.connection_options | {"decode_responses": True}
    client: Redis
    if url.master_name:
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py has no types for it
            url.hosts, sentinel_kwargs=url.sentinel_options
        ).master_for(
            url.master_name,
            connection_class=_MasterTlsConnection if url.tls else _MasterConnection,
            **options,
        )
    else:
        [(host, port)] = url.hosts
        client = Redis(host=host, port=port, ssl=bool(url.tls), **options)
    return client
