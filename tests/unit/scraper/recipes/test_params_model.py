from typing import Any

import pytest
from pydantic import ValidationError

from scraper.recipes.models import JobDefinition, Param
from scraper.recipes.schemas import make_params_model

JOB = JobDefinition.model_validate(
    {
        "params": {
            "count": {"type": "integer", "default": 3, "min": 1, "max": 100, "help": "How many"},
            "size": {"type": "integer", "default": 1, "choices": [1, 50]},
            "word": {"type": "string", "default": "all", "pattern": "[a-z]+|X"},
            "least": {"type": "number", "default": 0.5, "max": 2.5},
            "used": {"type": "boolean", "default": False},
            "copy": {"type": "string", "default": "x"},
            "city": {"type": "string"},
        },
        "open": "/{count}/{size}/{word}/{least}/{used}/{copy}/{city}",
        "items": "li",
        "collection": "things",
        "label": {"pt": "coisas", "en": "things"},
        "fields": {"name": "b"},
    }
)
MODEL = make_params_model(JOB, "ShopListParams")
DEFAULTS = {
    "count": 3,
    "size": 1,
    "word": "all",
    "least": 0.5,
    "used": False,
    "copy": "x",
    "city": "Faro",
}


def faults(**given_values: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        MODEL.model_validate({"city": "Faro"} | given_values)
    return [fault["loc"] for fault in caught.value.errors()]


class TestParamsModel:
    def test_has_the_recipes_defaults(self) -> None:
        assert MODEL.model_validate({"city": "Faro"}).model_dump() == DEFAULTS

    def test_needs_what_has_no_default(self) -> None:
        with pytest.raises(ValidationError, match="city"):
            MODEL.model_validate({})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("count", 1),
            ("count", 100),
            ("size", 50),
            ("word", "X"),
            ("least", 2),
            ("least", -1.5),
            ("used", True),
            ("copy", ""),
        ],
    )
    def test_takes_what_is_within_the_bounds(self, name: str, value: object) -> None:
        values = MODEL.model_validate({"city": "Faro", name: value}).model_dump()
        assert values == DEFAULTS | {name: value}
        assert type(values[name]) is type(DEFAULTS[name])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("count", "3"),
            ("count", 3.0),
            ("count", True),
            ("count", None),
            ("count", 0),
            ("count", 101),
            ("size", 2),
            ("size", "50"),
            ("size", True),
            ("word", "ab1"),
            ("word", "ab\n"),
            ("word", "1ab"),
            ("word", "Xa"),
            ("word", ""),
            ("word", 1),
            ("least", "0.5"),
            ("least", 2.6),
            ("least", float("nan")),
            ("least", True),
            ("used", 1),
            ("used", "true"),
            ("copy", ["x"]),
            ("unknown", 1),
            ("NAME_copy", "x"),
        ],
    )
    def test_refuses_what_is_not_and_names_it(self, name: str, value: object) -> None:
        assert faults(**{name: value}) == [(name,)]

    def test_refuses_all_at_once(self) -> None:
        assert faults(count=0, word="", extra=1) == [("count",), ("word",), ("extra",)]

    def test_makes_a_json_schema_for_openapi(self) -> None:
        schema = MODEL.model_json_schema()
        assert schema["title"] == "ShopListParams"
        assert schema["additionalProperties"] is False
        assert schema["required"] == ["city"]
        assert list(schema["properties"]) == list(JOB.params)
        assert schema["properties"]["count"] == {
            "default": 3,
            "description": "How many",
            "maximum": 100,
            "minimum": 1,
            "title": "Count",
            "type": "integer",
        }
        assert schema["properties"]["size"]["enum"] == [1, 50]
        assert schema["properties"]["word"]["pattern"] == "^(?:[a-z]+|X)$"

    @pytest.mark.parametrize("name", ["json", "schema", "model_config", "validate", "class", "id"])
    def test_takes_any_name_for_a_param(self, name: str) -> None:
        job = JOB.model_copy(update={"params": {name: Param(type="integer", default=1)}})
        model = make_params_model(job, "Params")
        assert model.model_validate({}).model_dump() == {name: 1}
        assert model.model_validate({name: 2}).model_dump() == {name: 2}
        assert list(model.model_json_schema()["properties"]) == [name]
