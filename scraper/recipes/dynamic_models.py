"""Build pydantic models from recipe fields."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, create_model
from pydantic import Field as Key

from scraper.recipes.field import Field


def make_model(
    name: str, attributes: Mapping[str, tuple[Any, Any]], extra: Literal["forbid", "ignore"]
) -> type[BaseModel]:
    """Return a strict model.

    Args:
        name: The model's name.
        attributes: Types and pydantic fields by their names in the recipe. A name that pydantic's
            models use themselves, such as `copy`, becomes an alias, which validation,
            `model_dump()` and the JSON Schema use.
        extra: Whether unknown keys are forbidden or ignored.
    """
    settings = ConfigDict(
        strict=True, extra=extra, protected_namespaces=(), serialize_by_alias=True, title=name
    )
    renamed: dict[str, Any] = {}
    for key, (value_type, info) in attributes.items():
        if hasattr(BaseModel, key):
            # Names in recipes are in lower case.
            renamed[f"NAME_{key}"] = (Annotated[value_type, Key(alias=key)], info)
        else:
            renamed[key] = (value_type, info)
    return create_model(name, __config__=settings, **renamed)


def build_item_model(
    fields: Mapping[str, Field],
    name: str,
    *,
    example: Mapping[str, Any] | None = None,
    extra: Literal["forbid", "ignore"] = "ignore",
) -> type[BaseModel]:
    """Return the model of an item: every field of the recipe, all of them required.

    Args:
        fields: The recipe's fields by name; a nested field gets a model named after both.
        name: The model's name.
        example: An item, from which each field gets its example: pydantic would sort the keys of
            an example of the whole model.
        extra: Whether unknown keys are forbidden or ignored.
    """
    attributes: dict[str, tuple[Any, Any]] = {}
    for key, field in fields.items():
        example_value = (example or {}).get(key)
        if field.fields is None:
            types: dict[str, Any] = {"flag": bool, "texts": list[str], "text": str | None}
            examples = None if example is None else [example_value]
            attributes[key] = (types[field.kind], Key(examples=examples))
        else:
            nested = build_item_model(
                field.fields,
                name + key.title().replace("_", ""),
                example=example_value[0] if example_value else None,
                extra=extra,
            )
            attributes[key] = (list[nested], Key())  # type: ignore[valid-type]  # created at run time
    return make_model(name, attributes, extra)
