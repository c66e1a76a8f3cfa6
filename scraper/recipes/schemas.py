"""Pydantic models of a job's parameters and items."""

from typing import Any

from pydantic import BaseModel
from pydantic import Field as Key

from scraper.recipes.dynamic_models import build_item_model, make_model
from scraper.recipes.job import JobDefinition


def make_item_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """The model of one item, called `name`, with the recipe's example.

    Every field is there in each item: a text or null, a boolean, a list of texts, or a list of
    objects, whose models are called after `name` and the field.
    """
    return build_item_model(job.fields, name, example=job.example)


def make_params_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """The model of a start's parameters, called `name`.

    It has the recipe's defaults and bounds and refuses unknown names; types are strict: a "3" is
    no integer. `model_dump()` gives the values by their names in the recipe.
    """
    attributes: dict[str, tuple[Any, Any]] = {}
    for key, param in job.params.items():
        default = ... if param.default is None else param.default
        attributes[key] = (param.value_type, Key(default, description=param.help))
    return make_model(name, attributes, extra="forbid")
