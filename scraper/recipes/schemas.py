"""Pydantic models of a job's parameters and items."""

from typing import Any

from pydantic import BaseModel
from pydantic import Field as Key

from scraper.recipes.dynamic_models import build_item_model, make_model
from scraper.recipes.job import JobDefinition


def make_item_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """Return the model of an item, with the recipe's example.

    Args:
        job: The job definition. All its fields are required: a text or null, a boolean, a list of
            texts, or a list of objects, whose models are named after `name` and the field.
        name: The model's name.
    """
    return build_item_model(job.fields, name, example=job.example)


def make_params_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """Return the model of a start's parameters, with the recipe's defaults and bounds.

    It rejects unknown names, and "3" is not an integer. `model_dump()` returns the values by their
    names in the recipe.

    Args:
        job: The job definition.
        name: The model's name.
    """
    attributes: dict[str, tuple[Any, Any]] = {}
    for key, param in job.params.items():
        default = ... if param.default is None else param.default
        attributes[key] = (param.value_type, Key(default, description=param.help))
    return make_model(name, attributes, extra="forbid")
