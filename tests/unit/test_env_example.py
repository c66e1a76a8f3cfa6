"""Settings and defaults in `.env.example`."""

import re

import pytest
from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from garimpo.settings import Settings, SiteVariables
from scraper.credentials import variable_prefix
from scraper.recipes.loader import load_recipes
from scraper.settings import ChromeSettings, RecipeSettings, SizeSettings
from tests.support.paths import ROOT
from worker.settings import WorkerSettings
from worker.webhooks.settings import WebhookSettings

_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
_DOCUMENTED = dict(re.findall(r"^#([A-Z_]+)=(.*)$", _EXAMPLE, re.MULTILINE))
#: Variables of the system.
_LOCALE = {"LC_ALL", "LC_MESSAGES", "LANG"}


def _list_settings(*classes: type[BaseSettings]) -> dict[str, object]:
    return {
        name.upper(): field.default
        for settings in classes
        for name, field in settings.model_fields.items()
    }


_KNOWN = _list_settings(
    Settings,
    ApiSettings,
    ChromeSettings,
    RecipeSettings,
    SizeSettings,
    WorkerSettings,
    WebhookSettings,
) | {
    f"{variable_prefix(site)}{name}": default
    for site in load_recipes()
    for name, default in _list_settings(SiteVariables).items()
}


class TestEnvExample:
    def test_contains_exactly_the_settings(self) -> None:
        assert _DOCUMENTED.keys() == _KNOWN.keys() - _LOCALE

    @pytest.mark.parametrize("name", sorted(name for name, value in _DOCUMENTED.items() if value))
    def test_contains_the_default_of(self, name: str) -> None:
        # The default of the site's URL is in the recipe, that of Redis in the jobs' settings.
        defaults = {
            "TUBEHUNT_BASE_URL": "https://app.tubehunt.io",
            "REDIS_URL": ApiSettings.model_fields["redis_url"].default.get_secret_value(),
        }
        assert _DOCUMENTED[name] == str(defaults.get(name, _KNOWN[name]))
