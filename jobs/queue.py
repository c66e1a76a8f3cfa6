"""The Celery app for Flower: `celery -A jobs.queue flower`."""

import sys

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.settings import FlowerSettings, JobSettings

_settings = JobSettings()
# Flower keeps a logging configuration that exists already.
configure_logging(_settings.log_format, _settings.log_level)

if FlowerSettings().has_example_password:
    sys.exit("FLOWER_BASIC_AUTH has the password of the example: choose one of your own.")

#: Longer than any job: Flower consumes events with kombu, which would put the messages of longer
#: running jobs back into their queue. Flower may not do that (`deploy/redis/users.acl`).
_LONGEST_JOB_S = 7 * 24 * 3600

app = make_celery(
    _settings.redis_url.get_secret_value(),
    result_ttl=_settings.result_ttl,
    max_job_s=_LONGEST_JOB_S,
)
