"""The Celery app of every program, with the reason for each setting."""

from datetime import timedelta

from celery import Celery
from kombu import Queue
from kombu.utils.url import as_url

from jobs.model.lease_policy import LeasePolicy
from jobs.redis import checked_transport as _checked_transport  # noqa: F401 - registers itself
from jobs.redis import keys
from jobs.redis.url import RedisUrl

#: Longer than kombu's BRPOP (1 s), also on a busy machine.
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
        redis_url: REDIS_URL, of the broker and the result backend.
        result_ttl: How long a result can be read after the end of its job.
        lease_policy: Lease times; only workers need them.
        max_job_s: The maximum duration of a job; only workers need it.

    Raises:
        RedisUrlError: The URL is invalid.
    """
    redis = RedisUrl.parse(redis_url)
    lease_policy = lease_policy or LeasePolicy()
    app = Celery("garimpo", set_as_current=False)
    app.conf.update(
        broker_url=_broker_url(redis),
        # kombu's default is to verify no certificate; Flower reads this setting too.
        broker_use_ssl=dict(redis.tls) or False,
        result_backend="jobs.result_backend.FencedRedisBackend",
        garimpo_redis=redis,
        garimpo_lease_policy=lease_policy,
        # A scrape takes minutes: no worker reserves a job while it runs another one.
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        # Time limits need processes. Children are replaced after a while, because Python returns
        # little of the memory that the largest result needed.
        worker_pool="prefork",
        worker_max_tasks_per_child=50,
        # On a busy machine a child may need longer to start than the default of 4 s, and so would
        # its replacement.
        worker_proc_alive_timeout=30,
        task_queues=[Queue(keys.JOB_QUEUE), Queue(keys.WEBHOOK_QUEUE)],
        task_default_queue=keys.JOB_QUEUE,
        # The message is acknowledged when the job has ended, and redelivered if the child dies.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # On shutdown the job is released at once: another worker continues after its last page.
        worker_soft_shutdown_timeout=0,
        # The claim writes the first state; STARTED would bypass the record.
        task_track_started=False,
        # JSON only: with pickle, everyone who can write to Redis could run code.
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        # The request is stored in the record only.
        result_extended=False,
        result_expires=result_ttl,  # a setting; Celery's default is a day, too
        # Flower needs the workers' events.
        worker_send_task_events=True,
        # A running scrape outlives an outage of Redis, and is not run a second time.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # A Redis that is full or read-only refuses commands instead of closing the connection:
        # without this a worker ends at the first such reply.
        broker_channel_error_retry=True,
        # However long Redis is away, also at start-up. Celery's default is 100 attempts.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # kombu redelivers messages that are not acknowledged within this time: never while
            # the job may still run or wait in a worker. Lost messages are the reconciler's task.
            "visibility_timeout": max(3600, 2 * max_job_s),
            # Of a worker's queues the first by name goes first: no part of a running job goes
            # before a waiting job (`keys.PART_QUEUE`).
            "queue_order_strategy": "sorted",
            # The kernel detects a dead peer on an idle connection.
            "socket_keepalive": True,
            # A Redis that is up accepts at once; the default is to wait for minutes.
            "socket_connect_timeout": 5,
            # Without it a dead link is never detected. After two leases the worker has lost its
            # jobs anyway; an ordinary restart or failover of Redis takes less.
            "socket_timeout": max(_MIN_SOCKET_TIMEOUT_S, 2 * lease_policy.lease.total_seconds()),
            # A connection that was idle for longer is tested before use.
            "health_check_interval": 25,
            **_sentinel_options(redis),
        },
        # All times are UTC.
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _broker_url(redis_url: RedisUrl) -> str:
    """Return the URL as kombu expects it: with all parameters for each Sentinel."""
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
        # A master that hangs is replaced within seconds, and each of kombu's connections waits for
        # the old one separately.
        "socket_timeout": 5,
        "health_check_interval": 10,
    }
