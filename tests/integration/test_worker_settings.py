"""Workers that lack something: each says so, and what to do."""

from collections.abc import Iterator

import pytest

from garimpo.stack.stack import Stack
from tests.integration.services import Services, run_job

OTHER_SITE = """
site: other
base_url: http://127.0.0.1:1
jobs:
  list:
    open: /
    items: .row
    collection: rows
    label: {pt: linhas, en: rows}
    fields: {name: .name}
"""


@pytest.fixture
def bare() -> Iterator[Stack]:
    """Prepare a stack of the test's own; its worker is the only one on its queue."""
    with Stack() as stack:
        yield stack


def start_services(stack: Stack, api: dict[str, str], worker: dict[str, str]) -> Services:
    services = Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api(api))
    stack.worker(extra=worker)
    return services


class TestWorker:
    def test_names_the_credentials_that_it_lacks(self, bare: Stack) -> None:
        services = start_services(bare, {}, {"TUBEHUNT_USERNAME": "", "TUBEHUNT_PASSWORD": ""})

        run = run_job(services)

        assert run.end["error_code"] == "credentials_missing"
        assert run.end["error"] == (
            "Faltam credenciais no worker: defina TUBEHUNT_USERNAME, TUBEHUNT_PASSWORD"
        )
        assert services.demo.requests() == []

    def test_says_how_to_install_the_browser_that_it_lacks(self, bare: Stack) -> None:
        services = start_services(bare, {}, {"CHROME_BINARY": "/no/such/chrome"})

        run = run_job(services)

        assert run.end["error_code"] == "browser_unavailable"
        assert "apt-get install chromium chromium-driver" in run.end["error"]

    def test_says_that_the_browser_does_not_start(self, bare: Stack) -> None:
        services = start_services(bare, {}, {"CHROME_BINARY": "/bin/false"})

        assert run_job(services).end["error_code"] == "browser_unavailable"

    def test_does_not_know_a_recipe_that_only_the_api_has(self, bare: Stack) -> None:
        recipes = bare.folder / "recipes"
        recipes.mkdir()
        (recipes / "other.yaml").write_text(OTHER_SITE, encoding="utf-8")
        services = start_services(bare, {"RECIPES_DIR": str(recipes)}, {})

        run = run_job(services, address="/api/v1/other/list")

        assert run.end["error_code"] == "recipe_unknown"

    def test_is_counted_by_health_while_it_lives(self, bare: Stack) -> None:
        services = start_services(bare, {}, {})

        with services.client() as api:
            health = api.get("/api/health").json()

        assert (health["status"], health["services"]["workers"]) == ("ok", "ok")
