"""Pydantic models of a job's parameters and items."""

from typing import Any

from pydantic import BaseModel, ValidationError, model_validator
from pydantic import Field as Key
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails, PydanticCustomError

from scraper.recipes.dynamic_models import build_item_model, make_model
from scraper.recipes.job import JobDefinition
from scraper.recipes.link import find_value_faults
from scraper.recipes.url_template import PathFault, find_path_faults, is_path_segment


def make_item_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """Return the model of an item, with the recipe's example.

    Args:
        job: The job definition. All its fields are required: a text or null, a boolean, a list of
            texts, or a list of objects, whose models are named after `name` and the field.
        name: The model's name.
    """
    return build_item_model(job.item_fields, name, example=job.example)


def make_params_model(job: JobDefinition, name: str, base_url: str) -> type[BaseModel]:
    """Return the model of a start's parameters, with the recipe's defaults and bounds.

    It rejects unknown names, and "3" is not an integer; and values, defaults included, with which
    the URL would lead to another page (`find_path_faults`). `model_dump()` returns the values by
    their names in the recipe.

    Where a job reads a page for each value of a list, a single one may be given by its own name.

    Args:
        job: The job definition.
        name: The model's name.
        base_url: The site's URL, to which links have to lead.
    """
    attributes: dict[str, tuple[Any, Any]] = {}
    for key, param in job.params.items():
        default: Any = ... if param.default is None else param.default
        is_text = param.type == "string" and not param.choices
        # For the documentation only: the check below has a message that says why.
        schema: JsonDict | None = (
            {"minLength": 1} if is_text and is_path_segment(job.open, key) else None
        )
        attributes[key] = (
            param.value_type,
            Key(default, description=param.help, json_schema_extra=schema),
        )

    each = (job.next.each if job.next else None) or ""
    singular = job.singular

    def check_path(params: BaseModel) -> BaseModel:
        values = params.model_dump()
        if singular is None:
            faults: dict[tuple[str | int, ...], PathFault] = {
                (key,): fault for key, fault in find_path_faults(job.open, values).items()
            }
        else:
            faults = {}
            for index, value in enumerate(values[each]):
                found = find_value_faults(job.open, {**values, singular: value}, singular, base_url)
                for name_at_fault, fault in found.items():
                    is_value = name_at_fault == singular
                    faults[(each, index) if is_value else (name_at_fault,)] = fault
        if faults:
            raise ValidationError.from_exception_data(
                name,
                [
                    InitErrorDetails(
                        type=PydanticCustomError(fault.value, fault.reason), loc=place, input=None
                    )
                    for place, fault in faults.items()
                ],
            )
        return params

    validators: dict[str, Any] = {"check_path": model_validator(mode="after")(check_path)}
    schema_extra: JsonDict | None = None
    if singular is not None:
        validators["take_one"] = model_validator(mode="before")(_make_taker(each, singular))
        text = f"One value, in place of {each}."
        schema_extra = {"properties": {singular: {"type": "string", "description": text}}}
    return make_model(
        name, attributes, extra="forbid", validators=validators, schema_extra=schema_extra
    )


def _make_taker(each: str, singular: str) -> Any:
    """Return a validator that lets one value be given by the name of one."""

    def take(values: Any) -> Any:
        if not isinstance(values, dict) or singular not in values or each in values:
            return values
        return {each: [values[singular]], **{k: v for k, v in values.items() if k != singular}}

    return take
