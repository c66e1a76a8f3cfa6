"""Strict base model and string types of recipes: names, selectors, regexes, paths, URLs."""

import re
from functools import lru_cache
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    field_validator,
)
from regress import Regex, RegressError

from scraper.recipes.origin import check_host, check_host_pattern
from scraper.recipes.url_template import has_stray_brace, is_link_template

# More than any real one; selectors are also checked in time that grows with the square.
_MAX_LENGTH: Final = 2000
_MAX_NAME_LENGTH: Final = 100

SLUG: Final = "^[a-z][a-z0-9-]*$"
NAME: Final = "^[a-z][a-z0-9_]*$"

#: Steps in a fault's place that stand for one of a key's two notations.
NOTATION_LIST: Final = "[list]"
NOTATION_MAPPING: Final = "[mapping]"

#: The flags of the recipes' regexes in the browser.
REGEX_FLAGS: Final = "su"
_PYTHON_ONLY: Final = re.compile(r"\(\?P|\(\?[aiLmsux]+\)|\\[AZ]")

# How much of a URL is searched.
_MAX_URL: Final = 1000

_QUOTED: Final = re.compile(r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_PAIR: Final = re.compile(r"\([^()\[\]]*\)|\[[^()\[\]]*\]")

_PSEUDO_ELEMENT: Final = re.compile(
    r"::[\w-]+|:(?:before|after|first-line|first-letter)\b(?!-)", re.IGNORECASE
)
# Pseudo-classes of jQuery, Playwright and other tools, which no browser has.
_NO_CSS: Final = re.compile(
    r"(:(?:contains|has-text|text-is|text|icontains)(?=\())|(:(?:eq|first|last|nth)(?![\w-]))",
    re.IGNORECASE,
)
_MATCHES_NOTHING: Final = re.compile(
    r":not\(\s*\*\s*\)|:(?:is|where|has)\(\s*\)|:nth-(?:last-)?(?:child|of-type)\(\s*0\s*\)",
    re.IGNORECASE,
)
# How an XPath begins. `.` alone is an item, and `.x` a class.
_XPATH_START: Final = re.compile(r"\.?/|\.\.|\(")
# A comma outside brackets, as far as these are not nested.
_TOP_LEVEL_COMMA: Final = re.compile(r",(?![^(\[]*[)\]])")
# The selectors of a field are searched below the item.
_DOCUMENT_PART: Final = re.compile(r"(?:^|[\s>+~])(:root|html|head|body)(?![\w-])", re.IGNORECASE)
_NESTED_SCOPE: Final = re.compile(r":scope[^\s>+~]*[\s>+~]+:scope\b")


class InnerKeyError(ValueError):
    """A fault of a key below the one that is validated.

    Attributes:
        keys: Its path below that.
    """

    def __init__(self, message: str, keys: tuple[str | int, ...]) -> None:
        self.keys = keys
        super().__init__(message)


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


def _reject_plain_value(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        message = "must be a selector"
        raise ValueError(message)  # noqa: TRY004  pydantic does not handle TypeError
    return value


def _check_brackets(text: str) -> None:
    rest = _QUOTED.sub("", text)
    if re.search("[\"']", rest):
        message = "has an unclosed quote"
        raise ValueError(message)
    while (shorter := _PAIR.sub("", rest)) != rest:
        rest = shorter
    if re.search(r"[()\[\]]", rest):
        message = "has an unbalanced bracket"
        raise ValueError(message)


def _check_css(text: str) -> None:
    """Check the beginning, quotes and brackets, and that elements can match.

    Only the browser can check the rest.
    """
    if re.match(r"-?[0-9]", text):
        message = "must be a selector: none begins with a digit"
        raise ValueError(message)
    _check_brackets(text)
    plain = _QUOTED.sub("", text)
    if pseudo := _PSEUDO_ELEMENT.search(plain):
        message = f"never matches: {pseudo.group()} selects no element"
        if pseudo.group().lower() in {"::attr", "::text"}:
            message += " (a text is read anyway; attr: reads an attribute)"
        raise ValueError(message)
    if foreign := _NO_CSS.search(plain):
        advice = "an XPath, such as .//a[contains(., 'Next')]" if foreign[1] else "nth"
        message = f"{foreign.group()} is no CSS: use {advice}"
        raise ValueError(message)
    if never := _MATCHES_NOTHING.search(plain):
        message = f"never matches: {never.group()} excludes every element"
        raise ValueError(message)


def is_xpath(text: str) -> bool:
    """Return whether a selector is an XPath: no CSS selector begins like one."""
    return bool(_XPATH_START.match(text))


def _split_roots(text: str) -> list[str]:
    """Split a selector at each `>>>`, which leads into a shadow root or frame."""
    # What stands in quotes is no part of the selector; it keeps its length.
    plain = _QUOTED.sub(lambda quoted: "_" * len(quoted.group()), text)
    ends = [match.start() for match in re.finditer(">>>", plain)]
    starts = [0, *(end + 3 for end in ends)]
    return [text[a:b].strip() for a, b in zip(starts, [*ends, len(text)], strict=True)]


def check_selector(text: str) -> str:
    """Return a selector: CSS or an XPath, also one that leads into shadow roots and frames.

    Raises:
        ValueError: It is malformed, or never matches.
    """
    parts = _split_roots(text)
    for index, part in enumerate(parts):
        if not part and (index > 0 or len(parts) == 1):
            message = "needs a selector after >>>"
            raise ValueError(message)
        if is_xpath(part):
            if index > 0:
                message = "must be CSS after >>>: no XPath begins in a shadow root"
                raise ValueError(message)
            _check_brackets(part)
        elif part:
            _check_css(part)
    return text


def _check_xpath(text: str) -> str:
    _check_brackets(text)
    return text


def check_below_item(text: str) -> None:
    """Check that a selector does not begin above the elements of an item.

    Raises:
        ValueError: It never matches below an item that is a part of a document's body, or is
            probably not meant.
    """
    text = _split_roots(text)[0]
    if text.startswith("//"):
        message = "// searches the whole page: write .// for the item, or (//...) for the page"
        raise ValueError(message)
    if is_xpath(text):
        return
    for selector in _TOP_LEVEL_COMMA.split(_QUOTED.sub("", text)):
        if outer := _DOCUMENT_PART.search(selector):
            message = f"never matches: {outer.group(1)} is not below an item"
            raise ValueError(message)
        if _NESTED_SCOPE.search(selector):
            message = "never matches: :scope is the item itself"
            raise ValueError(message)


def _check_regex(text: str) -> str:
    """Check a regex with an ECMAScript engine, as it runs in the browser."""
    if python_syntax := _PYTHON_ONLY.search(text):
        message = f"{python_syntax.group()} is Python syntax, but the regex runs in the browser"
        raise ValueError(message)
    try:
        _compile_regex(text)
    except RegressError as error:
        message = f"invalid regular expression: {error}"
        raise ValueError(message) from None
    return text


@lru_cache
def _compile_regex(regex: str) -> Regex:
    """Return a regex as the browser compiles it."""
    return Regex(regex, REGEX_FLAGS)


def finds_in_url(regex: str, url: str) -> bool:
    """Return whether a regex is found in a URL, as it would be in the browser.

    It must not take much time: nothing else runs meanwhile.
    """
    return _compile_regex(regex).find(url[:_MAX_URL]) is not None


def _check_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//"):
        message = "must start with a single slash: it is relative to base_url"
        raise ValueError(message)
    if re.search(r"\s", text):
        message = "must not contain spaces"
        raise ValueError(message)
    return text


def _check_template(text: str) -> str:
    # A placeholder alone stands for a link.
    if has_stray_brace(text if is_link_template(text) else _check_path(text)):
        message = "has a brace outside a {name} (write a literal brace as %7B or %7D)"
        raise ValueError(message)
    return text


def _check_header(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", text):
        message = "must be one line of ASCII"
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


Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=_MAX_NAME_LENGTH)]
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=_MAX_NAME_LENGTH)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_LENGTH)]
Selector = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_MAX_LENGTH),
    AfterValidator(check_selector),
    BeforeValidator(_reject_plain_value),
]
XPath = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_MAX_LENGTH),
    AfterValidator(_check_xpath),
    BeforeValidator(_reject_plain_value),
]
RegexText = Annotated[str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(_check_regex)]
Path = Annotated[str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(_check_path)]
Template = Annotated[
    str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(_check_template)
]
BaseUrl = Annotated[str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(check_base_url)]
HostName = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9-]+\.)*[a-z0-9-]+$", max_length=_MAX_LENGTH)
]
#: The value of an HTTP header.
HeaderText = Annotated[
    str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(_check_header)
]
Host = Annotated[str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(check_host)]
HostOrSubdomains = Annotated[
    str, StringConstraints(max_length=_MAX_LENGTH), AfterValidator(check_host_pattern)
]
