"""Recipes: a site with its login, limits and job definitions."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import Field as Key
from pydantic import (
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from scraper.recipes.field import Field, Item
from scraper.recipes.job import JobDefinition, Label, Next
from scraper.recipes.link import find_url_fault
from scraper.recipes.param import Param
from scraper.recipes.strict_types import (
    BaseUrl,
    HeaderText,
    Host,
    HostName,
    InnerKeyError,
    Path,
    Selector,
    Slug,
    StrictModel,
    Text,
)
from scraper.recipes.yaml_source import KeyPath, nearest_key


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
    person_timeout_s: Annotated[
        float,
        Key(
            gt=0,
            le=604_800,
            description="How long a job waits until a person has imported a session.",
        ),
    ] = 3600.0
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

    username: Annotated[
        Selector | None,
        Key(description="Selector of the field for the user name, if the form has one."),
    ] = None
    password: Annotated[Selector, Key(description="Selector of the field for the password.")]


class DoneWhen(StrictModel):
    """Signs of a successful login; all that are given must be there."""

    path_is_not: Annotated[
        Path | None,
        Key(
            description="The browser has left this path. A query or fragment in it belongs to it: "
            "/?view=login, /#/login."
        ),
    ] = None
    path_is: Annotated[
        Path | None,
        Key(description="The browser is at this path, with the query or fragment in it, if any."),
    ] = None
    exists: Annotated[
        Selector | None, Key(description="A visible element matches this selector.")
    ] = None
    cookie: Annotated[Text | None, Key(description="The site has set a cookie of this name.")] = (
        None
    )

    @model_validator(mode="after")
    def _check_signs(self) -> Self:
        if not self.model_fields_set:
            message = "requires path_is_not, path_is, exists or cookie"
            raise ValueError(message)
        return self


class FailedWhen(StrictModel):
    """Signs of a rejected login, in addition to a form that stays."""

    url_has: Annotated[
        Text,
        Key(description="The path or query of the browser's URL, below base_url, has this text."),
    ]


class StepFill(StrictModel):
    """Fields of one of several login forms."""

    username: Annotated[
        Selector | None, Key(description="Selector of the field for the user name.")
    ] = None
    password: Annotated[
        Selector | None, Key(description="Selector of the field for the password.")
    ] = None
    totp: Annotated[
        Selector | None,
        Key(
            description="Selector of the field for the code of an authenticator app; X_TOTP_SECRET "
            "has its secret."
        ),
    ] = None


class LoginStep(StrictModel):
    """One of several login forms that follow each other."""

    fill: Annotated[StepFill, Key(description="The form's fields, if it has any.")] = StepFill()
    click: Annotated[
        Selector | None,
        Key(
            description="Selector of the button to click on; it may be disabled at first. Without "
            "it, Enter is pressed in the last field."
        ),
    ] = None

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if not self.fill.model_fields_set and self.click is None:
            message = "requires fill or click"
            raise ValueError(message)
        return self


@dataclass(frozen=True)
class LoginForm:
    """A login form. Its parts have their keys in the recipe, such as `login.fill.username`."""

    #: The selectors of its fields; the last part of each key says what belongs there.
    fields: Mapping[str, str]
    #: Key and selector of its button; without one, Enter is pressed in the last field.
    button: tuple[str, str] | None

    @property
    def parts(self) -> dict[str, str]:
        """The selectors of all parts."""
        return dict([*self.fields.items(), *([self.button] if self.button else [])])

    @property
    def password(self) -> str | None:
        """The key of the field for the password, if it has one."""
        return next((key for key in self.fields if key.endswith(".password")), None)

    @property
    def main_part(self) -> str:
        """The key of the part by which the form is recognized."""
        return self.password or [*self.parts][len(self.fields) - 1 if self.fields else 0]


class Logout(StrictModel):
    """How to end a session: one of the two."""

    open: Annotated[Path | None, Key(description="The path of a page that ends it.")] = None
    click: Annotated[
        Selector | None, Key(description="Selector of a button or link on the last page.")
    ] = None

    @model_validator(mode="after")
    def _check_way(self) -> Self:
        if (self.open is None) == (self.click is None):
            message = "requires either open or click"
            raise ValueError(message)
        return self


class Login(StrictModel):
    """The login form, or several that follow each other, and the signs of the outcome."""

    open: Annotated[Path, Key(description="The path of the first form's page below base_url.")]
    fill: Annotated[Fill | None, Key(description="The form's fields, if there is one form.")] = None
    submit: Annotated[
        Selector | None,
        Key(
            description="Selector of the submit button; it may be disabled at first. Without it, "
            "Enter is pressed in the field for the password."
        ),
    ] = None
    steps: Annotated[
        tuple[LoginStep, ...],
        Key(
            strict=False,
            max_length=10,
            description="Several forms that follow each other, instead of fill and submit. A form "
            "that the site does not show is skipped.",
        ),
    ] = ()
    done_when: Annotated[
        DoneWhen | None,
        Key(
            description="Signs of a successful login, in addition to the form being gone and "
            "another page or view being shown."
        ),
    ] = None
    failed_when: Annotated[
        FailedWhen | None,
        Key(description="Signs of a rejected login, in addition to a form that stays."),
    ] = None
    error: Annotated[
        Selector | None,
        Key(description="Selector of the site's error message about a rejected login."),
    ] = None
    needs_person: Annotated[
        Selector | None,
        Key(
            description="Selector of what only a person can do, such as a captcha: the job waits "
            "until somebody has imported a session."
        ),
    ] = None
    sessions: Annotated[
        int | None,
        Key(
            ge=1,
            le=1000,
            description="How many jobs may use one account at the same time; the others wait. By "
            "default there is no limit.",
        ),
    ] = None
    logout: Annotated[
        Logout | None,
        Key(description="Ends the session after each job; no session is kept then."),
    ] = None

    @model_validator(mode="after")
    def _check_forms(self) -> Self:
        if (self.fill is None) == (not self.steps):
            message = "requires either fill or steps"
            raise ValueError(message)
        if self.steps and self.submit is not None:
            message = "has no submit beside steps: each step has its own click"
            raise ValueError(message)
        if self.steps and not any(step.fill.password for step in self.steps):
            message = "requires a step that fills password"
            raise ValueError(message)
        return self

    @property
    def forms(self) -> tuple[LoginForm, ...]:
        """The forms, in their order."""
        if self.fill:
            button = None if self.submit is None else ("login.submit", self.submit)
            return (LoginForm(_fields("login.fill", self.fill), button),)
        return tuple(
            LoginForm(
                _fields(f"login.steps.{index}.fill", step.fill),
                None if step.click is None else (f"login.steps.{index}.click", step.click),
            )
            for index, step in enumerate(self.steps)
        )

    @property
    def has_username(self) -> bool:
        """Whether a form asks for the user name."""
        return any(key.endswith(".username") for form in self.forms for key in form.fields)


def _fields(key: str, fill: Fill | StepFill) -> dict[str, str]:
    """Return the selectors of the fields that are given, by their keys in the recipe."""
    return {f"{key}.{name}": css for name, css in fill if css is not None}


class Viewport(StrictModel):
    """The part of the window that shows pages."""

    width: Annotated[int, Key(ge=100, le=10_000, description="In CSS pixels.")]
    height: Annotated[int, Key(ge=100, le=10_000, description="In CSS pixels.")]


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
    "LoginForm",
    "LoginStep",
    "Logout",
    "Next",
    "Param",
    "Recipe",
    "RecipeSource",
    "StepFill",
    "Viewport",
]

#: Names of the API's own paths and tags, of Celery tasks (`SITE.JOB`), and of variables
#: (`REDIS_PASSWORD` is no site's).
RESERVED_SITES: Final = frozenset(
    {"api", "callbacks", "celery", "docs", "events", "figures", "flower", "garimpo", "health"}
    | {"jobs", "live", "metrics", "recipes", "redis", "sites", "webhook", "webhooks", "workers"}
)


@dataclass(frozen=True)
class RecipeSource:
    """The file that a recipe was loaded from."""

    path: pathlib.Path
    #: The line of each key, from 1.
    lines: Mapping[KeyPath, int]


class Recipe(StrictModel):
    """A site: one YAML file."""

    # Not a part of the recipe, so neither its dump nor its digest contains it.
    _source: RecipeSource | None = PrivateAttr(default=None)

    site: Annotated[
        Slug,
        Key(description="The site's name, in URLs and in variables (X_USERNAME for the site x)."),
    ]
    base_url: Annotated[
        BaseUrl,
        Key(description="The URL to which all paths are relative, unless X_BASE_URL is set."),
    ]
    hosts: Annotated[
        tuple[Host, ...],
        Key(
            strict=False,
            description="Other hosts that the site leads to, such as that of a single sign-on: "
            "sso.example.com, host:port, or an origin with its scheme. Without one, https is "
            "meant, and http too if base_url is http.",
        ),
    ] = ()
    locale: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"),
        Key(description="The language that pages are asked for, such as pt-BR."),
    ] = None
    time_zone: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Z][A-Za-z]*([/_+-][A-Za-z0-9]+)*$"),
        Key(description="The time zone of pages, such as America/Sao_Paulo."),
    ] = None
    viewport: Annotated[
        Viewport | None,
        Key(
            description="How large the window of pages is, for sites that show less in small ones."
        ),
    ] = None
    user_agent: Annotated[
        HeaderText | None,
        Key(description="What the browser calls itself (User-Agent), instead of its own name."),
    ] = None
    images: Annotated[
        bool,
        Key(
            description="Load images, audio and video, for pages that show their items only once "
            "these are there."
        ),
    ] = False
    block: Annotated[
        tuple[HostName, ...],
        Key(
            strict=False,
            description="Hosts that the items do not depend on, such as those of advertisements: "
            "nothing is loaded from them and from their subdomains.",
        ),
    ] = ()
    dismiss: Annotated[
        tuple[Selector, ...],
        Key(
            strict=False,
            description="Selectors of buttons that close banners, such as a cookie notice: each is "
            "clicked whenever it is visible, also before the login.",
        ),
    ] = ()
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
            message = f"{site} is reserved for Garimpo itself: choose another name"
            raise ValueError(message)
        return site

    @model_validator(mode="after")
    def _check_default_urls(self) -> Self:
        for job_name, job in self.jobs.items():
            for name, param in job.params.items():
                if param.type != "url" or param.default is None:
                    continue
                if find_url_fault(str(param.default), param.host_patterns(self.base_url)):
                    message = "must be a whole URL of hosts, or of the site"
                    key = ("jobs", job_name, "params", name, "default")
                    raise InnerKeyError(message, key)
        return self

    def with_source(self, source: RecipeSource) -> Self:
        """Return the same recipe as loaded from a file."""
        recipe = self.model_copy()
        recipe._source = source  # noqa: SLF001 - an instance of this class
        return recipe

    def find_line(self, key: KeyPath) -> int:
        """Return the line of a key, or of its closest ancestor; 0 without a file.

        Args:
            key: Names of mappings and indexes (from 0) of lists, from the root.
        """
        return self._source.lines[nearest_key(key, self._source.lines)] if self._source else 0

    def spell(self, key: KeyPath) -> KeyPath:
        """Return a key as the file has it, or its closest ancestor; without a file, the key itself.

        A selector is named `css` by its user, but may be an `xpath`, or have no key of its own.
        """
        if self._source is None:
            return key
        xpath = (*key[:-1], "xpath")
        is_xpath = key[-1:] == ("css",) and xpath in self._source.lines
        return xpath if is_xpath else nearest_key(key, self._source.lines)

    def locate(self, key: KeyPath) -> str:
        """Return the place of a key, or of its closest ancestor, such as `tubehunt.yaml:14`.

        Args:
            key: Such as `("jobs", "scrape-channels", "fields", "title", "css")`.

        Returns:
            The file's name and the line; empty if the recipe was not loaded from a file.
        """
        return f"{self._source.path.name}:{self.find_line(key)}" if self._source else ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the recipe's canonical JSON.

        Neither the order of keys nor a key that is equal to its default changes it.
        """
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
