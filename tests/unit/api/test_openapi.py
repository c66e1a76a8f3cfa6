"""The OpenAPI document: every path, parameter and response has a description and an example."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from api.app import create_app
from api.settings import ApiSettings

_SPEC = create_app().openapi()
_JOB = "/api/v1/tubehunt/scrape-channels"
_PATHS = {
    f"{_JOB}/start": "post",
    f"{_JOB}/cancel/{{job_id}}": "post",
    f"{_JOB}/result/{{job_id}}": "get",
    f"{_JOB}/items/{{job_id}}": "get",
    f"{_JOB}/events/{{job_id}}": "get",
    "/api/v1/jobs": "get",
    "/api/v1/figures": "get",
}


def get_operation(path: str) -> dict[str, Any]:
    operation: dict[str, Any] = _SPEC["paths"][path][_PATHS[path]]
    return operation


def get_parameters(path: str) -> dict[str, dict[str, Any]]:
    return {
        parameter["name"].lower(): parameter
        for parameter in get_operation(path).get("parameters", [])
    }


class TestOpenApi:
    @pytest.mark.parametrize("path", _PATHS)
    def test_describes_each_path_and_its_errors(self, path: str) -> None:
        operation = get_operation(path)
        assert operation["summary"]
        assert operation["description"]
        assert {"503", "default"} <= operation["responses"].keys()

    @pytest.mark.parametrize("path", _PATHS)
    def test_describes_each_parameter(self, path: str) -> None:
        for name, parameter in get_parameters(path).items():
            if name not in {"job_id", "limit"}:
                assert parameter["description"], name

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
    def test_lists_the_parameters(self, path: str, names: set[str]) -> None:
        assert names <= get_parameters(path).keys()

    @pytest.mark.parametrize("endpoint", ["result", "items"])
    def test_has_an_example_of_each_format(self, endpoint: str) -> None:
        content = get_operation(f"{_JOB}/{endpoint}/{{job_id}}")["responses"]["200"]["content"]
        assert {"application/json", "text/csv", "application/x-ndjson"} <= content.keys()
        assert content["text/csv"]["example"]

    @pytest.mark.parametrize("name", ["wait", "prefer", "format", "separator"])
    def test_has_an_example_of_each_option(self, name: str) -> None:
        parameter = get_parameters(f"{_JOB}/result/{{job_id}}")[name]
        assert parameter["schema"].get("examples") or parameter.get("examples")

    def test_has_an_example_of_an_event(self) -> None:
        content = get_operation(f"{_JOB}/events/{{job_id}}")["responses"]["200"]["content"]
        assert "event: progress" in content["text/event-stream"]["example"]

    @pytest.mark.parametrize("name", _SPEC["components"]["schemas"])
    def test_has_a_valid_example_of_each_schema(self, name: str) -> None:
        schema = _SPEC["components"]["schemas"][name]
        example = schema["examples"][0] if "examples" in schema else schema["example"]

        Draft202012Validator({**schema, "components": _SPEC["components"]}).validate(example)

    def test_describes_body_and_headers_of_a_start(self) -> None:
        start = get_operation(f"{_JOB}/start")
        assert start["requestBody"]["content"]["application/json"]["example"]["pages"] == 1
        headers = start["responses"]["202"]["headers"].keys()
        assert headers == {"Location", "Retry-After", "Idempotent-Replayed"}

    def test_has_no_error_in_another_shape(self) -> None:
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
        operation: dict[str, Any] = spec["paths"][f"/api/v1/books/list-books/{path}"][method]
        return operation

    def test_has_a_valid_example_of_each_schema(self, spec: dict[str, Any]) -> None:
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
