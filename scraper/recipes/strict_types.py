"""Strict base model and string types of recipes: names, selectors, regexes, paths, URLs."""

import re
import warnings
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, field_validator

from scraper.recipes.url_template import has_stray_brace

SLUG: Final = "^[a-z][a-z0-9-]*$"
NAME: Final = "^[a-z][a-z0-9_]*$"

# Syntax of JavaScript that Python lacks, each with a replacement that Python accepts.
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
    """Base of a recipe's mappings: immutable, without unknown keys and type conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_null(cls, value: Any) -> Any:
        if value is None:
            message = "has no value (a # outside quotes starts a comment)"
            raise ValueError(message)
        return value


def _check_css(text: str) -> str:
    """Check that quotes and brackets are closed; only the browser can check the rest."""
    rest = _QUOTED.sub("", text)
    if re.search("[\"']", rest):
        message = "has an unclosed quote"
        raise ValueError(message)
    while (shorter := _PAIR.sub("", rest)) != rest:
        rest = shorter
    if re.search(r"[()\[\]]", rest):
        message = "has an unbalanced bracket"
        raise ValueError(message)
    return text


def _check_regex(text: str) -> str:
    """Check that a regex compiles and has a group.

    A recipe's regexes run in the browser; Python's syntax is close enough to find most mistakes.
    The browser reports the others at the first page.
    """
    if python_syntax := _PYTHON_ONLY.search(text):
        message = f"{python_syntax.group()} is Python syntax, but the regex runs in the browser"
        raise ValueError(message)
    regex = text
    for javascript, replacement in _IN_PYTHON.items():
        regex = re.sub(javascript, replacement, regex)
    try:
        # Python warns of syntax whose meaning may change in a later version.
        with warnings.catch_warnings(action="ignore"):
            groups = re.compile(regex).groups
    except (re.error, OverflowError) as error:
        message = f"invalid regular expression: {error}"
        raise ValueError(message) from None
    if groups == 0:
        message = "must have a group: (...) around the part to keep"
        raise ValueError(message)
    return text


def _check_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//"):
        message = "must start with a single slash: it is relative to base_url"
        raise ValueError(message)
    if re.search(r"\s", text):
        message = "must not contain spaces"
        raise ValueError(message)
    return text


def _check_template(text: str) -> str:
    if has_stray_brace(_check_path(text)):
        message = "has a brace outside a {name} (write a literal brace as %7B or %7D)"
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
