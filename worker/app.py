"""The worker's Celery app: `celery -A worker.app worker`."""

from functools import partial

from jobs.celery_app import make_celery
from jobs.logs import configure
from jobs.settings import JobSettings
from scraper.browser.chrome import end_session
from scraper.recipes.loader import load_recipes
from scraper.settings import ChromeSettings, RecipeSettings, SiteSettings
from worker import callback_task
from worker.callback_settings import CallbackSettings
from worker.reconciling import Reconciling
from worker.scraping import Scraping
from worker.settings import WorkerSettings
from worker.tasks import register
from worker.upkeep import Upkeep

_jobs, _worker = JobSettings(), WorkerSettings()
configure(_jobs.log_format, _jobs.log_level)
_recipes = load_recipes(RecipeSettings().recipes_dir)

_scraping = Scraping(
    recipes=_recipes,
    sites={site: SiteSettings.read(site) for site in _recipes},
    browser=ChromeSettings().browser,
    margin_s=_worker.time_limit_margin_s,
)

app = make_celery(
    _jobs.redis_url,
    result_ttl=_jobs.result_ttl,
    leasing=_jobs.leasing,
    longest_job_s=_scraping.longest_s,
)
app.conf.garimpo_alive_file = _worker.alive_file
app.conf.garimpo_end_session = (
    partial(end_session, _scraping.browser) if _scraping.browser.remote_url else None
)
app.steps["consumer"].add(Reconciling)
app.steps["consumer"].add(Upkeep)
register(app, _scraping, _jobs.leasing)
callback_task.register(app, CallbackSettings())
