"""The worker's Celery app: `celery -A worker.app worker`."""

import sys
from functools import partial

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.session_cipher import SessionCipher, SessionKeyError
from jobs.settings import JobSettings
from scraper.browser.chrome import end_session
from scraper.browser.warm_browsers import WarmBrowsers
from scraper.credentials import hide_secrets
from scraper.recipes.loader import RecipeError, load_recipes
from scraper.settings import ChromeSettings, RecipeSettings, SiteSettings, SizeSettings
from worker import (
    pool_check,  # noqa: F401 - refuses unsuitable pools
    process_isolation,  # noqa: F401 - isolates the worker when it starts
    root_check,  # noqa: F401 - warns of root
    temp_folder,  # noqa: F401 - makes its folder when it starts
)
from worker.bootsteps.browser_cleanup import BrowserCleanupStep
from worker.bootsteps.reconciliation import ReconciliationStep
from worker.bootsteps.redis_check import RedisCheckStep
from worker.part_task import add_part_reading
from worker.scrape_config import ScrapeConfig
from worker.settings import WorkerSettings
from worker.task_events import EVENTS_CLASS
from worker.tasks import register_tasks
from worker.webhooks.dispatcher import add_webhook_sending
from worker.webhooks.settings import WebhookSettings

_jobs = JobSettings()
_worker = WorkerSettings()
configure_logging(_jobs.log_format, _jobs.log_level)
try:
    _recipes = load_recipes(RecipeSettings().recipes_dir)
except RecipeError as error:
    sys.exit(f"RECIPES_DIR: {error}")
_recipes.log_faults()

try:
    _session_cipher = SessionCipher.parse(_worker.session_keys.get_secret_value())
except SessionKeyError as error:
    sys.exit(f"SESSION_KEYS: {error}")

_scrape_config = ScrapeConfig(
    recipes=_recipes,
    sites={site: SiteSettings.read(site) for site in _recipes},
    browser=ChromeSettings().browser,
    margin_s=_worker.time_limit_margin_s,
    sizes=SizeSettings().sizes,
    session_cipher=_session_cipher,
    browsers=WarmBrowsers(_worker.warm_browsers),
)
# Once more, now that the accounts are known: a traceback may contain anything.
_secrets = [
    secret
    for settings in _scrape_config.sites.values()
    for account in settings.accounts.values()
    for secret in account.secrets
]
configure_logging(_jobs.log_format, _jobs.log_level, partial(hide_secrets, secrets=_secrets))

app = make_celery(
    _jobs.redis_url.get_secret_value(),
    result_ttl=_jobs.result_ttl,
    lease_policy=_jobs.lease_policy,
    max_job_s=_scrape_config.max_job_s,
)
app.events_cls = EVENTS_CLASS
app.conf.garimpo_alive_file = _worker.alive_file
app.conf.garimpo_end_session = (
    partial(end_session, _scrape_config.browser) if _scrape_config.browser.remote_url else None
)
app.steps["consumer"].add(ReconciliationStep)
app.steps["consumer"].add(BrowserCleanupStep)
app.steps["consumer"].add(RedisCheckStep)
register_tasks(app, _scrape_config, _jobs.lease_policy)
add_part_reading(app, _scrape_config, _jobs.lease_policy)
add_webhook_sending(app, WebhookSettings())
