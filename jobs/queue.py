"""The Celery app for Flower: `celery -A jobs.queue flower`."""

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.settings import JobSettings

_settings = JobSettings()
# Flower keeps a logging configuration that exists already.
configure_logging(_settings.log_format, _settings.log_level)

app = make_celery(_settings.redis_url, result_ttl=_settings.result_ttl)
