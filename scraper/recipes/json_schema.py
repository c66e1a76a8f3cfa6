"""JSON Schema of a recipe file, for editors; `python -m scraper.recipes.json_schema` prints it."""

import json
import sys
from typing import Any

from scraper.recipes.models import Recipe


def recipe_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a recipe's YAML file.

    It covers every key, with its type, its bounds and a description. Relations between keys are
    checked by the loader only.
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema: dict[str, Any] = _for_editors(Recipe.model_json_schema())
    return dialect | schema | {"title": "Garimpo recipe"}


def schema_text() -> str:
    """Return the content of scraper/sites/recipe.schema.json."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


def _for_editors(schema: Any) -> Any:
    """Return pydantic's schema with the loader's rules: no nulls, no invalid names."""
    if isinstance(schema, list):
        return [_for_editors(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    result = {key: _for_editors(value) for key, value in schema.items()}
    if result.get("default", ...) is None:
        del result["default"]
    if "patternProperties" in result:
        result["additionalProperties"] = False
    if len(result.get("anyOf", ())) == 1:
        result = result.pop("anyOf")[0] | result
    return result


if __name__ == "__main__":
    sys.stdout.write(schema_text())
