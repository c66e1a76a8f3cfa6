"""Recipes: a site with its login, limits and job definitions."""

import hashlib
import json
from typing import Annotated, Final

from pydantic import Field as Key
from pydantic import field_validator

from scraper.recipes.field import Field, Item
from scraper.recipes.job import JobDefinition, Label, Next
from scraper.recipes.param import Param
from scraper.recipes.strict_types import BaseUrl, Css, Path, Slug, StrictModel, Text


class Limits(StrictModel):
    """Time limits, in seconds, and the number of attempts."""

    page_timeout_s: Annotated[
        float,
        Key(
            gt=0,
            le=3600,
            description="For one page, including all attempts and the pauses between them.",
        ),
    ] = 180.0
    login_timeout_s: Annotated[
        float, Key(gt=0, le=600, description="For a login, including all attempts.")
    ] = 60.0
    # A page without items is detected within 30 s: 25 s here, the rest to load and read it.
    empty_after_s: Annotated[
        float,
        Key(
            gt=0,
            le=25,
            description="How long a loaded page may have no item before it counts as empty.",
        ),
    ] = 10.0
    settle_s: Annotated[
        float,
        Key(
            ge=0,
            le=25,
            description="How long the number of items must be stable before a page is read; a full "
            "page is read at once.",
        ),
    ] = 0.3
    short_page_settle_s: Annotated[
        float,
        Key(
            ge=0,
            le=25,
            description="The same for a page with fewer items than page_size.",
        ),
    ] = 2.0
    tries: Annotated[
        int,
        Key(
            ge=1,
            le=10,
            description="The maximum number of attempts at a page, including the first.",
        ),
    ] = 5
    job_base_s: Annotated[
        float, Key(gt=0, le=86_400, description="A job's time limit without its pages.")
    ] = 300.0
    job_per_page_s: Annotated[
        float,
        Key(gt=0, le=3600, description="Added to the job's time limit for each page requested."),
    ] = 240.0
    first_pause_s: Annotated[
        float,
        Key(
            ge=0,
            le=60,
            description="The pause before the second attempt; it doubles with each attempt. A "
            "longer Retry-After of the site takes precedence.",
        ),
    ] = 1.0

    def job_s(self, pages: int) -> float:
        """Return the time limit, in seconds, of a job with this number of pages."""
        return self.job_base_s + self.job_per_page_s * pages


class Fill(StrictModel):
    """Fields of the login form."""

    username: Annotated[Css, Key(description="Selector of the field for the user name.")]
    password: Annotated[Css, Key(description="Selector of the field for the password.")]


class DoneWhen(StrictModel):
    """Signs of a successful login."""

    path_is_not: Annotated[Path, Key(description="The browser has left this path.")]


class FailedWhen(StrictModel):
    """Signs of a rejected login, in addition to a form that stays."""

    url_has: Annotated[
        Text,
        Key(description="The path or query of the browser's URL, below base_url, has this text."),
    ]


class Login(StrictModel):
    """The login form and the signs of its outcome."""

    open: Annotated[Path, Key(description="The path of the form's page below base_url.")]
    fill: Annotated[Fill, Key(description="The form's fields.")]
    submit: Annotated[
        Css, Key(description="Selector of the submit button; it may be disabled at first.")
    ]
    done_when: Annotated[DoneWhen, Key(description="Signs of a successful login.")]
    failed_when: Annotated[
        FailedWhen | None,
        Key(description="Signs of a rejected login, in addition to a form that stays."),
    ] = None
    error: Annotated[
        Css | None,
        Key(description="Selector of the site's error message about a rejected login."),
    ] = None


# The parts of a recipe can be imported from here.
__all__ = [
    "DoneWhen",
    "FailedWhen",
    "Field",
    "Fill",
    "Item",
    "JobDefinition",
    "Label",
    "Limits",
    "Login",
    "Next",
    "Param",
    "Recipe",
]

#: /api/v1/jobs belongs to the API itself.
RESERVED_SITES: Final = frozenset({"jobs"})


class Recipe(StrictModel):
    """A site: one YAML file."""

    site: Annotated[
        Slug,
        Key(description="The site's name, in URLs and in variables (X_USERNAME for the site x)."),
    ]
    base_url: Annotated[
        BaseUrl,
        Key(description="The URL to which all paths are relative, unless X_BASE_URL is set."),
    ]
    login: Annotated[Login | None, Key(description="The login, if the site requires one.")] = None
    limits: Annotated[Limits, Key(description="Time limits and number of attempts.")] = Limits()
    jobs: Annotated[
        dict[Slug, JobDefinition],
        Key(min_length=1, description="The job definitions by name."),
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
        """SHA-256 (hex) of the recipe's canonical JSON.

        Neither the order of keys nor a key that is equal to its default changes it.
        """
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
