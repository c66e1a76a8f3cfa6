"""All endpoints of one recipe job."""

from fastapi import APIRouter

from api.export import Exporter
from api.openapi import make_result_model
from api.routes import cancel, deliveries, events, items, result, start
from jobs.model.job import task_name
from scraper.recipes.models import Recipe
from scraper.recipes.schemas import make_item_model, make_params_model


def make_router(recipe: Recipe, name: str) -> APIRouter:
    """Make the addresses of one job.

    Args:
        recipe: The site's recipe.
        name: The job's name in it.
    """
    title = "".join(part.title() for part in f"{recipe.site}-{name}".split("-"))
    job, task = recipe.jobs[name], task_name(recipe.site, name)
    item, files = make_item_model(job, f"{title}Item"), Exporter(recipe, name)
    router = APIRouter(prefix=f"/api/v1/{recipe.site}/{name}", tags=[recipe.site])
    start.add(router, recipe, name, make_params_model(job, f"{title}Params"))
    result.add(router, task, make_result_model(job, item, title), files)
    items.add(router, task, items.make_items_model(item, title), files)
    events.add(router, task)
    cancel.add(router, task)
    deliveries.add(router, task)
    return router
