"""A recipe: a site, how to log in, its limits, its jobs."""

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
    """Times in seconds."""

    page_timeout_s: Annotated[
        float,
        Key(gt=0, le=3600, description="For one page, with all its tries and their pauses."),
    ] = 180.0
    login_timeout_s: Annotated[
        float, Key(gt=0, le=600, description="For a login, from opening its page to its end.")
    ] = 60.0
    # A loaded page without items is known within 30 s; the rest of them is for reading it.
    empty_after_s: Annotated[
        float,
        Key(gt=0, le=25, description="How long a loaded page may stay without its first item."),
    ] = 10.0
    settle_s: Annotated[
        float,
        Key(
            ge=0,
            le=25,
            description="A page is read when the number of its items has stood still for so long; "
            "a full one at once.",
        ),
    ] = 0.3
    short_page_settle_s: Annotated[
        float,
        Key(
            ge=0,
            le=25,
            description="The same for a page that has fewer items than page_size says.",
        ),
    ] = 2.0
    tries: Annotated[
        int, Key(ge=1, le=10, description="How often a page is tried, the first time counted.")
    ] = 5
    job_base_s: Annotated[
        float, Key(gt=0, le=86_400, description="A job's time limit, less that for its pages.")
    ] = 300.0
    job_per_page_s: Annotated[
        float, Key(gt=0, le=3600, description="What each page asked for adds to the job's limit.")
    ] = 240.0
    first_pause_s: Annotated[
        float,
        Key(
            ge=0,
            le=60,
            description="Pause before the second try; each next one is twice as long. "
            "The site's Retry-After wins.",
        ),
    ] = 1.0

    def job_s(self, pages: int) -> float:
        """Return the time limit, in seconds, of a job that reads so many pages."""
        return self.job_base_s + self.job_per_page_s * pages


class Fill(StrictModel):
    """The form's fields."""

    username: Annotated[Css, Key(description="Selector of the field for the user's name.")]
    password: Annotated[Css, Key(description="Selector of the field for the password.")]


class DoneWhen(StrictModel):
    """How a login that has worked looks."""

    path_is_not: Annotated[Path, Key(description="The browser has left this path.")]


class FailedWhen(StrictModel):
    """How a login that was refused looks, besides staying where it is."""

    url_has: Annotated[
        Text,
        Key(
            description="The address the browser went to holds this text, below base_url: "
            "in its path or its query."
        ),
    ]


class Login(StrictModel):
    """The login form, and how it ends."""

    open: Annotated[Path, Key(description="The form's page, a path below base_url.")]
    fill: Annotated[Fill, Key(description="The form's fields.")]
    submit: Annotated[Css, Key(description="Selector of the button; it may be disabled at first.")]
    done_when: Annotated[DoneWhen, Key(description="How a login that has worked looks.")]
    failed_when: Annotated[
        FailedWhen | None, Key(description="How a login that was refused looks.")
    ] = None
    error: Annotated[
        Css | None,
        Key(description="Selector of the site's own words about a login that was refused."),
    ] = None


# Whoever reads recipes finds every part of one here.
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
        dict[Slug, JobDefinition],
        Key(min_length=1, description="What can be scraped, by the job's name."),
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
