"""Fields of an item: selectors, and how their values are read."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field as Key
from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from scraper.recipes.json_source import JsonPath
from scraper.recipes.strict_types import (
    InnerKeyError,
    Name,
    RegexText,
    Selector,
    StrictModel,
    Text,
    XPath,
    is_xpath,
)

Type = Literal["text", "number", "date", "url", "count"]
#: What a value is, or each value of a list: an `objects` field is a list of objects.
Kind = Literal["text", "number", "date", "url", "count", "flag", "objects"]
#: The step in a fault's place that stands for the list of a field's alternatives.
ALTERNATIVES: Final = "[]"
#: The key that says that a field is beside items from JSON; no key of a recipe is spelled so.
_IS_JSON: Final = "{}"
#: An item as it was read: the values of the recipe's fields by name.
Item = dict[str, Any]

# The only other keys that may be combined with these; the rest may be combined freely.
_ALLOWED_WITH: Final[dict[str, set[str]]] = {
    "exists": set(),
    "value": set(),
    "fields": {"css", "xpath", "limit"},
}
# Keys that cannot be combined with another one: they say the same, or the opposite.
_EXCLUDED_BY: Final[dict[str, set[str]]] = {
    "lines": {"attr", "path", "all"},
    "split": {"all", "path"},
    "all": {"nth", "of"},
}
# The keys of a field beside items from JSON.
_JSON_KEYS: Final = frozenset({"path", "type", "match", "split", "all", "limit", "value", "fields"})
_JSON_ALLOWED_WITH: Final[dict[str, set[str]]] = {
    "value": set(),
    "fields": {"path", "limit"},
}


class Field(StrictModel):
    """One field. A bare selector instead of a mapping reads that element's text.

    A text is trimmed, and each run of whitespace in it becomes one space. A missing element, a
    missing attribute, an empty text and a regex that does not match are null; a list is then
    empty. A list of such mappings has alternatives: the first whose value is not empty is taken.
    """

    css: Annotated[
        Selector | None,
        Key(
            description="Selector of the element, below the item (or below the outer element). "
            "`.` or `:scope` is the item itself, which is also read without css; `+ x` and `~ x` "
            "are elements after it. `a >>> b` is a b in the shadow root or frame of an a. What "
            "begins with ./ .. / or ( is an XPath."
        ),
    ] = None
    xpath: Annotated[
        XPath | None, Key(description="An XPath from the item, instead of css: ancestor::li/h2.")
    ] = None
    nth: Annotated[
        int, Key(ge=1, description="The number of the element among those that match css, from 1.")
    ] = 1
    of: Annotated[
        int | None,
        Key(
            ge=1,
            description="The exact number of elements that must match css; otherwise the value "
            "is null. For elements that differ only in their position.",
        ),
    ] = None
    then: Annotated[
        Selector | None,
        Key(description="Selector of a descendant of the element that css and nth select."),
    ] = None
    all: Annotated[
        bool,
        Key(description="Read every element that matches css, into a list without empty values."),
    ] = False
    attr: Annotated[
        Text | None, Key(description="Read this attribute, unchanged, instead of the text.")
    ] = None
    match: Annotated[
        RegexText | None,
        Key(
            description="JavaScript regex (flags s and u), searched in the value: its first group "
            "becomes the value, or all of the match if it has no group; without a match that is "
            "null."
        ),
    ] = None
    split: Annotated[
        Text | None,
        Key(
            description="Split the value at this string, into a list of trimmed, non-empty strings."
        ),
    ] = None
    lines: Annotated[
        bool,
        Key(
            description="Keep the line breaks of a text (br, paragraphs, list items, cells); "
            "otherwise a space stands for each. A split at a line break implies it."
        ),
    ] = False
    path: Annotated[
        JsonPath | None,
        Key(
            description="JMESPath into the value, which is JSON: offers.price, images[0].url. "
            "Beside items from JSON, it begins at the item."
        ),
    ] = None
    type: Annotated[
        Type,
        Key(
            description="What the value becomes: a number or a date, as the recipe's locale writes "
            "them; an absolute url; the count of the elements that match css. What cannot be read "
            "so is null."
        ),
    ] = "text"
    exists: Annotated[
        Selector | None,
        Key(description="True if an element matches this selector. It excludes all other keys."),
    ] = None
    value: Annotated[
        int | float | str | bool | None,
        Key(description="This very value; as the last of several alternatives, or alone."),
    ] = None
    fields: Annotated[
        "dict[Name, Field] | None",
        Key(
            min_length=1,
            description="Fields of each element that matches css; the value is a list of objects.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        Key(ge=1, description="The maximum number of elements (only with fields or all)."),
    ] = None
    # From a list in place of the mapping; no key of a recipe is spelled so.
    alternatives: Annotated[
        "tuple[Field, ...]",
        Key(
            strict=False,
            min_length=1,
            alias=ALTERNATIVES,
            description="Alternatives: the first whose value is not empty is taken.",
        ),
    ] = ()
    is_json: Annotated[
        bool,
        Key(alias=_IS_JSON, exclude=True, description="Whether the item comes from JSON."),
    ] = False

    @property
    def kind(self) -> Kind:
        """What the value is, or each of its values if it is a list."""
        if self.alternatives:
            return self.alternatives[0].kind
        if self.exists is not None or isinstance(self.value, bool):
            return "flag"
        if self.value is not None:
            return "text" if isinstance(self.value, str) else "number"
        return "objects" if self.fields is not None else self.type

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of values; nested fields are `objects` instead."""
        first = self.alternatives[0] if self.alternatives else self
        return first.all or first.split is not None

    @property
    def target(self) -> str | None:
        """The selector of its elements, which begins like an XPath if it is one; None: the item."""
        if self.xpath is not None:
            return self.xpath if is_xpath(self.xpath) else f"./{self.xpath}"
        return self.css

    @property
    def selector(self) -> str:
        """The selectors of the field as one, for messages; `.` is the item itself."""
        if self.alternatives:
            return ", ".join(field.selector for field in self.alternatives if field.value is None)
        if self.is_json:
            return self.path or "@"
        return " ".join(filter(None, [self.target or self.exists, self.then])) or "."

    @model_validator(mode="before")
    @classmethod
    def _from_other_notations(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"css": value}
        if isinstance(value, list):
            return {ALTERNATIVES: value}
        if isinstance(value, Field):
            return value
        if not isinstance(value, dict):
            message = "must be a selector, a mapping, or a list of these"
            raise ValueError(message)  # noqa: TRY004  pydantic does not handle TypeError
        return value

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        given = self.model_fields_set
        if self.alternatives:
            self._check_alternatives()
            return self
        if self.is_json:
            self._check_json(given - {"is_json"})
            return self
        if not given - {"nth", "of", "then", "limit", "fields", "all", "type"}:
            message = "requires css, attr, match, split, lines, path, value or exists"
            raise ValueError(message)
        for key, allowed in _ALLOWED_WITH.items():
            if key in given and (others := sorted(given - allowed - {key})):
                message = f"{key} cannot be combined with {', '.join(others)}"
                raise ValueError(message)
        for key, excluded in _EXCLUDED_BY.items():
            if key in given and (others := sorted(given & excluded)):
                message = f"{key} cannot be combined with {', '.join(others)}"
                raise ValueError(message)
        self._check_selected(given)
        return self

    def _check_json(self, given: set[str]) -> None:
        """Check the keys of a field beside items from JSON.

        Raises:
            ValueError: They are of fields of elements, or do not fit together.
        """
        if others := sorted(given - _JSON_KEYS):
            message = "has no meaning beside items from JSON: path leads to the value"
            raise InnerKeyError(message, (others[0],))
        if "path" not in given and "value" not in given:
            message = "requires path or value"
            raise ValueError(message)
        for key, allowed in _JSON_ALLOWED_WITH.items():
            if key in given and (others := sorted(given - allowed - {key})):
                message = f"{key} cannot be combined with {', '.join(others)}"
                raise ValueError(message)
        if self.all and self.split is not None:
            message = "split cannot be combined with all"
            raise ValueError(message)
        if self.limit is not None and self.fields is None and not self.all:
            message = "limit requires fields or all"
            raise ValueError(message)
        if self.type == "count" and (others := sorted(given - {"path", "type"})):
            message = f"type: count cannot be combined with {', '.join(others)}"
            raise ValueError(message)

    def _check_selected(self, given: set[str]) -> None:
        """Check the keys that depend on the selected elements.

        Raises:
            ValueError: They do not fit together.
        """
        if self.css is None and self.xpath is None:
            needing = {"nth", "of", "then", "fields"}
            needing |= {"type: count"} if self.type == "count" else set()
            needing |= {"all"} if self.path is None else set()
            given_or_count = given | {f"type: {self.type}"}
            if others := sorted(given_or_count & needing):
                message = f"{', '.join(others)} requires css"
                raise ValueError(message)
        if self.css is not None and self.xpath is not None:
            message = "css cannot be combined with xpath"
            raise ValueError(message)
        if self.limit is not None and self.fields is None and not self.all:
            message = "limit requires fields or all"
            raise ValueError(message)
        if self.type == "count" and (others := sorted(given - {"css", "xpath", "type"})):
            message = f"type: count cannot be combined with {', '.join(others)}"
            raise ValueError(message)

    def _check_alternatives(self) -> None:
        """Check that all alternatives have values of the same type.

        Raises:
            ValueError: They do not, or one that always has a value is not the last.
        """
        *others, last = self.alternatives
        for index, field in enumerate(self.alternatives):
            place = (ALTERNATIVES, index)
            if field.fields is not None or field.alternatives:
                message = "an alternative cannot have fields, or alternatives of its own"
                raise InnerKeyError(message, place)
        for index, field in enumerate(others):
            if field.value is not None or field.kind in {"flag", "count"}:
                message = "never lets another alternative be tried: it must be the last one"
                raise InnerKeyError(message, (ALTERNATIVES, index))
        first = self.alternatives[0]
        place = (ALTERNATIVES, len(others))
        for index, field in enumerate(self.alternatives[1:], 1):
            is_same = (field.kind, field.is_list) == (first.kind, first.is_list)
            if field.value is None and not is_same:
                message = (
                    f"must have values of the same type as the first alternative: {first.kind}"
                )
                raise InnerKeyError(message, (ALTERNATIVES, index))
        if last.value is not None and not _is_value_of(last.value, first):
            message = f"must be a {first.kind}, like the other alternatives"
            raise InnerKeyError(message, (*place, "value"))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return a schema with all notations of a field, for editors."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        alternatives = mapping["properties"].pop(ALTERNATIVES)
        del mapping["properties"][_IS_JSON]
        bare = {
            "type": "string",
            "minLength": 1,
            "description": "Selector of the element whose text is read; beside items from JSON, "
            "the JMESPath of the value.",
        }
        return {"anyOf": [bare, mapping, alternatives]}


def mark_json(given: Any) -> Any:
    """Return a field as a recipe notes it, beside items from JSON: a bare text is a path.

    Args:
        given: A value of `fields`, not validated.
    """
    if isinstance(given, str):
        return {"path": given, _IS_JSON: True}
    if isinstance(given, list):
        return {ALTERNATIVES: list(map(mark_json, given)), _IS_JSON: True}
    if not isinstance(given, dict):
        return given
    marked = {**given, _IS_JSON: True}
    if isinstance(inner := given.get("fields"), dict):
        marked["fields"] = {name: mark_json(field) for name, field in inner.items()}
    return marked


def _is_value_of(value: object, field: Field) -> bool:
    """Return whether a constant fits among the values of a field."""
    if field.is_list:
        return False
    if field.kind in {"number", "count"}:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, bool if field.kind == "flag" else str)
