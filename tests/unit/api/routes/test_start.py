"""Parameters of a start request that would lead to another page, without a Redis to connect to."""

from pathlib import Path

import pytest

from tests.support.api_in_process import send

RECIPE = """\
site: shop
base_url: https://shop.example
jobs:
  list-offers:
    params:
      category: {type: string}
      q: {type: string, default: ""}
    open: /c/{category}/list?q={q}
    items: .offer
    collection: offers
    label: {pt: ofertas, en: offers}
    fields: {title: h2}
  read-page:
    params:
      address: {type: url, hosts: [a.example, "*.b.example"]}
    open: "{address}"
    items: .offer
    fields: {title: h2}
"""
SINCE = "since it is a part of the page's path"
POIS = "pois faz parte do caminho da página"
START = "/api/v1/shop/list-offers/start"
START_PAGE = "/api/v1/shop/read-page/start"


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "shop.yaml").write_text(RECIPE, encoding="utf-8")
    return folder


class TestPathParameter:
    @pytest.mark.parametrize(
        ("category", "english", "portuguese"),
        [
            (
                "../x",
                "category: must not contain . or .. as a part of the page's path",
                "category: não pode conter . ou .. como parte do caminho da página",
            ),
            (
                "",
                f"category: must not be empty, {SINCE}",
                f"category: não pode ficar vazio, {POIS}",
            ),
            (
                "a\0",
                f"category: must not contain control characters or line breaks, {SINCE}",
                f"category: não pode conter caracteres de controle nem quebras de linha, {POIS}",
            ),
        ],
    )
    def test_that_leads_to_another_page_is_rejected(
        self, recipes: Path, category: str, english: str, portuguese: str
    ) -> None:
        for language, detail in (("en", english), ("pt", portuguese)):
            response = send(
                recipes,
                "POST",
                START,
                json={"category": category},
                headers={"Accept-Language": language},
            )

            assert response.status_code == 422
            assert response.json() == {"detail": detail, "error_code": "invalid_parameters"}

    @pytest.mark.parametrize("body", [{"category": "x"}, {"category": "x", "q": "../x"}])
    def test_is_accepted_otherwise(self, recipes: Path, body: dict[str, str]) -> None:
        assert send(recipes, "POST", START, json=body).json()["error_code"] == "redis_unavailable"

    def test_of_another_type_is_rejected_without_advice_on_yaml(self, recipes: Path) -> None:
        headers = {"Accept-Language": "en"}
        response = send(recipes, "POST", START, json={"category": 5}, headers=headers)

        assert response.json()["detail"] == "category: must be a string"

    def test_has_a_minimum_length_in_openapi(self, recipes: Path) -> None:
        operation = send(recipes, "GET", "/openapi.json").json()["paths"][START]["post"]

        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["category"]["minLength"] == 1
        assert "minLength" not in schema["properties"]["q"]


class TestUrlParameter:
    @pytest.mark.parametrize(
        ("language", "detail"),
        [
            ("en", "must be a whole URL, such as https://…, of a.example, *.b.example"),
            (
                "pt",
                "precisa ser uma URL completa, como https://…, de a.example, *.b.example",
            ),
        ],
    )
    @pytest.mark.parametrize("address", ["https://evil.example/", "http://a.example", "/x", ""])
    def test_of_another_host_is_rejected(
        self, recipes: Path, address: str, language: str, detail: str
    ) -> None:
        headers = {"Accept-Language": language}
        response = send(recipes, "POST", START_PAGE, json={"address": address}, headers=headers)

        assert response.status_code == 422
        assert response.json() == {
            "detail": f"address: {detail}",
            "error_code": "invalid_parameters",
        }

    def test_of_its_hosts_is_accepted(self, recipes: Path) -> None:
        body = {"address": "https://www.b.example/x"}
        assert send(recipes, "POST", START_PAGE, json=body).json()["error_code"] == (
            "redis_unavailable"
        )
