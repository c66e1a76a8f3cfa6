"""The names of everything that Garimpo and Celery keep in Redis for a job."""

#: Every job that has not ended: member is the id, score is when it is due for a look (ms): the end
#: of its lease while it runs, the next look for its message while it waits.
ACTIVE = "garimpo:active"

#: The jobs that were given up because their workers died: score is when (ms).
WORKER_LOST = "garimpo:given-up"

#: The jobs that have ended a short while ago: score is when Flower is told of it once more (ms).
UNPUBLISHED_ENDS = "garimpo:untold"

#: Which worker looks at the jobs that are due; when that was done last (ms); there while leases
#: that have run out mean nothing.
RECONCILER = "garimpo:reconciler"
LAST_RECONCILED = "garimpo:looked"
GRACE = "garimpo:grace"

#: The workers that are alive: member is the name, score is until when that is believed (ms).
WORKERS = "garimpo:workers"
#: What each of them does, by its name.
WORKER_STATUS = "garimpo:workers:doing"

#: What has happened since ever, for metrics (`lua_scripts/prelude.lua`).
COUNTERS = "garimpo:counters"
#: Its field for what a completed job takes nowadays (ms).
TYPICAL_DURATION = "pace_ms"

#: Sessions at a remote browser that nobody is left to end: the ids.
ABANDONED_SESSIONS = "garimpo:left-sessions"

#: Written to find out whether Redis takes writes.
WRITE_PROBE = "garimpo:health"

#: The channel on which `lua_scripts/prelude.lua` tells which job has changed.
CHANGES_CHANNEL = "garimpo:changes"

#: The queue of scrapes. kombu keeps a queue's messages in the list of the queue's name.
JOB_QUEUE = "jobs"

#: The queue of call backs.
WEBHOOK_QUEUE = "callbacks"
#: The call backs that are neither delivered nor given up, as JOB:SLOT: score is when each is due
#: for a look (ms), its next try or the end of its sender's lease; and since when it waits (ms).
DELIVERIES_DUE = "garimpo:deliveries:due"
DELIVERIES_OPEN = "garimpo:deliveries:open"


def record(job_id: str) -> str:
    """Name the hash that is the job's record."""
    return f"garimpo:job:{job_id}"


def items(job_id: str) -> str:
    """Name the list of its items, each one JSON object."""
    return f"garimpo:job:{job_id}:items"


def pages(job_id: str) -> str:
    """Name the hash of its finished pages: each number, and what was odd about that page."""
    return f"garimpo:job:{job_id}:pages"


def tombstone(job_id: str) -> str:
    """Name the mark that outlives the record, and tells an expired job from an unknown one."""
    return f"garimpo:gone:{job_id}"


def result(job_id: str) -> str:
    """Name the key in which Celery's Redis backend keeps a task's state and result."""
    return f"celery-task-meta-{job_id}"


def state_index(state: str, group: str = "") -> str:
    """Name the zset of the jobs in a state: id, by when they were accepted (ms).

    Args:
        state: The state.
        group: Only those of a site, or of a recipe's job as `site.job`.
    """
    return f"garimpo:jobs:{state}:{group}" if group else f"garimpo:jobs:{state}"


def idempotency(digest: str) -> str:
    """Name what an Idempotency-Key has led to; the digest is of who sent which key to what."""
    return f"garimpo:idempotency:{digest}"


def identical(digest: str) -> str:
    """Name where the last job stands that was asked for just so."""
    return f"garimpo:identical:{digest}"


def outcomes(hour: int) -> str:
    """Name the hash of how jobs have ended in an hour, counted from the epoch."""
    return f"garimpo:outcomes:{hour}"


def delivery(job_id: str, event: str) -> str:
    """Name the hash of a call back.

    Args:
        job_id: The job's id.
        event: What of the job it tells: `started`, `progress` or `end`.
    """
    return f"garimpo:delivery:{job_id}:{event}"


def delivery_attempts(job_id: str, event: str) -> str:
    """Name the list of its tries, the oldest first, each one JSON object."""
    return f"{delivery(job_id, event)}:tries"


def delivery_record(job_id: str, event: str) -> str:
    """Name the copy of the job's record that it tells."""
    return f"{delivery(job_id, event)}:record"


def delivery_result(job_id: str, event: str) -> str:
    """Name the copy of the job's result that it tells."""
    return f"{delivery(job_id, event)}:result"
