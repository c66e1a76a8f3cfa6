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

#: What is raised while Redis is away.
UNAVAILABLE_ERRORS = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    # Full, or a replica that is about to be promoted: as passing as an outage.
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
)

#: What a Redis says that takes no writes for the moment, in words that redis-py has no class for:
#: it has too few replicas, or cannot write to its disk.
_REFUSALS = ("NOREPLICAS", "MISCONF")


class _PatientRetry(Retry):
    """Waits for a Redis that refuses as for one that is away."""

    def call_with_retry(self, do: Callable[[], _T], *args: Any, **kwargs: Any) -> _T:
        def tried() -> _T:
            try:
                return do()
            except exceptions.ResponseError as error:
                if str(error).startswith(_REFUSALS):
                    raise exceptions.ReadOnlyError(*error.args) from error
                raise

        return super().call_with_retry(tried, *args, **kwargs)


class _MasterConnection(SentinelManagedConnection):
    """Asks the Sentinels before every attempt.

    redis-py's own asks them once for each command: what is repeated goes to the old master again
    and again (redis/redis-py#3874).
    """

    def _connect(self) -> socket:
        self.host, self.port = self.connection_pool.get_master_address()
        sock: socket = super()._connect()  # type: ignore[no-untyped-call] # redis-py has none
        return sock


class _MasterTlsConnection(_MasterConnection, SSLConnection):
    """The same over TLS."""


def connect_patient(address: RedisUrl) -> Redis:
    """Open a worker's connection pool; nothing is sent yet.

    Args:
        address: Redis'. Every command is repeated for four minutes and more while Redis is away
            (a restart, a failover), so that a scrape outlives it; all scripts bear repeating.
    """
    return _open(
        address,
        socket_connect_timeout=5,
        socket_timeout=5,
        # Of a link that died in silence, during a page, the next command is to know.
        socket_keepalive=True,
        health_check_interval=30,
        retry=_PatientRetry(ExponentialBackoff(cap=2, base=0.05), 120),
        retry_on_error=list(UNAVAILABLE_ERRORS),
    )


def connect_impatient(url: RedisUrl) -> Redis:
    """Open a connection pool whose calls fail at once while Redis is away.

    Args:
        url: Redis'. For what is said again in seconds, by an event loop or a thread that must
            not wait for it.
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
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py gives it no types
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
