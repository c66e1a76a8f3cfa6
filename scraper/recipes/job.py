"""Job definitions of a recipe: parameters, pages, items."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import Field as Key
from pydantic import ValidationError, ValidationInfo, field_validator

from scraper.recipes.dynamic_models import build_item_model
from scraper.recipes.error_messages import describe_error
from scraper.recipes.field import Field
from scraper.recipes.param import Param
from scraper.recipes.strict_types import Css, Name, StrictModel, Template, Text
from scraper.recipes.url_template import placeholders

#: Keys of a start's body that the API uses itself.
RESERVED_PARAMS: Final = frozenset({"webhook_url", "webhook_payload", "webhook_events", "account"})
#: Keys of a result in addition to the items.
RESERVED_RESULT_KEYS: Final = frozenset(
    {"success", "timestamp", "error", "pages_requested", "pages_read", "warnings"}
)


class Label(StrictModel):
    """The items' noun in progress messages, plural and in lower case."""

    pt: Annotated[Text, Key(description="In Portuguese, e.g. canais.")]
    en: Annotated[Text, Key(description="In English, e.g. channels.")]


class Next(StrictModel):
    """Pagination: the placeholder that counts the pages, and its parameters."""

    count: Annotated[
        Name, Key(description="The placeholder of open that increases by one with each page.")
    ]
    first: Annotated[str, Key(description="The integer param with its first value.")]
    pages: Annotated[
        str,
        Key(
            description="The integer param with the maximum number of pages. It requires a min of "
            "at least 1, and a max, from which the job's time limit is derived."
        ),
    ]


class JobDefinition(StrictModel):
    """One job: its parameters, its pages, its items."""

    # The order matters: the validation of a key uses those above it.
    params: Annotated[
        dict[Name, Param], Key(default_factory=dict, description="The job's parameters by name.")
    ]
    next: Annotated[
        Next | None, Key(description="Pagination; without it the job has one page.")
    ] = None
    page_size: Annotated[
        str | None, Key(description="The integer param with the number of items of a full page.")
    ] = None
    open: Annotated[
        Template,
        Key(
            description="The page's path below base_url. Each {name} in it is replaced by the "
            "value of a param, or of next's count, URL-encoded."
        ),
    ]
    items: Annotated[Css, Key(description="Selector of an item.")]
    marker: Annotated[
        Css | None,
        Key(
            description="Selector of an element that every page of the list has, even one without "
            "items. A page without items is the end of the list if the marker matches; otherwise, "
            "or without a marker, the job fails with page_changed."
        ),
    ] = None
    collection: Annotated[
        Name, Key(description="The result's key of the items; total_… is their number.")
    ]
    label: Annotated[Label, Key(description="The items' noun in progress messages.")]
    fields: Annotated[
        dict[Name, Field],
        Key(
            min_length=1,
            description="The fields of each item by name; the result keeps their order.",
        ),
    ]
    unique_by: Annotated[
        str | None,
        Key(description="The text field that identifies an item; duplicates are removed."),
    ] = None
    require: Annotated[
        tuple[str, ...],
        Key(
            strict=False,
            description="Fields that every item must have. The job fails if one of them is empty "
            "in all items of a page.",
        ),
    ] = ()
    example: Annotated[
        dict[str, Any] | None, Key(description="A complete item, for the API's documentation.")
    ] = None

    @field_validator("params")
    @classmethod
    def _check_params(cls, params: dict[str, Param]) -> dict[str, Param]:
        if reserved := sorted(RESERVED_PARAMS & params.keys()):
            message = f"{_join(reserved)} is reserved for the API"
            raise ValueError(message)
        return params

    @field_validator("next")
    @classmethod
    def _check_next(cls, pagination: Next | None, info: ValidationInfo) -> Next | None:
        if pagination is None or "params" not in info.data:
            return pagination
        params: dict[str, Param] = info.data["params"]
        if pagination.count in params:
            message = f"{pagination.count} counts the pages, so it must not be a param"
            raise ValueError(message)
        _check_integer(pagination.first, params)
        _check_integer(pagination.pages, params)
        pages = params[pagination.pages]
        bounds: Any = pages.choices or (pages.min, pages.max)
        if None in bounds or min(bounds) < 1:
            message = f"param {pagination.pages} requires a min of at least 1 and a max"
            raise ValueError(message)
        return pagination

    @field_validator("page_size")
    @classmethod
    def _check_page_size(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and "params" in info.data:
            _check_integer(name, info.data["params"])
        return name

    @field_validator("open")
    @classmethod
    def _check_open(cls, template: str, info: ValidationInfo) -> str:
        if not {"params", "next"} <= info.data.keys():
            return template
        params, pagination = info.data["params"], info.data["next"]
        counters = () if pagination is None else (pagination.count,)
        names = placeholders(template)
        if unknown := [name for name in names if name not in params and name not in counters]:
            message = f"{_join(unknown)} is neither a param nor next's count"
            raise ValueError(message)
        if missing := [name for name in counters if name not in names]:
            message = f"does not contain {{{missing[0]}}}, so all pages would be the same"
            raise ValueError(message)
        used = {*names, info.data.get("page_size")}
        used |= set() if pagination is None else {pagination.first, pagination.pages}
        if unused := [name for name in params if name not in used]:
            message = f"param {_join(unused)} is used neither here nor in next"
            raise ValueError(message)
        return template

    @field_validator("collection")
    @classmethod
    def _check_collection(cls, name: str) -> str:
        if name in RESERVED_RESULT_KEYS:
            message = "is a key of every result"
            raise ValueError(message)
        return name

    @field_validator("unique_by", "require")
    @classmethod
    def _check_field_names(cls, value: Any, info: ValidationInfo) -> Any:
        fields = info.data.get("fields")
        names = (value,) if isinstance(value, str) else value or ()
        if fields is not None and (unknown := [name for name in names if name not in fields]):
            message = f"unknown field {_join(unknown)}"
            raise ValueError(message)
        if fields is not None and isinstance(value, str) and fields[value].kind != "text":
            message = f"{value} is not a text field"
            raise ValueError(message)
        return value

    @field_validator("example")
    @classmethod
    def _check_example(
        cls, example: dict[str, Any] | None, info: ValidationInfo
    ) -> dict[str, Any] | None:
        if example is None or "fields" not in info.data:
            return example
        try:
            build_item_model(info.data["fields"], "Item", extra="forbid").model_validate(example)
        except ValidationError as error:
            message = "; ".join(
                f"{'.'.join(map(str, fault['loc']))} {describe_error(fault)}"
                for fault in error.errors()
            )
            raise ValueError(message) from None
        return example

    def count_pages(self, params: Mapping[str, Any]) -> int:
        """Return the number of pages that a start with these parameters requests."""
        return int(params[self.next.pages]) if self.next else 1

    @property
    def max_pages(self) -> int:
        """The maximum number of pages that a start can request."""
        if self.next is None:
            return 1
        pages = self.params[self.next.pages]
        # The validation of `next` ensures one of them.
        return int(max(pages.choices) if pages.choices else pages.max or 1)


def _check_integer(name: str, params: dict[str, Param]) -> None:
    if name not in params or params[name].type != "integer":
        message = f"{name} is not an integer param"
        raise ValueError(message)


def _join(names: Iterable[str]) -> str:
    return ", ".join(names)
