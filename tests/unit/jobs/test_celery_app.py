from datetime import timedelta

from jobs.celery_app import make_celery
from scraper.browser.browser_settings import BrowserSettings
from scraper.recipes.loader import load_recipes
from worker.scrape_config import ScrapeConfig

REDIS = "redis://127.0.0.1:1/0"


class TestMakeCelery:
    def test_does_not_restore_a_message_while_its_job_may_run(self) -> None:
        recipes = load_recipes()
        scrape_config = ScrapeConfig(recipes, {}, BrowserSettings(), margin_s=60)

        app = make_celery(REDIS, result_ttl=timedelta(hours=24), max_job_s=scrape_config.max_job_s)

        hard_limit_s = scrape_config.hard_limit_s("tubehunt", "scrape-channels")
        assert hard_limit_s > recipes["tubehunt"].limits.job_s(100)
        assert app.conf.broker_transport_options["visibility_timeout"] >= 2 * hard_limit_s
