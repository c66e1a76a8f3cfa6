"""Pydantic models of a job's parameters and items."""

from typing import Any

from pydantic import BaseModel, ValidationError, model_validator
from pydantic import Field as Key
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails, PydanticCustomError

from scraper.recipes.dynamic_models import build_item_model, make_model
from scraper.recipes.job import JobDefinition
from scraper.recipes.link import find_url_fault, find_value_faults
from scraper.recipes.origin import Origin
from scraper.recipes.param import Param
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
    hosts = {
        key: ", ".join(param.hosts or [str(Origin.parse(base_url))])
        for key, param in job.params.items()
        if param.type == "url"
    }
    attributes = {
        key: (param.value_type, _describe_param(job, key, param, hosts.get(key)))
        for key, param in job.params.items()
    }
    each = (job.next.each if job.next else None) or ""
    singular = job.singular

    def check_urls(params: BaseModel) -> BaseModel:
        faults = [
            InitErrorDetails(
                type=PydanticCustomError(
                    fault.value, fault.reason, {"hosts": hosts.get(str(place[0]), "")}
                ),
                loc=place,
                input=None,
            )
            for place, fault in _find_faults(job, params.model_dump(), base_url).items()
        ]
        if faults:
            raise ValidationError.from_exception_data(name, faults)
        return params

    validators: dict[str, Any] = {"check_urls": model_validator(mode="after")(check_urls)}
    schema_extra: JsonDict | None = None
    if singular is not None:
        validators["take_one"] = model_validator(mode="before")(_make_taker(each, singular))
        text = f"One value, in place of {each}."
        schema_extra = {"properties": {singular: {"type": "string", "description": text}}}
    return make_model(
        name, attributes, extra="forbid", validators=validators, schema_extra=schema_extra
    )


def _describe_param(job: JobDefinition, name: str, param: Param, hosts: str | None) -> Any:
    """Return the pydantic field of a param, for validation and OpenAPI.

    Args:
        job: The job definition.
        name: The param's name.
        param: The param.
        hosts: The hosts of a url; None for another type.
    """
    # For the documentation only: `_find_faults` has a message that says why.
    schema: JsonDict | None = None
    if param.type == "string" and not param.choices and is_path_segment(job.open, name):
        schema = {"minLength": 1}
    description = param.help
    if hosts is not None:
        schema = {"format": "uri"}
        description = description or f"A URL of {hosts}"
    default: Any = ... if param.default is None else param.default
    return Key(default, description=description, json_schema_extra=schema)


def _find_faults(
    job: JobDefinition, values: dict[str, Any], base_url: str
) -> dict[tuple[str | int, ...], PathFault]:
    """Return the places of the values that would lead to another page, with the fault."""
    faults: dict[tuple[str | int, ...], PathFault] = {}
    for name, param in job.params.items():
        if param.type == "url" and (
            fault := find_url_fault(values[name], param.host_patterns(base_url))
        ):
            faults[name,] = fault
    each = job.next.each if job.next else None
    if each is None or job.singular is None:
        path_faults = find_path_faults(job.open, values)
        return faults | {(name,): fault for name, fault in path_faults.items()}
    for index, value in enumerate(values[each]):
        filled = {**values, job.singular: value}
        found = find_value_faults(job.open, filled, job.singular, base_url)
        for name, fault in found.items():
            faults[(each, index) if name == job.singular else (name,)] = fault
    return faults


def _make_taker(each: str, singular: str) -> Any:
    """Return a validator that lets one value be given by the name of one."""

    def take(values: Any) -> Any:
        if not isinstance(values, dict) or singular not in values or each in values:
            return values
        return {each: [values[singular]], **{k: v for k, v in values.items() if k != singular}}

    return take
