"""A field of an item: where it stands and how it reads."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field as Key
from pydantic import GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from scraper.recipes.strict_types import Css, Name, Regex, StrictModel, Text

Kind = Literal["text", "flag", "texts", "objects"]
#: An item as it was read: the values of the recipe's fields by name.
Item = dict[str, Any]

# Which other keys may stand beside these; the rest go with one another.
_COMPANY: Final[dict[str, set[str]]] = {"exists": set(), "fields": {"css", "limit"}}


class Field(StrictModel):
    """One field. Written as a bare selector it is that element's text.

    A text is trimmed, and each run of white space in it becomes one blank. A missing element, a
    missing attribute, an empty text and a regex that does not match are null; a split or nested
    field is then an empty list.
    """

    css: Annotated[
        Css | None,
        Key(description="Selector of the element, below the item (or below the outer element)."),
    ] = None
    nth: Annotated[
        int, Key(ge=1, description="Which of the elements that match css; the first is 1.")
    ] = 1
    of: Annotated[
        int | None,
        Key(
            ge=1,
            description="How many elements must match css, no more and no less; else the value "
            "is null. For elements that only their place tells apart.",
        ),
    ] = None
    then: Annotated[
        Css | None, Key(description="Selector below the element that css and nth have found.")
    ] = None
    attr: Annotated[
        Text | None, Key(description="Read this attribute, as it is written, not the text.")
    ] = None
    match: Annotated[
        Regex | None,
        Key(
            description="JavaScript regex (flags s and u), searched in the value: "
            "its first group is kept, and without a match the value is null."
        ),
    ] = None
    split: Annotated[
        Text | None,
        Key(description="Split the value at this text, into a list of trimmed, non-empty texts."),
    ] = None
    exists: Annotated[
        Css | None,
        Key(description="True if there is an element with this selector. Stands alone."),
    ] = None
    fields: Annotated[
        "dict[Name, Field] | None",
        Key(
            min_length=1,
            description="Fields of each element that matches css: a list of objects.",
        ),
    ] = None
    limit: Annotated[
        int | None, Key(ge=1, description="Take only so many of the elements (with fields).")
    ] = None

    @property
    def kind(self) -> Kind:
        """What the field holds: a text or null, a boolean, a list of texts, a list of objects."""
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
    def _check_company(self) -> Self:
        given = self.model_fields_set
        if self.css is None and self.exists is None:
            message = "needs css or exists"
            raise ValueError(message)
        for lead, company in _COMPANY.items():
            if lead in given and (others := sorted(given - company - {lead})):
                message = f"{lead} does not go with {', '.join(others)}"
                raise ValueError(message)
        if self.limit is not None and self.fields is None:
            message = "limit needs fields"
            raise ValueError(message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Either way of writing a field, for editors."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        bare = {"type": "string", "minLength": 1, "description": "Selector: its text is taken."}
        return {"anyOf": [bare, mapping]}
