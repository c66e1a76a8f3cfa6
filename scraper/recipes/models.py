"""A recipe: a site, how to log in, its limits, its jobs."""

import hashlib
import json
from typing import Annotated, Final

from pydantic import Field as Key
from pydantic import field_validator

from scraper.recipes.field import Field
from scraper.recipes.job import JobDefinition, Label, Next
from scraper.recipes.limits import Limits
from scraper.recipes.login import DoneWhen, FailedWhen, Fill, Login
from scraper.recipes.notation import BaseUrl, StrictModel, Slug
from scraper.recipes.param import Param

# Whoever reads recipes finds every part of one here.
__all__ = [
    "DoneWhen",
    "FailedWhen",
    "Field",
    "Fill",
    "JobDefinition",
    "Label",
    "Limits",
    "Login",
    "Next",
    "Param",
    "Recipe",
]

#: /api/v1/jobs is the API's own.
RESERVED_SITES: Final = frozenset({"jobs"})


class Recipe(StrictModel):
    """All that is known of a site: one YAML file."""

    site: Annotated[
        Slug, Key(description="The site's name: in addresses, and X_USERNAME for a site x.")
    ]
    base_url: Annotated[
        BaseUrl, Key(description="The address that all paths are below, unless X_BASE_URL is set.")
    ]
    login: Annotated[Login | None, Key(description="How to log in, if the site needs it.")] = None
    limits: Annotated[Limits, Key(description="How long to wait, how often to try.")] = Limits()
    jobs: Annotated[
        dict[Slug, JobDefinition], Key(min_length=1, description="What can be scraped, by the job's name.")
    ]

    @field_validator("site")
    @classmethod
    def _check_site(cls, site: str) -> str:
        if site in RESERVED_SITES:
            message = f"{site} is reserved for the API"
            raise ValueError(message)
        return site

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the recipe's canonical JSON: the same for the same meaning.

        The order of keys and what stands for a default do not change it.
        """
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
