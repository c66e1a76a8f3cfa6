"""One job of a recipe, with the models of its endpoints."""

from dataclasses import dataclass
from typing import Final, Self

from fastapi import Request
from pydantic import BaseModel

from api.export import Exporter
from api.openapi import ItemsPage, make_items_model, make_result_model
from api.request_body import make_start_model
from jobs.model.job import task_name
from jobs.schemas import JobResult
from scraper.recipes.models import JobDefinition, Recipe
from scraper.recipes.param import MAX_VALUES
from scraper.recipes.schemas import make_item_model, make_params_model

# A long link, with its quotes.
_LINK_BYTES: Final = 200


@dataclass(frozen=True, eq=False)
class RecipeJob:
    """A job of a recipe; `bind` makes it available to the handlers of its router."""

    recipe: Recipe
    #: The job's name in the recipe.
    name: str
    params_model: type[BaseModel]
    #: The parameters, the webhook's fields, and the account.
    start_model: type[BaseModel]
    item_model: type[BaseModel]
    items_model: type[ItemsPage]
    result_model: type[JobResult]
    exporter: Exporter

    @classmethod
    def build(cls, recipe: Recipe, name: str) -> Self:
        """Build the models of a recipe's job.

        Args:
            recipe: The recipe.
            name: The job's name in it.
        """
        # The models' names, such as ShopListProductsItem, are components in OpenAPI.
        title = "".join(part.title() for part in f"{recipe.site}-{name}".split("-"))
        definition = recipe.jobs[name]
        params_model = make_params_model(definition, f"{title}Params", recipe.base_url)
        item_model = make_item_model(definition, f"{title}Item")
        return cls(
            recipe=recipe,
            name=name,
            params_model=params_model,
            start_model=make_start_model(params_model, has_login=recipe.login is not None),
            item_model=item_model,
            items_model=make_items_model(item_model, title),
            result_model=make_result_model(definition, item_model, title),
            exporter=Exporter(recipe, name),
        )

    @property
    def definition(self) -> JobDefinition:
        """The job's definition in the recipe."""
        return self.recipe.jobs[self.name]

    @property
    def list_bytes(self) -> int:
        """How many bytes the lists in a start's body may take, in addition to other values."""
        lists = [param for param in self.definition.params.values() if param.type == "list"]
        return sum(int(param.max or MAX_VALUES) * _LINK_BYTES for param in lists)

    @property
    def task_name(self) -> str:
        """The Celery task that runs it."""
        return task_name(self.recipe.site, self.name)

    @property
    def path(self) -> str:
        """The path that its endpoints begin with."""
        return f"/api/v1/{self.recipe.site}/{self.name}"

    async def bind(self, request: Request) -> None:
        """Attach this recipe job to a request (a dependency of the router)."""
        request.state.recipe_job = self
