"""Fields of an item: selectors, and how their values are read."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field as Key
from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from scraper.recipes.strict_types import Css, Name, Regex, StrictModel, Text

Kind = Literal["text", "flag", "texts", "objects"]
#: An item as it was read: the values of the recipe's fields by name.
Item = dict[str, Any]

# The only other keys that may be combined with these; the rest may be combined freely.
_ALLOWED_WITH: Final[dict[str, set[str]]] = {"exists": set(), "fields": {"css", "limit"}}


class Field(StrictModel):
    """One field. A bare selector instead of a mapping reads that element's text.

    A text is trimmed, and each run of whitespace in it becomes one space. A missing element, a
    missing attribute, an empty text and a regex that does not match are null; a split or nested
    field is then an empty list.
    """

    css: Annotated[
        Css | None,
        Key(description="Selector of the element, below the item (or below the outer element)."),
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
        Css | None,
        Key(description="Selector of a descendant of the element that css and nth select."),
    ] = None
    attr: Annotated[
        Text | None, Key(description="Read this attribute, unchanged, instead of the text.")
    ] = None
    match: Annotated[
        Regex | None,
        Key(
            description="JavaScript regex (flags s and u), searched in the value: its first group "
            "becomes the value; without a match that is null."
        ),
    ] = None
    split: Annotated[
        Text | None,
        Key(
            description="Split the value at this string, into a list of trimmed, non-empty strings."
        ),
    ] = None
    exists: Annotated[
        Css | None,
        Key(description="True if an element matches this selector. It excludes all other keys."),
    ] = None
    fields: Annotated[
        "dict[Name, Field] | None",
        Key(
            min_length=1,
            description="Fields of each element that matches css; the value is a list of objects.",
        ),
    ] = None
    limit: Annotated[
        int | None, Key(ge=1, description="The maximum number of elements (only with fields).")
    ] = None

    @property
    def kind(self) -> Kind:
        """The type of the values: text (or null), flag, texts or objects."""
        if self.exists is not None:
            return "flag"
        if self.fields is not None:
            return "objects"
        return "text" if self.split is None else "texts"

    @model_validator(mode="before")
    @classmethod
    def _from_bare_selector(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"css": value}
        if isinstance(value, dict | Field):
            return value
        message = "must be a selector or a mapping"
        raise ValueError(message)

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        given = self.model_fields_set
        if self.css is None and self.exists is None:
            message = "requires css or exists"
            raise ValueError(message)
        for key, allowed in _ALLOWED_WITH.items():
            if key in given and (others := sorted(given - allowed - {key})):
                message = f"{key} cannot be combined with {', '.join(others)}"
                raise ValueError(message)
        if self.limit is not None and self.fields is None:
            message = "limit requires fields"
            raise ValueError(message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return a schema with both notations of a field, for editors."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        bare = {
            "type": "string",
            "minLength": 1,
            "description": "Selector of the element whose text is read.",
        }
        return {"anyOf": [bare, mapping]}
