"""Faults of recipes in the health of the API, without a Redis to connect to."""

from pathlib import Path

import pytest

from tests.support.api_in_process import send


class TestRecipeFaults:
    def test_are_an_empty_list_without_faults(self, tmp_path: Path) -> None:
        assert send(tmp_path, "GET", "/api/health").json()["recipe_faults"] == []

    @pytest.mark.parametrize(
        ("language", "redis", "recipes"),
        [
            (
                "en",
                "Redis is unavailable: no jobs can be accepted",
                "Recipe files with faults were left out: broken.yaml",
            ),
            (
                "pt",
                "O Redis não responde: nenhum job pode ser aceito agora",
                "Arquivos de receita com erros foram ignorados: broken.yaml",
            ),
        ],
    )
    def test_are_reported_also_while_redis_is_unavailable(
        self, tmp_path: Path, language: str, redis: str, recipes: str
    ) -> None:
        (tmp_path / "broken.yaml").write_text("site: broken\nbase_url: https://x.example\n")

        headers = {"Accept-Language": language}
        response = send(tmp_path, "GET", "/api/health", headers=headers)

        body = response.json()
        assert (response.status_code, body["status"]) == (503, "error")
        assert body["recipe_faults"] == [
            {"file": "broken.yaml", "line": 1, "key": "jobs", "reason": "is missing"}
        ]
        assert body["message"] == f"{redis}; {recipes}"

    def test_leave_the_api_without_any_site(self, tmp_path: Path) -> None:
        (tmp_path / "broken.yaml").write_text("site: tubehunt\n")

        paths = send(tmp_path, "GET", "/openapi.json").json()["paths"]

        assert not any("tubehunt" in path for path in paths)
