"""The Celery app as Flower loads it: `celery -A jobs.queue flower`."""

from jobs.celery_app import make_celery
from jobs.settings import JobSettings

_settings = JobSettings()

app = make_celery(_settings.redis_url, result_ttl=_settings.result_ttl)
