"""The Celery app as Flower loads it: `celery -A jobs.queue flower`."""

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.settings import JobSettings

_settings = JobSettings()
# Flower sets up no lines of its own where there are some already.
configure_logging(_settings.log_format, _settings.log_level)

app = make_celery(_settings.redis_url, result_ttl=_settings.result_ttl)
