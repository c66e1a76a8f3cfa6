from datetime import timedelta

from jobs.celery_app import make_celery
from scraper.browser.chrome import BrowserSettings
from scraper.recipes.loader import load_recipes
from worker.scrape_config import ScrapeConfig

REDIS = "redis://127.0.0.1:1/0"


class TestMakeCelery:
    def test_gives_no_message_back_while_its_job_may_run(self) -> None:
        recipes = load_recipes()
        scraping = ScrapeConfig(recipes, {}, BrowserSettings(), margin_s=60)

        app = make_celery(REDIS, result_ttl=timedelta(hours=24), max_job_s=scraping.max_job_s)

        hard_limit_s = scraping.hard_limit_s("tubehunt", "scrape-channels")
        assert hard_limit_s > recipes["tubehunt"].limits.job_s(100)
        assert app.conf.broker_transport_options["visibility_timeout"] >= 2 * hard_limit_s
