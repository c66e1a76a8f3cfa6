"""A job of a site: which page, how to go on to the next, which element is an item."""

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

#: Keys of a start's body that are the API's own.
RESERVED_PARAMS: Final = frozenset({"webhook_url", "webhook_payload", "webhook_events", "account"})
#: Keys of a result that stand beside the items.
RESERVED_RESULT_KEYS: Final = frozenset(
    {"success", "timestamp", "error", "pages_requested", "pages_read", "warnings"}
)


class Label(StrictModel):
    """The items' noun in progress messages, plural and in lower case."""

    pt: Annotated[Text, Key(description="In Portuguese, e.g. canais.")]
    en: Annotated[Text, Key(description="In English, e.g. channels.")]


class Next(StrictModel):
    """How the job goes on to the next page."""

    count: Annotated[
        Name, Key(description="The placeholder of open that counts up, by one for each page.")
    ]
    first: Annotated[str, Key(description="The integer param that gives its first value.")]
    pages: Annotated[
        str,
        Key(
            description="The integer param that says how many pages are read at most. "
            "It needs a min of at least 1, and a max: the job's time limit follows from it."
        ),
    ]


class JobDefinition(StrictModel):
    """One job: its parameters, its pages, its items."""

    # The order matters: a key is checked against those above it.
    params: Annotated[
        dict[Name, Param], Key(default_factory=dict, description="What a start may give, by name.")
    ]
    next: Annotated[
        Next | None, Key(description="How to go on to the next page; without it there is one page.")
    ] = None
    page_size: Annotated[
        str | None, Key(description="The integer param that says how many items a full page has.")
    ] = None
    open: Annotated[
        Template,
        Key(
            description="The page, below base_url: a path with {name}s, each a param or next's "
            "count. Values are URL-encoded."
        ),
    ]
    items: Annotated[Css, Key(description="Selector of one item.")]
    marker: Annotated[
        Css | None,
        Key(
            description="Selector of something that every page of the list has, also one without "
            "items: with it such a page is the end of the list, without it the page has changed."
        ),
    ] = None
    collection: Annotated[
        Name, Key(description="The result's key for the items; total_… is their number.")
    ]
    label: Annotated[Label, Key(description="The items' noun in progress messages.")]
    fields: Annotated[
        dict[Name, Field],
        Key(min_length=1, description="What is read of each item, by name, in this order."),
    ]
    unique_by: Annotated[
        str | None, Key(description="The text field that tells items apart: each is taken once.")
    ] = None
    require: Annotated[
        tuple[str, ...],
        Key(strict=False, description="Fields that an item cannot be without."),
    ] = ()
    example: Annotated[
        dict[str, Any] | None, Key(description="One whole item, for the API's page.")
    ] = None

    @field_validator("params")
    @classmethod
    def _check_params(cls, params: dict[str, Param]) -> dict[str, Param]:
        if reserved := sorted(RESERVED_PARAMS & params.keys()):
            message = f"{_names(reserved)} is reserved for the API"
            raise ValueError(message)
        return params

    @field_validator("next")
    @classmethod
    def _check_next(cls, following: Next | None, info: ValidationInfo) -> Next | None:
        if following is None or "params" not in info.data:
            return following
        params: dict[str, Param] = info.data["params"]
        if following.count in params:
            message = f"{following.count} counts by itself, it must be no param"
            raise ValueError(message)
        _check_integer(following.first, params)
        _check_integer(following.pages, params)
        pages = params[following.pages]
        bounds: Any = pages.choices or (pages.min, pages.max)
        if None in bounds or min(bounds) < 1:
            message = f"param {following.pages} needs a min of at least 1 and a max"
            raise ValueError(message)
        return following

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
        params, following = info.data["params"], info.data["next"]
        counted = () if following is None else (following.count,)
        named = placeholders(template)
        if unknown := [name for name in named if name not in params and name not in counted]:
            message = f"{_names(unknown)} is neither a param nor next's count"
            raise ValueError(message)
        if missing := [name for name in counted if name not in named]:
            message = f"does not hold {{{missing[0]}}}, so every page would be the same"
            raise ValueError(message)
        used = {*named, info.data.get("page_size")}
        used |= set() if following is None else {following.first, following.pages}
        if unused := [name for name in params if name not in used]:
            message = f"param {_names(unused)} is used neither here nor in next"
            raise ValueError(message)
        return template

    @field_validator("collection")
    @classmethod
    def _check_collection(cls, name: str) -> str:
        if name in RESERVED_RESULT_KEYS:
            message = "is a key that every result has"
            raise ValueError(message)
        return name

    @field_validator("unique_by", "require")
    @classmethod
    def _check_field_names(cls, value: Any, info: ValidationInfo) -> Any:
        fields = info.data.get("fields")
        names = (value,) if isinstance(value, str) else value or ()
        if fields is not None and (unknown := [name for name in names if name not in fields]):
            message = f"there is no field {_names(unknown)}"
            raise ValueError(message)
        if fields is not None and isinstance(value, str) and fields[value].kind != "text":
            message = f"{value} is no text field"
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
        """Return how many pages a start with these parameters asks for."""
        return int(params[self.next.pages]) if self.next else 1

    @property
    def max_pages(self) -> int:
        """The most pages that a start can ask for."""
        if self.next is None:
            return 1
        asked = self.params[self.next.pages]
        # The model has checked that there is one of them.
        return int(max(asked.choices) if asked.choices else asked.max or 1)


def _check_integer(name: str, params: dict[str, Param]) -> None:
    if name not in params or params[name].type != "integer":
        message = f"{name} is no integer param"
        raise ValueError(message)


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
