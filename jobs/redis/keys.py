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

#: What was found in Redis and not written by Garimpo, the newest first (list of JSON, bounded), and
#: the name of its counter.
REFUSED = "garimpo:refused"
REFUSED_COUNTER = "refused"

#: Sessions at a remote browser that no worker is left to end: the ids.
ABANDONED_SESSIONS = "garimpo:left-sessions"

#: Written to find out whether Redis accepts writes.
WRITE_PROBE = "garimpo:health"

#: The channel of changed jobs (`lua_scripts/prelude.lua`).
CHANGES_CHANNEL = "garimpo:changes"

#: The queue of scrapes. kombu stores a queue's messages in the list of the queue's name.
JOB_QUEUE = "jobs"

#: The queue of offers to read pages of running jobs. Its name sorts after that of the jobs, which
#: workers take first (`queue_order_strategy` in `jobs.celery_app`).
PART_QUEUE = "jobs.parts"

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
SESSION = "garimpo:session:"


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
    """Return the key of a job's finished pages (hash: by number, `FinishedPage.encode_head`)."""
    return f"{JOB}{job_id}:pages"


def page_claims(job_id: str) -> str:
    """Return the key of who reads which page of a job that several workers read (hash).

    N       of a page by its number: the lease token of its reader; `=` once another worker has read
            it; `!` if only the job's own worker reads it
    from    the page that the job needs next; end: the page that shows the end of the list
    bytes   the size of the pages that wait in `read_pages`
    """
    return f"{JOB}{job_id}:claims"


def parts(job_id: str) -> str:
    """Return the key of the leases of the workers that help with a job (zset: token by end, ms)."""
    return f"{JOB}{job_id}:parts"


def read_pages(job_id: str) -> str:
    """Return the key of pages that other workers have read, until the job stores them (hash)."""
    return f"{JOB}{job_id}:read"


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
        group: Only the jobs of a site, of a job definition as `site.job`, or of an `owner_group`.
    """
    return f"{STATE_INDEX}{state}:{group}" if group else f"{STATE_INDEX}{state}"


def owner_group(owner: str, group: str = "") -> str:
    """Return the group of the jobs of one API key, for `state_index`.

    Args:
        owner: The key's name; empty for the jobs that were started without keys.
        group: Only the jobs of a site, or of a job definition as `site.job`.
    """
    return f"@{owner}:{group}" if group else f"@{owner}"


def started(caller: str, window_s: int) -> str:
    """Return the key of the number of starts of an API key in a window of this length (hash)."""
    return f"garimpo:started:{caller}:{window_s}"


def session(site: str, account: str) -> str:
    """Return the key of an account's session at a site (hash).

    version     grows by one with each change of the session
    state       the session, encrypted; none while the next job has to log in
    source      `login` or `import`
    created_at  when that was; used_at: when a job has last taken it; saved_at: when it was last
                stored (ms)
    turn_job, turn_token    the job that logs in, and its lease
    awaited_until           until then no job logs in: a person has to import a session (ms)
    """
    return f"{SESSION}{site}:{account}"


def session_turns(site: str, account: str) -> str:
    """Return the key of the jobs that use an account now (hash: lease token by id)."""
    return f"{session(site, account)}:turns"


def turn_waiting(site: str, account: str) -> str:
    """Return the key of the jobs that wait for a turn at an account (zset: id by acceptance)."""
    return f"{session(site, account)}:waiting"


def session_awaiting(site: str, account: str) -> str:
    """Return the key of the jobs that wait for an imported session (zset: id by acceptance)."""
    return f"{session(site, account)}:awaiting"


def session_index(site: str) -> str:
    """Return the key of the names of a site's accounts with a session (zset, all scores 0)."""
    return f"garimpo:sessions:{site}"


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
