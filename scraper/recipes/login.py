"""How to log in to a site."""

from typing import Annotated

from pydantic import Field as Key

from scraper.recipes.notation import Css, StrictModel, Path, Text


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
