"""A recipe with a fault, beside one without: API and worker start, and run the other site."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garimpo.local_stack.errors import ServiceDiedError
from garimpo.local_stack.stack import Stack
from tests.integration.services import Services, run_job, write_fast_recipe

FAULT = {
    "file": "broken.yaml",
    "line": 1,
    "key": "jobs",
    "reason": "is missing",
}


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with Stack(settings={"LOG_FORMAT": "json"}) as stack:
        folder = stack.folder / "recipes"
        write_fast_recipe(folder)
        (folder / "broken.yaml").write_text("site: broken\nbase_url: https://x.example\n")
        stack.settings["RECIPES_DIR"] = str(folder)
        services = Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api())
        stack.worker()
        yield services


def find_errors(process_log: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in process_log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] == "error"]


class TestRecipeFault:
    def test_leaves_the_other_site_as_it_is(self, services: Services) -> None:
        assert run_job(services, {"per_page": 10}).end["status"] == "completed"

    def test_is_reported_by_the_health(self, services: Services) -> None:
        with services.client() as api:
            body = api.get("/api/health", headers={"Accept-Language": "en"}).json()

        assert (body["status"], body["services"]["workers"]) == ("degraded", "ok")
        assert body["message"] == "Recipe files with faults were left out: broken.yaml"
        assert body["recipe_faults"] == [FAULT]

    @pytest.mark.parametrize("name", ["api", "worker"])
    def test_is_logged_once_as_an_error(self, services: Services, name: str) -> None:
        log = (services.stack.folder / f"{name}.log").read_text(encoding="utf-8")

        [line] = find_errors(log)
        path = str(services.stack.folder / "recipes" / "broken.yaml")
        assert line.items() >= (FAULT | {"file": path, "message": "recipe left out"}).items()


class TestMissingFolder:
    @pytest.mark.parametrize("name", ["api", "worker"])
    def test_ends_the_program_with_one_sentence(self, tmp_path: Path, name: str) -> None:
        settings = {"RECIPES_DIR": str(tmp_path / "no"), "REDIS_URL": "redis://127.0.0.1:1/0"}
        with Stack(settings=settings) as stack:
            start: dict[str, Any] = {"api": stack.api, "worker": stack.worker}
            with pytest.raises(ServiceDiedError):
                start[name]()
            log = (stack.folder / f"{name}.log").read_text(encoding="utf-8")

        assert log.endswith(
            f"RECIPES_DIR: {tmp_path}/no: cannot be read: No such file or directory\n"
        )
        assert "Traceback" not in log
