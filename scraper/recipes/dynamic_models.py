"""Build pydantic models from recipe fields."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, create_model
from pydantic import Field as Key

from scraper.recipes.field import Field


def make_model(
    name: str, attributes: Mapping[str, tuple[Any, Any]], extra: Literal["forbid", "ignore"]
) -> type[BaseModel]:
    """A strict model from types and pydantic fields, by the recipe's names for them.

    Any name serves, also one that pydantic's models have for themselves, such as `copy`: it is
    an alias then, which validation, `model_dump()` and the JSON Schema go by.
    """
    settings = ConfigDict(
        strict=True, extra=extra, protected_namespaces=(), serialize_by_alias=True, title=name
    )
    renamed: dict[str, Any] = {}
    for key, (value_type, info) in attributes.items():
        if hasattr(BaseModel, key):
            # No name of a recipe has capitals.
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
    """The model of an item: every field of the recipe, all of them required.

    Nested fields make models of their own, named after this one and the field. The example goes
    to the fields one by one: as a whole, pydantic would put it into alphabetical order.
    """
    attributes: dict[str, tuple[Any, Any]] = {}
    for key, field in fields.items():
        shown = (example or {}).get(key)
        if field.fields is None:
            plain: dict[str, Any] = {"flag": bool, "texts": list[str], "text": str | None}
            examples = None if example is None else [shown]
            attributes[key] = (plain[field.kind], Key(examples=examples))
        else:
            nested = build_item_model(
                field.fields,
                name + key.title().replace("_", ""),
                example=shown[0] if shown else None,
                extra=extra,
            )
            attributes[key] = (list[nested], Key())  # type: ignore[valid-type]  # made at run time
    return make_model(name, attributes, extra)
