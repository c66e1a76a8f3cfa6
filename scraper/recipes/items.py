"""The model of a job's items, for the API's page."""

from pydantic import BaseModel

from scraper.recipes.job import Job
from scraper.recipes.shape import item_shape


def item_model(job: Job, name: str) -> type[BaseModel]:
    """The model of one item, called `name`, with the recipe's example.

    Every field is there in each item: a text or null, a boolean, a list of texts, or a list of
    objects, whose models are called after `name` and the field.
    """
    return item_shape(job.fields, name, example=job.example)
