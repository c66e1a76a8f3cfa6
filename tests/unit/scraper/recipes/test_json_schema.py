import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

from scraper.recipes.json_schema import recipe_schema, schema_text
from scraper.recipes.json_source import JsonItems
from scraper.recipes.loader import BUNDLED
from scraper.recipes.models import Field, JobDefinition, Limits, Login, Next, Param, Recipe

SCHEMA = recipe_schema()
TUBEHUNT = BUNDLED / "tubehunt.yaml"


def read_tubehunt() -> dict[str, Any]:
    recipe: dict[str, Any] = yaml.safe_load(TUBEHUNT.read_text(encoding="utf-8"))
    return recipe


class TestRecipeSchema:
    def test_is_a_json_schema(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_accepts_the_bundled_recipe(self) -> None:
        jsonschema.Draft202012Validator(SCHEMA).validate(read_tubehunt())

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("sight",), "x"),
            (("site",), "Tube"),
            (("login", "submit"), None),
            (("limits", "tries"), 11),
            (("jobs", "Scrape"), {}),
            (("jobs", "scrape-channels", "opens"), "/"),
            (("jobs", "scrape-channels", "items"), ""),
            (("jobs", "scrape-channels", "params", "pages", "type"), "int"),
            (("jobs", "scrape-channels", "fields", "country"), {"cs": ".country"}),
            (("jobs", "scrape-channels", "fields", "country"), 1),
            (("jobs", "scrape-channels", "fields", "Country"), ".country"),
            (("jobs", "scrape-channels", "fields", "recent_videos", "limit"), 0),
        ],
    )
    def test_rejects_a_fault_that_the_loader_rejects(
        self, place: tuple[str, ...], value: object
    ) -> None:
        recipe = read_tubehunt()
        mapping = recipe
        for key in place[:-1]:
            mapping = mapping[key]
        mapping[place[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(recipe)

    @pytest.mark.parametrize(
        "model", [Recipe, Login, Limits, JobDefinition, JsonItems, Next, Param, Field]
    )
    def test_has_a_description_of_every_key(self, model: type[Recipe]) -> None:
        assert [key for key, info in model.model_fields.items() if not info.description] == []

    def test_has_all_notations_of_a_field(self) -> None:
        bare, mapping, alternatives = SCHEMA["$defs"]["Field"]["anyOf"]
        assert bare["type"] == "string"
        assert set(mapping["properties"]) == set(Field.model_fields) - {"alternatives", "is_json"}
        assert alternatives["items"] == {"$ref": "#/$defs/Field"}

    def test_has_both_notations_of_items(self) -> None:
        validator = jsonschema.Draft202012Validator(SCHEMA)
        recipe = read_tubehunt()
        job = recipe["jobs"]["scrape-channels"]
        for items in ("li", {"json": "#data", "path": "list", "where": {"@type": "A", "n": 1}}):
            job["items"] = items
            validator.validate(recipe)
        job["items"] = {"jsn": "#data"}
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(recipe)

    def test_is_up_to_date_beside_the_recipes(self) -> None:
        # To update it: python -m scraper.recipes.json_schema > scraper/sites/recipe.schema.json
        committed = (BUNDLED / "recipe.schema.json").read_text(encoding="utf-8")
        assert committed == schema_text()
        assert json.loads(committed) == SCHEMA

    def test_is_referenced_by_the_bundled_recipe(self) -> None:
        first = TUBEHUNT.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=recipe.schema.json"
