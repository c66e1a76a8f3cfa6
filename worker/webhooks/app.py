"""Worker that only sends webhooks: `celery -A worker.webhooks.app worker`.

It needs no browser. Without it the other workers send them, while they scrape. It consumes no queue
through Celery: `worker.webhooks.dispatcher` does.
"""

from kombu import Queue

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.redis import keys
from jobs.settings import JobSettings
from worker import (
    log_config,  # noqa: F401 - Celery's lines in our form
    process_isolation,  # noqa: F401 - isolates the worker when it starts
)
from worker.bootsteps.reconciliation import ReconciliationStep
from worker.bootsteps.redis_check import RedisCheckStep
from worker.settings import WorkerSettings
from worker.task_events import EVENTS_CLASS
from worker.webhooks.dispatcher import add_webhook_sending
from worker.webhooks.settings import WebhookSettings

_jobs = JobSettings()
configure_logging(_jobs.log_format, _jobs.log_level)

#: Longer than any job. This worker knows no recipe; but kombu keeps the unacknowledged messages of
#: all queues in one place, and it may restore those of scrapes.
_LONGEST_JOB_S = 7 * 24 * 3600

app = make_celery(
    _jobs.redis_url.get_secret_value(),
    result_ttl=_jobs.result_ttl,
    lease_policy=_jobs.lease_policy,
    max_job_s=_LONGEST_JOB_S,
)
app.conf.update(
    garimpo_alive_file=WorkerSettings().alive_file,
    task_queues=[Queue(keys.WEBHOOK_QUEUE)],
)
app.events_cls = EVENTS_CLASS
app.steps["consumer"].add(ReconciliationStep)
app.steps["consumer"].add(RedisCheckStep)
add_webhook_sending(app, WebhookSettings())
