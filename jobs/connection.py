"""The connection of everything that is not the API: it outlives an outage."""

from collections.abc import Callable
from socket import socket
from typing import Any, TypeVar

from redis import Redis, SSLConnection, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection

from jobs.address import Address

_T = TypeVar("_T")

#: What is raised while Redis is away.
AWAY = (
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


class _Patience(Retry):
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


class _ToMaster(SentinelManagedConnection):
    """Asks the Sentinels before every attempt.

    redis-py's own asks them once for each command: what is repeated goes to the old master again
    and again (redis/redis-py#3874).
    """

    def _connect(self) -> socket:
        self.host, self.port = self.connection_pool.get_master_address()
        sock: socket = super()._connect()  # type: ignore[no-untyped-call] # redis-py has none
        return sock


class _ToMasterOverTls(_ToMaster, SSLConnection):
    """The same over TLS."""


def connect(address: Address) -> Redis:
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
        retry=_Patience(ExponentialBackoff(cap=2, base=0.05), 120),
        retry_on_error=list(AWAY),
    )


def connect_impatient(address: Address) -> Redis:
    """Open a connection pool whose calls fail at once while Redis is away.

    Args:
        address: Redis'. For what is said again in seconds, by an event loop or a thread that must
            not wait for it.
    """
    return _open(
        address,
        socket_connect_timeout=2,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )


def _open(address: Address, **options: Any) -> Redis:
    options |= address.options | {"decode_responses": True}
    client: Redis
    if address.master:
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py gives it no types
            address.hosts, sentinel_kwargs=address.sentinel_options
        ).master_for(
            address.master,
            connection_class=_ToMasterOverTls if address.tls else _ToMaster,
            **options,
        )
    else:
        [(host, port)] = address.hosts
        client = Redis(host=host, port=port, ssl=bool(address.tls), **options)
    return client
