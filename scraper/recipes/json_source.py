"""Items of a job that come from JSON: where it is, and the paths into it."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Self

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import AfterValidator, StringConstraints, WithJsonSchema, model_validator
from pydantic import Field as Key

from scraper.recipes.strict_types import RegexText, Selector, StrictModel, Text, check_selector

#: The steps in a fault's place that stand for the notations of `items`.
ITEMS_NOTATIONS: Final = ("items from elements", "items from JSON")
_ELEMENTS, _JSON = ITEMS_NOTATIONS

_GLOBAL: Final = re.compile(r"window(\.[A-Za-z_$][\w$]*)+", re.ASCII)
# A key of JSON-LD, which JMESPath knows in quotes only; what is in quotes is left alone.
_QUOTED_OR_KEYWORD: Final = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)|@([A-Za-z_]\w*)""", re.DOTALL
)


# The time that a regex takes grows with this power of a text's length.
_MAX_REPETITIONS: Final = 3


@lru_cache
def compile_path(path: str) -> ParsedResult:
    """Return a JMESPath, in which keys such as `@graph` need no quotes.

    Raises:
        JMESPathError: It is malformed.
    """
    quoted = _QUOTED_OR_KEYWORD.sub(lambda found: found[1] or f'"@{found[2]}"', path)
    return jmespath.compile(quoted)


def _check_path(path: str) -> str:
    try:
        compile_path(path)
    except JMESPathError as error:
        message = f"invalid JMESPath: {' '.join(str(error).split())}"
        raise ValueError(message) from None
    return path


def _check_constant(value: object) -> object:
    if not isinstance(value, str | int | float):
        message = "must be a string, a number, true or false"
        raise ValueError(message)  # noqa: TRY004  pydantic does not handle TypeError
    return value


def _check_url_regex(regex: str) -> str:
    """Check that a regex takes little time on any URL: the worker itself searches these."""
    plain = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", regex, flags=re.DOTALL)
    if re.search(r"\)(?:[*+]|\{)", plain):
        message = "must not repeat a group, since that may take too long"
        raise ValueError(message)
    if len(re.findall(r"[*+]|\{\d+,\}", plain)) > _MAX_REPETITIONS:
        message = f"must have at most {_MAX_REPETITIONS} of *, + and {{n,}}"
        raise ValueError(message)
    return regex


def _check_place(text: str) -> str:
    if not re.match(r"window(?![\w-])", text):
        return check_selector(text)
    if not _GLOBAL.fullmatch(text):
        message = "must be a selector, or a variable with dots only, such as window.state.list"
        raise ValueError(message)
    return text


#: A JMESPath (https://jmespath.org).
JsonPath = Annotated[Text, AfterValidator(_check_path)]
_Constant = Annotated[
    Any,
    AfterValidator(_check_constant),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
_Place = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2000),
    AfterValidator(_check_place),
]


class JsonItems(StrictModel):
    """Items that come from JSON instead of elements."""

    json_place: Annotated[
        _Place | None,
        Key(
            alias="json",
            description="Selector of the element, or elements, whose text is JSON; or a global "
            "variable of the page, such as window.state.",
        ),
    ] = None
    response: Annotated[
        Annotated[RegexText, AfterValidator(_check_url_regex)] | None,
        Key(
            min_length=1,
            description="JavaScript regex, searched in the URLs of what the page's scripts request "
            "(fetch, XMLHttpRequest): the answers are JSON. Those of one page are joined, in their "
            "order; to the same request, only the last answer counts.",
        ),
    ] = None
    path: Annotated[
        JsonPath | None,
        Key(
            description="JMESPath to the list of items: props.list. Without it, the JSON itself is "
            "the list; an object is a single item."
        ),
    ] = None
    where: Annotated[
        dict[Text, _Constant] | None,
        Key(
            min_length=1,
            description="Only items whose value of each of these keys is this one, or a list that "
            'contains it: {"@type": Product}.',
        ),
    ] = None

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.json_place is None) == (self.response is None):
            message = "requires either json or response"
            raise ValueError(message)
        return self

    @property
    def selector(self) -> Selector | None:
        """The selector of the elements that contain the JSON; None if it is elsewhere."""
        return None if self.variable or self.response else self.json_place

    @property
    def variable(self) -> str | None:
        """The variable's name without `window.`; None if the JSON is elsewhere."""
        place = self.json_place or ""
        return place.partition(".")[2] if _GLOBAL.fullmatch(place) else None

    def __str__(self) -> str:
        """Return the place of the items in one line, for messages."""
        return " ".join(filter(None, [self.json_place or self.response, self.path]))


def notation_of(items: object) -> str:
    """Return which notation a value of `items` has."""
    return _JSON if isinstance(items, Mapping | JsonItems) else _ELEMENTS
