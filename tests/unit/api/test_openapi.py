"""The OpenAPI document: every path, parameter and response has a description and an example."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from api.app import create_app
from api.settings import ApiSettings

_SPEC = create_app().openapi()
_JOB = "/api/v1/tubehunt/scrape-channels"
_ADDRESSES = {
    f"{_JOB}/start": "post",
    f"{_JOB}/cancel/{{job_id}}": "post",
    f"{_JOB}/result/{{job_id}}": "get",
    f"{_JOB}/items/{{job_id}}": "get",
    f"{_JOB}/events/{{job_id}}": "get",
    "/api/v1/jobs": "get",
    "/api/v1/figures": "get",
}


def operation(path: str) -> dict[str, Any]:
    found: dict[str, Any] = _SPEC["paths"][path][_ADDRESSES[path]]
    return found


def parameters(path: str) -> dict[str, dict[str, Any]]:
    return {one["name"].lower(): one for one in operation(path).get("parameters", [])}


class TestOpenApi:
    @pytest.mark.parametrize("path", _ADDRESSES)
    def test_explains_each_address_and_its_errors(self, path: str) -> None:
        told = operation(path)
        assert told["summary"]
        assert told["description"]
        assert {"503", "default"} <= told["responses"].keys()

    @pytest.mark.parametrize("path", _ADDRESSES)
    def test_explains_each_parameter(self, path: str) -> None:
        for name, told in parameters(path).items():
            if name not in {"job_id", "limit"}:
                assert told["description"], name

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            (f"{_JOB}/start", {"idempotency-key", "join", "accept-language"}),
            (f"{_JOB}/result/{{job_id}}", {"wait", "prefer", "format", "separator", "accept"}),
            (f"{_JOB}/items/{{job_id}}", {"cursor", "limit", "format", "separator"}),
            (f"{_JOB}/events/{{job_id}}", {"last-event-id"}),
            ("/api/v1/jobs", {"site", "job", "status", "limit", "cursor"}),
        ],
    )
    def test_has_what_can_be_asked_for(self, path: str, names: set[str]) -> None:
        assert names <= parameters(path).keys()

    @pytest.mark.parametrize("address", ["result", "items"])
    def test_shows_each_form_with_an_example(self, address: str) -> None:
        content = operation(f"{_JOB}/{address}/{{job_id}}")["responses"]["200"]["content"]
        assert {"application/json", "text/csv", "application/x-ndjson"} <= content.keys()
        assert content["text/csv"]["example"]

    @pytest.mark.parametrize("name", ["wait", "prefer", "format", "separator"])
    def test_shows_an_example_of_each_choice(self, name: str) -> None:
        told = parameters(f"{_JOB}/result/{{job_id}}")[name]
        assert told["schema"].get("examples") or told.get("examples")

    def test_shows_an_event(self) -> None:
        content = operation(f"{_JOB}/events/{{job_id}}")["responses"]["200"]["content"]
        assert "event: progress" in content["text/event-stream"]["example"]

    @pytest.mark.parametrize("name", _SPEC["components"]["schemas"])
    def test_shows_an_example_that_fits(self, name: str) -> None:
        schema = _SPEC["components"]["schemas"][name]
        example = schema["examples"][0] if "examples" in schema else schema["example"]

        Draft202012Validator({**schema, "components": _SPEC["components"]}).validate(example)

    def test_shows_what_a_start_is_asked_and_answered(self) -> None:
        start = operation(f"{_JOB}/start")
        assert start["requestBody"]["content"]["application/json"]["example"]["pages"] == 1
        headers = start["responses"]["202"]["headers"].keys()
        assert headers == {"Location", "Retry-After", "Idempotent-Replayed"}

    def test_promises_no_error_in_another_form(self) -> None:
        assert "HTTPValidationError" not in _SPEC["components"]["schemas"]


# One parameter has no default, and the job has no example.
_RECIPE = """
site: books
base_url: https://books.example
jobs:
  list-books:
    params:
      shelf: {type: integer, min: 3, max: 5}
      topic: {type: string}
      copy: {type: string, choices: [new, used]}
      limit: {type: integer, default: 10}
    open: /list?topic={topic}&shelf={shelf}&copy={copy}&limit={limit}
    items: .book
    collection: books
    label: {pt: livros, en: books}
    fields:
      title: .title
      job_id: .id
      is_new: {exists: .new}
      tags: {css: .tags, split: ","}
      authors: {css: .author, fields: {name: .name}}
"""


class TestAnotherRecipe:
    @pytest.fixture
    def spec(self, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "books.yaml").write_text(_RECIPE, encoding="utf-8")
        return create_app(ApiSettings(recipes_dir=tmp_path)).openapi()

    def operation(self, spec: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
        found: dict[str, Any] = spec["paths"][f"/api/v1/books/list-books/{path}"][method]
        return found

    def test_has_examples_that_fit(self, spec: dict[str, Any]) -> None:
        for schema in spec["components"]["schemas"].values():
            validator = Draft202012Validator({**schema, "components": spec["components"]})
            validator.validate(schema["examples"][0] if "examples" in schema else schema["example"])

    def test_has_an_example_of_each_parameter(self, spec: dict[str, Any]) -> None:
        body = self.operation(spec, "start", "post")["requestBody"]["content"]["application/json"]

        assert body["example"] == {"shelf": 3, "topic": "…", "copy": "new", "limit": 10}
        Draft202012Validator(body["schema"]).validate(body["example"])

    def test_has_its_own_url_in_the_response_to_a_start(self, spec: dict[str, Any]) -> None:
        response = self.operation(spec, "start", "post")["responses"]["202"]

        example = response["content"]["application/json"]["example"]
        assert example["result_url"].startswith("/api/v1/books/list-books/result/")

    def test_has_its_own_columns_in_files(self, spec: dict[str, Any]) -> None:
        content = self.operation(spec, "result/{job_id}")["responses"]["200"]["content"]

        assert content["text/csv"]["example"] == "title,job_id,is_new,tags,authors\r\n…"
        assert '"authors": [{"name": "…"}]' in content["application/x-ndjson"]["example"]
