"""The Celery app of every program, with each setting's reason beside it."""

from datetime import timedelta

from celery import Celery
from kombu import Queue
from kombu.utils.url import as_url

from jobs.model.lease_policy import LeasePolicy
from jobs.redis import keys
from jobs.redis.url import RedisUrl

#: Longer than kombu's BRPOP (1 s), and than a busy machine may take for it.
_MIN_SOCKET_TIMEOUT_S = 5


def make_celery(
    redis_url: str,
    *,
    result_ttl: timedelta,
    lease_policy: LeasePolicy | None = None,
    max_job_s: int = 0,
) -> Celery:
    """Build the app; nothing is connected yet.

    Args:
        redis_url: The broker, and where results are kept; as `Address.parse` reads it.
        result_ttl: How long a result can be read after its job's end.
        lease_policy: The times of leases; only workers need them.
        max_job_s: The longest that a job can take; only workers need it.

    Raises:
        AddressError: `redis_url` is no address.
    """
    redis, lease_policy = RedisUrl.parse(redis_url), lease_policy or LeasePolicy()
    app = Celery("garimpo", set_as_current=False)
    app.conf.update(
        broker_url=_broker_url(redis),
        # kombu's own default is to check no certificate; and Flower takes it from here.
        broker_use_ssl=dict(redis.tls) or False,
        result_backend="jobs.result_backend.FencedRedisBackend",
        garimpo_redis=redis,
        garimpo_lease_policy=lease_policy,
        # One scrape keeps a browser busy for minutes: no job waits behind another one.
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        # Time limits need processes; and each child makes room after a while: Python gives back
        # little of what the largest result took.
        worker_pool="prefork",
        worker_max_tasks_per_child=50,
        # On a busy machine a child may take longer to start than the usual 4 s, and so would the
        # one that is started in its place.
        worker_proc_alive_timeout=30,
        task_queues=[Queue(keys.JOB_QUEUE), Queue(keys.WEBHOOK_QUEUE)],
        task_default_queue=keys.JOB_QUEUE,
        # The message is given up only when the job has ended, and comes back if the child dies.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # A stop hands the job over at once: another worker goes on from its last page meanwhile.
        worker_soft_shutdown_timeout=0,
        # The claim writes the first state; STARTED would go past the record.
        task_track_started=False,
        # JSON alone: whoever can write to Redis could run code through pickle.
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        # What a job was asked for stands in its record, once.
        result_extended=False,
        result_expires=result_ttl,  # Celery's default is a day as well; ops may want another
        # Flower lives on the workers' events.
        worker_send_task_events=True,
        # Redis comes and goes; a running scrape outlives it, and is not run a second time.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # A Redis that is full, or a replica for the moment, refuses instead of hanging up: without
        # this a worker ends at the first such reply.
        broker_channel_error_retry=True,
        # However long Redis is away, also at the start. Celery's default gives up after 100 times.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # kombu delivers a message again that is not acknowledged for so long: never while its
            # job may run, or wait in a worker for the one before it. It would find nothing to run;
            # what is lost the reconciler puts back, long before.
            "visibility_timeout": max(3600, 2 * max_job_s),
            # The kernel notices a peer that is gone while nothing is said.
            "socket_keepalive": True,
            # A Redis that is there answers at once; the default is to wait for minutes.
            "socket_connect_timeout": 5,
            # Without it a dead link is never noticed. After two leases all that the worker had is
            # another's; an ordinary restart or failover of Redis takes less.
            "socket_timeout": max(_MIN_SOCKET_TIMEOUT_S, 2 * lease_policy.lease.total_seconds()),
            # A connection that was silent for longer is tried before it is used.
            "health_check_interval": 25,
            **_sentinel_options(redis),
        },
        # Every time that anybody sees is UTC.
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _broker_url(redis_url: RedisUrl) -> str:
    """Return the address as kombu reads it: each Sentinel with all that there is to know."""
    return ";".join(
        as_url(
            redis_url.scheme,
            host,
            port,
            redis_url.username,
            redis_url.password,
            path=str(redis_url.db),
        )
        for host, port in redis_url.hosts
    )


def _sentinel_options(redis_url: RedisUrl) -> dict[str, object]:
    if not redis_url.master_name:
        return {}
    return {
        "master_name": redis_url.master_name,
        "sentinel_kwargs": redis_url.sentinel_options,
        # A master that hangs has a successor within seconds; and each of kombu's connections waits
        # for the old one by itself.
        "socket_timeout": 5,
        "health_check_interval": 10,
    }
