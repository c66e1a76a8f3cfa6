"""The Celery app of every program, with each setting's reason beside it."""

from datetime import timedelta

from celery import Celery
from kombu import Queue

from jobs import keys
from jobs.leasing import Leasing

#: Longer than any outage that Redis has in an ordinary restart or failover.
_BROKER_TIMEOUT_S = 30


def make_celery(
    redis_url: str,
    *,
    result_ttl: timedelta,
    leasing: Leasing | None = None,
    longest_job_s: int = 0,
) -> Celery:
    """Build the app; nothing is connected yet.

    Args:
        redis_url: The broker, and where results are kept.
        result_ttl: How long a result can be read after its job's end.
        leasing: The times of leases; only workers need them.
        longest_job_s: The longest that a job can take; only workers need it.
    """
    app = Celery("garimpo", set_as_current=False)
    app.conf.update(
        broker_url=redis_url,
        result_backend=f"jobs.backend.FencedRedisBackend+{redis_url}",
        garimpo_leasing=leasing or Leasing(),
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
        task_queues=[Queue(keys.QUEUE)],
        task_default_queue=keys.QUEUE,
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
        result_extended=False,
        result_expires=result_ttl,
        # Flower lives on the workers' events.
        worker_send_task_events=True,
        # Redis comes and goes; a running scrape outlives it, and is not run a second time.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # A Redis that is full, or a replica for the moment, refuses instead of hanging up: without
        # this a worker ends at the first such reply.
        broker_channel_error_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # kombu delivers a message again that is not acknowledged for so long: never while its
            # job may run, or wait in a worker for the one before it. It would find nothing to run;
            # what is lost the reconciler puts back, long before.
            "visibility_timeout": max(3600, 2 * longest_job_s),
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            # Must be longer than kombu's BRPOP (1 s); without it a dead link is never noticed.
            "socket_timeout": _BROKER_TIMEOUT_S,
            "health_check_interval": 25,
        },
        enable_utc=True,
        timezone="UTC",
    )
    return app
