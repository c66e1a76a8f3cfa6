"""Worker that only sends webhooks: `celery -A worker.webhooks.app worker`.

It needs no browser. With it no webhook waits for a scrape; without it the other workers send them.
"""

from kombu import Queue

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.redis import keys
from jobs.settings import JobSettings
from worker import log_config  # noqa: F401 - Celery's lines in our form
from worker.bootsteps.reconciliation import ReconciliationStep
from worker.settings import WorkerSettings
from worker.webhooks.sender import register_webhook_task
from worker.webhooks.settings import WebhookSettings

_jobs = JobSettings()
configure_logging(_jobs.log_format, _jobs.log_level)

#: Longer than any job. This worker knows no recipe; but kombu keeps the unacknowledged messages of
#: all queues in one place, and it may restore those of scrapes.
_LONGEST_JOB_S = 7 * 24 * 3600

app = make_celery(
    _jobs.redis_url,
    result_ttl=_jobs.result_ttl,
    lease_policy=_jobs.lease_policy,
    max_job_s=_LONGEST_JOB_S,
)
app.conf.update(
    garimpo_alive_file=WorkerSettings().alive_file,
    task_queues=[Queue(keys.WEBHOOK_QUEUE)],
    # A sender mostly waits for the receiver.
    worker_concurrency=4,
)
app.steps["consumer"].add(ReconciliationStep)
register_webhook_task(app, WebhookSettings())
