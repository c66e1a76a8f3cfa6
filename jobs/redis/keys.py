"""The keys of everything that Garimpo and Celery store in Redis.

The Lua scripts use these names too (`jobs.redis.lua`).
"""

#: Unfinished jobs: the id, by the time of the next check (ms): the end of the lease while the job
#: runs, the next check for its message while it waits.
ACTIVE = "garimpo:active"

#: Jobs that ended as `worker_lost`: the id, by the end (ms).
WORKER_LOST = "garimpo:given-up"

#: Jobs that ended a short time ago: the id, by the time of the next Celery event for Flower (ms).
UNPUBLISHED_ENDS = "garimpo:untold"

#: The lock of the worker that reconciles; the time of the last run (ms); exists while expired
#: leases are not revoked.
RECONCILER = "garimpo:reconciler"
LAST_RECONCILED = "garimpo:looked"
GRACE = "garimpo:grace"

#: Live workers: the name, by the expiry of the registration (ms).
WORKERS = "garimpo:workers"
#: The status of each worker, by its name.
WORKER_STATUS = "garimpo:workers:doing"

#: Counters since the installation, for metrics (`lua_scripts/prelude.lua`).
COUNTERS = "garimpo:counters"
#: Their field for the typical duration of a completed job (ms).
TYPICAL_DURATION = "pace_ms"

#: Sessions at a remote browser that no worker is left to end: the ids.
ABANDONED_SESSIONS = "garimpo:left-sessions"

#: Written to find out whether Redis accepts writes.
WRITE_PROBE = "garimpo:health"

#: The channel of changed jobs (`lua_scripts/prelude.lua`).
CHANGES_CHANNEL = "garimpo:changes"

#: The queue of scrapes. kombu stores a queue's messages in the list of the queue's name.
JOB_QUEUE = "jobs"

#: The queue of webhook deliveries.
WEBHOOK_QUEUE = "callbacks"
#: Deliveries that are neither delivered nor given up, as ID:EVENT: by the time of the next check
#: (ms), which is the next attempt or the end of the sender's lease; and by the start of the round
#: (ms).
DELIVERIES_DUE = "garimpo:deliveries:due"
DELIVERIES_OPEN = "garimpo:deliveries:open"

#: Prefixes of the keys below.
JOB = "garimpo:job:"
STATE_INDEX = "garimpo:jobs:"
HOURLY_OUTCOMES = "garimpo:outcomes:"
DELIVERY = "garimpo:delivery:"


def record(job_id: str) -> str:
    """Return the key of a job's record (hash)."""
    return f"{JOB}{job_id}"


def items(job_id: str) -> str:
    """Return the key of a job's items until it is completed (list of `jobs.model.item_blocks`)."""
    return f"{JOB}{job_id}:items"


def item_totals(job_id: str) -> str:
    """Return the key of the number of items up to and including each block (list)."""
    return f"{JOB}{job_id}:items:totals"


def pages(job_id: str) -> str:
    """Return the key of a job's finished pages (hash: page number to its warnings)."""
    return f"{JOB}{job_id}:pages"


def tombstone(job_id: str) -> str:
    """Return the key of what remains of an expired job, unlike an unknown one (string)."""
    return f"garimpo:gone:{job_id}"


def result(job_id: str) -> str:
    """Return the key of a task's state and result in Celery's Redis backend (string)."""
    return f"celery-task-meta-{job_id}"


def state_index(state: str, group: str = "") -> str:
    """Return the key of the jobs in a state (zset: id by the time of acceptance, in ms).

    Args:
        state: The state.
        group: Only the jobs of a site, or of a job definition as `site.job`.
    """
    return f"{STATE_INDEX}{state}:{group}" if group else f"{STATE_INDEX}{state}"


def idempotency(digest: str) -> str:
    """Return the key of the job that an Idempotency-Key started (string).

    Args:
        digest: The digest of caller, task and key.
    """
    return f"garimpo:idempotency:{digest}"


def identical(digest: str) -> str:
    """Return the key of the id of the latest job with an identical request (string)."""
    return f"garimpo:identical:{digest}"


def outcomes(hour: int) -> str:
    """Return the key of the counters of jobs that ended in an hour since the epoch (hash)."""
    return f"{HOURLY_OUTCOMES}{hour}"


def delivery(job_id: str, event: str) -> str:
    """Return the key of a webhook delivery (hash).

    Args:
        job_id: The job's id.
        event: `started`, `progress` or `end`.
    """
    return f"{DELIVERY}{job_id}:{event}"


def delivery_attempts(job_id: str, event: str) -> str:
    """Return the key of a delivery's attempts (list of JSON, the oldest first)."""
    return f"{delivery(job_id, event)}:tries"


def delivery_record(job_id: str, event: str) -> str:
    """Return the key of the copy of the job's record that a delivery reports (hash)."""
    return f"{delivery(job_id, event)}:record"


def delivery_result(job_id: str, event: str) -> str:
    """Return the key of the copy of the job's result that a delivery reports (string)."""
    return f"{delivery(job_id, event)}:result"
