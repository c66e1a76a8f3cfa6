"""The worker's Celery app: `celery -A worker.app worker`."""

from functools import partial

from jobs.celery_app import make_celery
from jobs.log_config import configure_logging
from jobs.settings import JobSettings
from scraper.browser.chrome import end_session
from scraper.recipes.loader import load_recipes
from scraper.settings import ChromeSettings, RecipeSettings, SiteSettings
from worker.bootsteps.browser_cleanup import BrowserCleanupStep
from worker.bootsteps.reconciliation import ReconciliationStep
from worker.scrape_config import ScrapeConfig
from worker.settings import WorkerSettings
from worker.tasks import register_tasks
from worker.webhooks import sender
from worker.webhooks.settings import WebhookSettings

_jobs = JobSettings()
_worker = WorkerSettings()
configure_logging(_jobs.log_format, _jobs.log_level)
_recipes = load_recipes(RecipeSettings().recipes_dir)

_scrape_config = ScrapeConfig(
    recipes=_recipes,
    sites={site: SiteSettings.read(site) for site in _recipes},
    browser=ChromeSettings().browser,
    margin_s=_worker.time_limit_margin_s,
)

app = make_celery(
    _jobs.redis_url,
    result_ttl=_jobs.result_ttl,
    lease_policy=_jobs.lease_policy,
    max_job_s=_scrape_config.max_job_s,
)
app.conf.garimpo_alive_file = _worker.alive_file
app.conf.garimpo_end_session = (
    partial(end_session, _scrape_config.browser) if _scrape_config.browser.remote_url else None
)
app.steps["consumer"].add(ReconciliationStep)
app.steps["consumer"].add(BrowserCleanupStep)
register_tasks(app, _scrape_config, _jobs.lease_policy)
sender.register_webhook_task(app, WebhookSettings())
