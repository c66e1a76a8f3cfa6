"""JSON Schema of a recipe file, for editors; `python -m scraper.recipes.json_schema` prints it."""

import json
import sys
from typing import Any

from scraper.recipes.models import Recipe


def recipe_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a recipe's YAML file.

    It knows every key, with its type, its bounds and a line of help. What holds between keys
    only the loader checks.
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema: dict[str, Any] = _for_editors(Recipe.model_json_schema())
    return dialect | schema | {"title": "Garimpo recipe"}


def schema_text() -> str:
    """The schema as it stands in scraper/sites/recipe.schema.json."""
    return json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"


def _for_editors(schema: Any) -> Any:
    """Pydantic's schema as the loader reads files: no nulls, and names only as they may be."""
    if isinstance(schema, list):
        return [_for_editors(part) for part in schema if part != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _for_editors(value) for key, value in schema.items()}
    if tidy.get("default", ...) is None:
        del tidy["default"]
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    if len(tidy.get("anyOf", ())) == 1:
        tidy = tidy.pop("anyOf")[0] | tidy
    return tidy


if __name__ == "__main__":
    sys.stdout.write(schema_text())
