"""Which jobs several workers may read."""

from typing import Any

import pytest

from scraper.browser.browser_settings import BrowserSettings
from scraper.settings import SiteSettings
from tests.browser.small_sites import LOGIN, make_recipe
from worker.scrape_config import ScrapeConfig


def make_config(
    login: dict[str, Any] | None = None,
    browser: BrowserSettings | None = None,
    *,
    spread: bool = True,
    **settings: Any,
) -> ScrapeConfig:
    recipe = make_recipe(spread=spread, login=LOGIN | (login or {}))
    return ScrapeConfig(
        recipes={"small": recipe},
        sites={"small": SiteSettings(**settings)},
        browser=browser or BrowserSettings(),
        margin_s=60,
    )


class TestMaySpread:
    def test_if_the_recipe_says_so(self) -> None:
        config = make_config()

        assert config.may_spread("small", "list")
        assert config.spreads_any

    @pytest.mark.parametrize(
        "config",
        [
            make_config(spread=False),
            make_config({"sessions": 3}),
            make_config({"logout": {"open": "/out"}}),
            make_config(sessions=2),
            make_config(browser=BrowserSettings(remote_url="http://grid:4444")),
        ],
        ids=["recipe", "sessions", "logout", "X_SESSIONS", "Grid"],
    )
    def test_not_otherwise(self, config: ScrapeConfig) -> None:
        assert not config.may_spread("small", "list")
        assert not config.spreads_any

    def test_not_where_it_is_turned_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SMALL_SPREAD", "0")
        config = ScrapeConfig(
            recipes={"small": make_recipe(spread=True)},
            sites={"small": SiteSettings.read("small")},
            browser=BrowserSettings(),
            margin_s=60,
        )

        assert not config.may_spread("small", "list")
