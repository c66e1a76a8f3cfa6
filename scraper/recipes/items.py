"""The model of a job's items, for the API's page."""

from pydantic import BaseModel

from scraper.recipes.job import JobDefinition
from scraper.recipes.shape import build_item_model


def make_item_model(job: JobDefinition, name: str) -> type[BaseModel]:
    """The model of one item, called `name`, with the recipe's example.

    Every field is there in each item: a text or null, a boolean, a list of texts, or a list of
    objects, whose models are called after `name` and the field.
    """
    return build_item_model(job.fields, name, example=job.example)
