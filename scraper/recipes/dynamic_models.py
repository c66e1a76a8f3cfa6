"""Build pydantic models from recipe fields."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, WithJsonSchema, create_model
from pydantic import Field as Key
from pydantic.config import JsonDict

from scraper.recipes.field import Field, Kind


def make_model(
    name: str,
    attributes: Mapping[str, tuple[Any, Any]],
    extra: Literal["forbid", "ignore"],
    *,
    validators: Mapping[str, Any] | None = None,
    schema_extra: JsonDict | None = None,
) -> type[BaseModel]:
    """Return a strict model.

    Args:
        name: The model's name.
        attributes: Types and pydantic fields by their names in the recipe. A name that pydantic's
            models use themselves, such as `copy`, becomes an alias, which validation,
            `model_dump()` and the JSON Schema use.
        extra: Whether unknown keys are forbidden or ignored.
        validators: Pydantic's validators, by name.
        schema_extra: What the JSON Schema has too.
    """
    settings = ConfigDict(
        strict=True,
        extra=extra,
        protected_namespaces=(),
        serialize_by_alias=True,
        title=name,
        json_schema_extra=_make_schema_adder(schema_extra or {}),
    )
    renamed: dict[str, Any] = {}
    for key, (value_type, info) in attributes.items():
        if hasattr(BaseModel, key):
            # Names in recipes are in lower case.
            renamed[f"NAME_{key}"] = (Annotated[value_type, Key(alias=key)], info)
        else:
            renamed[key] = (value_type, info)
    return create_model(name, __config__=settings, __validators__=dict(validators or {}), **renamed)


def _make_schema_adder(extra: JsonDict) -> Callable[[JsonDict], None]:
    """Return a function that adds properties to a JSON Schema."""

    def add(schema: JsonDict) -> None:
        for name, further in extra.items():
            schema[name] = {**cast("JsonDict", schema.get(name, {})), **cast("JsonDict", further)}

    return add


#: A number, whole if it can be: JSON has one type for both.
Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
#: RFC 3339: a date, or a date and time with its offset.
Date = Annotated[str, Key(description="2026-03-12, or 2026-03-12T14:30:00-03:00 with a time")]
_TYPES: Final[Mapping[Kind, Any]] = {
    "text": str,
    "url": str,
    "number": Number,
    "date": Date,
    "count": int,
    "flag": bool,
}


def _value_type(field: Field) -> Any:
    """Return the type of a field's values, if these are not objects."""
    value_type = _TYPES[field.kind]
    if field.is_list:
        return list[value_type]  # type: ignore[valid-type]  # known at run time
    last = field.alternatives[-1] if field.alternatives else field
    is_always_there = field.kind in {"flag", "count"} or last.value is not None
    return value_type if is_always_there else value_type | None


def _raw_type(field: Field) -> Any:
    """Return the type of what a page returns of a field, if it is not a list of objects."""
    if field.alternatives:
        types = tuple(_raw_type(alternative) for alternative in field.alternatives)
        # From a list of JSON, which is no tuple.
        return Annotated[tuple[types], Key(strict=False)]  # type: ignore[valid-type]  # as above
    if field.value is not None or field.kind in {"flag", "count"}:
        return _TYPES[field.kind]
    text: Any = str | Number if field.is_json and field.kind == "number" else str
    return list[text] if field.is_list else text | None


def build_item_model(
    fields: Mapping[str, Field],
    name: str,
    *,
    example: Mapping[str, Any] | None = None,
    extra: Literal["forbid", "ignore"] = "ignore",
    is_raw: bool = False,
) -> type[BaseModel]:
    """Return the model of an item: every field of the recipe, all of them required.

    Args:
        fields: The recipe's fields by name; a nested field gets a model named after both.
        name: The model's name.
        example: An item, from which each field gets its example: pydantic would sort the keys of
            an example of the whole model.
        extra: Whether unknown keys are forbidden or ignored.
        is_raw: Whether items are meant as pages return them: texts that have no other type yet.
    """
    attributes: dict[str, tuple[Any, Any]] = {}
    for key, field in fields.items():
        example_value = (example or {}).get(key)
        if field.fields is None:
            value_type = _raw_type(field) if is_raw else _value_type(field)
            examples = None if example is None else [example_value]
            attributes[key] = (value_type, Key(examples=examples))
        else:
            nested = build_item_model(
                field.fields,
                name + key.title().replace("_", ""),
                example=example_value[0] if example_value else None,
                extra=extra,
                is_raw=is_raw,
            )
            attributes[key] = (list[nested], Key())  # type: ignore[valid-type]  # created at run time
    return make_model(name, attributes, extra)
