"""Pydantic models of a job's parameters and items."""

import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic import Field as Key

from scraper.recipes.dynamic_models import build_item_model, make_model
from scraper.recipes.job import JobDefinition
from scraper.recipes.param import Param, check_value


def make_item_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """The model of one item, called `name`, with the recipe's example.

    Every field is there in each item: a text or null, a boolean, a list of texts, or a list of
    objects, whose models are called after `name` and the field.
    """
    return build_item_model(job.fields, name, example=job.example)


_BOOLEANS: Final = {"true": True, "false": False}


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


def parse_value(param: Param, text: str) -> int | float | str | bool:
    """Read a parameter's value from the text of a command line.

    Raises:
        ValueError: the text is no such value, or one out of bounds; its text is a sentence
            without a subject, such as "must be at most 100".
    """
    value = _typed(param, text)
    check_value(param.value_type, value)
    return value


def _typed(param: Param, text: str) -> int | float | str | bool:
    if param.type == "integer" and re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if param.type == "number" and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        return float(text)
    if param.type == "boolean" and text in _BOOLEANS:
        return _BOOLEANS[text]
    # What is left of the other types is refused with their own words.
    return text
