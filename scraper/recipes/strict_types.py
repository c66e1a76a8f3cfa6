"""Strict base model and string types of recipes: names, selectors, regexes, paths."""

import re
import warnings
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, field_validator

from scraper.recipes.url_template import has_stray_brace

SLUG: Final = "^[a-z][a-z0-9-]*$"
NAME: Final = "^[a-z][a-z0-9_]*$"

# What JavaScript writes otherwise than Python, with a piece that Python takes in its place.
_IN_PYTHON: Final = {
    r"\(\?<(?![=!])": "(?P<",
    r"\\k<(\w+)>": r"(?P=\1)",
    r"\\[pP]\{[^}]*\}": r"\\w",
    r"\\u\{[0-9a-fA-F]+\}": "x",
}
_PYTHON_ONLY: Final = re.compile(r"\(\?P|\(\?[aiLmsux]+\)|\\[AZ]")

_QUOTED: Final = re.compile(r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_PAIR: Final = re.compile(r"\([^()\[\]]*\)|\[[^()\[\]]*\]")


class StrictModel(BaseModel):
    """One mapping of a recipe: unknown keys are refused, a "3" is no number, nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _check_given(cls, value: Any) -> Any:
        if value is None:
            message = "has no value (a # that is not in quotes begins a comment)"
            raise ValueError(message)
        return value


def _check_css(text: str) -> str:
    """Refuse what is not closed; whether it is a selector only the browser knows."""
    rest = _QUOTED.sub("", text)
    if re.search("[\"']", rest):
        message = "has a quote that is not closed"
        raise ValueError(message)
    while (shorter := _PAIR.sub("", rest)) != rest:
        rest = shorter
    if re.search(r"[()\[\]]", rest):
        message = "has a bracket without its other half"
        raise ValueError(message)
    return text


def _check_regex(text: str) -> str:
    """Refuse what does not compile or has no group.

    A recipe's regexes run in the browser; there is no JavaScript here to ask. Python's regexes
    are close enough to find the slips. What this lets through and the browser refuses is found
    at the first page.
    """
    if odd := _PYTHON_ONLY.search(text):
        message = f"{odd.group()} is Python's, the regex runs in the browser"
        raise ValueError(message)
    python = text
    for javascript, replacement in _IN_PYTHON.items():
        python = re.sub(javascript, replacement, python)
    try:
        # Python warns of what it may read otherwise one day.
        with warnings.catch_warnings(action="ignore"):
            groups = re.compile(python).groups
    except (re.error, OverflowError) as error:
        message = f"is no regex that compiles: {error}"
        raise ValueError(message) from None
    if groups == 0:
        message = "needs a group: (...) around the part to keep"
        raise ValueError(message)
    return text


def _check_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//"):
        message = "must start with one slash: it is relative to base_url"
        raise ValueError(message)
    if re.search(r"\s", text):
        message = "must hold no blank"
        raise ValueError(message)
    return text


def _check_template(text: str) -> str:
    if has_stray_brace(_check_path(text)):
        message = "has a brace that belongs to no {name} (a brace itself is %7B or %7D)"
        raise ValueError(message)
    return text


def check_base_url(text: str) -> str:
    """Return a base URL without a trailing slash.

    Raises:
        ValueError: It is not an HTTP URL, or contains an account, a query or a fragment.
    """
    try:
        parts = urlsplit(text)
        is_http = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # for example an invalid port
        is_http = False
    if not is_http or re.search(r"\s", text):
        message = "must be a URL such as https://example.com"
        raise ValueError(message)
    if re.search(r"[@?#]", text):
        message = "must not contain an account, a query or a fragment"
        raise ValueError(message)
    return text.rstrip("/")


Slug = Annotated[str, StringConstraints(pattern=SLUG)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[str, StringConstraints(min_length=1)]
Css = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_check_css)
]
Regex = Annotated[str, AfterValidator(_check_regex)]
Path = Annotated[str, AfterValidator(_check_path)]
Template = Annotated[str, AfterValidator(_check_template)]
BaseUrl = Annotated[str, AfterValidator(check_base_url)]
