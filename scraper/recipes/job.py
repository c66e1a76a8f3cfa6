"""Job definitions of a recipe: parameters, pages, items."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Self

from pydantic import (
    Discriminator,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import Field as Key
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from scraper.recipes.dynamic_models import build_item_model
from scraper.recipes.field import Field, mark_json
from scraper.recipes.json_source import ITEMS_NOTATIONS, JsonItems, notation_of
from scraper.recipes.param import MAX_VALUES, Param
from scraper.recipes.strict_types import (
    NOTATION_LIST,
    NOTATION_MAPPING,
    InnerKeyError,
    Name,
    Selector,
    StrictModel,
    Template,
    Text,
    check_below_item,
)
from scraper.recipes.url_template import is_link_template, placeholders

#: Keys of a start's body that the API uses itself.
RESERVED_PARAMS: Final = frozenset({"webhook_url", "webhook_payload", "webhook_events", "account"})
#: Keys of a result in addition to the items.
RESERVED_RESULT_KEYS: Final = frozenset(
    {"success", "timestamp", "error", "pages_requested", "pages_read", "warnings"}
    | {"requested", "scraped"}  # total_requested, total_scraped
)
# An item may also be the document itself, or its body.
_WHOLE_DOCUMENT: Final = re.compile(r"(?:^|[\s,>])(?:html|head|body|:root)\b")


class Label(StrictModel):
    """The items' noun in progress messages, plural and in lower case.

    A bare word instead of a mapping is used in both languages.
    """

    pt: Annotated[Text, Key(description="In Portuguese, e.g. canais.")]
    en: Annotated[Text, Key(description="In English, e.g. channels.")]

    @model_validator(mode="before")
    @classmethod
    def _from_bare_word(cls, value: Any) -> Any:
        return {"pt": value, "en": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return a schema with both notations, for editors."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "string", "minLength": 1}, mapping]}


#: The share of a job's items that have a value.
_FillRate = Annotated[float, Key(gt=0, le=1)]
_Require = Annotated[
    Annotated[tuple[str, ...], Key(strict=False), Tag(NOTATION_LIST)]
    | Annotated[dict[Name, _FillRate], Tag(NOTATION_MAPPING)],
    Discriminator(lambda value: NOTATION_MAPPING if isinstance(value, dict) else NOTATION_LIST),
]

#: The parameters that `next.max` gives a job.
_FIRST: Final = "first_page"
_PAGES: Final = "pages"
#: How many pages of a list are read that its own control leads through.
_MAX_FOLLOWED: Final = 100
#: The same for a list that is scrolled through: how often it may bring new items.
_MAX_SCROLLED: Final = 1000
#: Instead of a control's selector: the list is scrolled.
_SCROLL: Final = "scroll"


class Next(StrictModel):
    """How the job goes on: by a number in the URL, by the page's control, or to the next of a list.

    A bare selector instead of a mapping is that of the control.
    """

    count: Annotated[
        Name | None,
        Key(description="The placeholder of open that increases by one with each page."),
    ] = None
    each: Annotated[
        Name | None,
        Key(
            description="The list param with a page for each of its values, instead of count and "
            "control. What fails is listed in the result; the rest is read."
        ),
    ] = None
    singular: Annotated[
        Name | None,
        Key(
            alias="as",
            description="One value of each: the placeholder of open, the first field of the items, "
            "and a start's param for a single value.",
        ),
    ] = None
    max: Annotated[
        int | None,
        Key(
            ge=1,
            le=10_000,
            description="The most pages that a start may ask for; without count 100 by default, "
            "with scroll 1000. It gives the job the param pages, and with count first_page, unless "
            "params has them: by default one page, without count all of them.",
        ),
    ] = None
    first: Annotated[str, Key(description="The integer param with count's first value.")] = _FIRST
    pages: Annotated[
        str,
        Key(
            description="The integer param with the maximum number of pages. It requires a min of "
            "at least 1, and a max, from which the job's time limit is derived."
        ),
    ] = _PAGES
    control: Annotated[
        Selector | None,
        Key(
            description="Selector of the link or button that leads to the next page. No page is "
            "read after one on which it is missing, hidden or disabled. Without count, a link is "
            "opened, and anything else is clicked, also a button that adds items to the page. The "
            "word scroll instead: the list is scrolled until nothing new comes; a page is what a "
            "step brings. Where items go away again, it requires unique_by."
        ),
    ] = None

    @property
    def used_params(self) -> set[str]:
        """The names of the params that it uses."""
        if self.each is not None:
            return {self.each}
        return {self.pages} if self.count is None else {self.pages, self.first}

    @property
    def is_scrolled(self) -> bool:
        """Whether scrolling brings the items, instead of a control."""
        return self.control == _SCROLL

    @model_validator(mode="before")
    @classmethod
    def _from_bare_selector(cls, value: Any) -> Any:
        return {"control": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_way(self) -> Self:
        if self.each is not None:
            if others := sorted(self.model_fields_set - {"each", "singular"}):
                message = f"each cannot be combined with {_join(others)}"
                raise ValueError(message)
            if self.singular is None:
                message = "each requires as"
                raise ValueError(message)
            return self
        if self.singular is not None:
            message = "as requires each"
            raise ValueError(message)
        if self.count is None and self.control is None:
            message = "requires count, control or each"
            raise ValueError(message)
        if self.count is not None and self.is_scrolled:
            message = "scroll cannot be combined with count"
            raise ValueError(message)
        if self.count is None and "first" in self.model_fields_set:
            message = "first requires count"
            raise ValueError(message)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return a schema with both notations, for editors."""
        mapping = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "string", "minLength": 1}, mapping]}


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
    parallel: Annotated[
        int,
        Key(
            ge=1,
            le=8,
            description="How many pages are loaded at the same time, each in a tab of its own. "
            "They are read in their order all the same.",
        ),
    ] = 1
    spread: Annotated[
        bool,
        Key(
            description="Let workers that have nothing else to do read pages of the job too. It "
            "requires next. The result is the same as that of one worker."
        ),
    ] = False
    open: Annotated[
        Template,
        Key(
            description="The page's path below base_url. Each {name} in it is replaced by the "
            "value of a param, or of next's count, URL-encoded. A pair of the query whose values "
            "are all empty is left out; an empty value in the path is rejected."
        ),
    ]
    items: Annotated[
        Annotated[Selector, Tag(ITEMS_NOTATIONS[0])]
        | Annotated[JsonItems, Tag(ITEMS_NOTATIONS[1])],
        Discriminator(notation_of),
        Key(description="Selector of an item; or where the page has the items as JSON."),
    ]
    marker: Annotated[
        Selector | None,
        Key(
            description="Selector of an element that every page of the list has, even one without "
            "items. A later page without items ends the list; with a marker only if that matches, "
            "otherwise the job fails with page_changed."
        ),
    ] = None
    end: Annotated[
        Selector | None,
        Key(
            description="Selector of an element that is visible on the last page of the list, or "
            "on a page without items, and on no other: no page after it is opened."
        ),
    ] = None
    collection: Annotated[
        Name, Key(description="The result's key of the items; total_… is their number.")
    ] = "items"
    label: Annotated[
        Label,
        Key(
            description="The items' noun in progress messages; by default the name of the "
            "collection."
        ),
    ] = Label(pt="itens", en="items")
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
        _Require,
        Key(
            description="Fields that every item must have: the job fails if one of them is empty "
            "in all items of a page, and some empty values are a warning. Or a mapping of fields "
            "to fill rates: the job fails at its end if fewer of its items have the field."
        ),
    ] = ()
    example: Annotated[
        dict[str, Any] | None, Key(description="A complete item, for the API's documentation.")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _add_page_params(cls, data: Any) -> Any:
        """Let `next.max` give the job the params that it needs."""
        if not isinstance(data, dict):
            return data
        pagination, params = data.get("next"), data.get("params", {})
        if isinstance(pagination, str):
            pagination = {"control": pagination}
        if not isinstance(pagination, dict) or not isinstance(params, dict):
            return data
        is_followed = "count" not in pagination
        if "each" in pagination:
            return data
        default = _MAX_SCROLLED if pagination.get("control") == _SCROLL else _MAX_FOLLOWED
        most = pagination.get("max", default if is_followed else None)
        if not isinstance(most, int) or not {"first", "pages"}.isdisjoint(pagination):
            return data
        pages = {"min": 1, "max": most, "default": most if is_followed else 1}
        first = {"min": 1, "max": 1_000_000, "default": 1}
        implied = {_PAGES: {"type": "integer", **pages, "help": "How many pages to read"}}
        if not is_followed:
            implied[_FIRST] = {"type": "integer", **first, "help": "The page to begin with"}
        return {**data, "params": {**implied, **params}}

    @model_validator(mode="before")
    @classmethod
    def _name_items(cls, data: Any) -> Any:
        """Let the collection be the default of the label."""
        if isinstance(data, dict) and "label" not in data:
            name = data.get("collection")
            if isinstance(name, str):
                return {**data, "label": name.replace("_", " ") or name}
        return data

    @model_validator(mode="before")
    @classmethod
    def _mark_json_fields(cls, data: Any) -> Any:
        """Let the fields know that the items come from JSON."""
        if not isinstance(data, dict) or not isinstance(data.get("items"), dict):
            return data
        fields = data.get("fields")
        if not isinstance(fields, dict):
            return data
        return {**data, "fields": {name: mark_json(field) for name, field in fields.items()}}

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
        if pagination.each is not None:
            _check_each(pagination, params)
            return pagination
        if pagination.count in params:
            message = f"{pagination.count} counts the pages, so it must not be a param"
            raise ValueError(message)
        if pagination.count is not None:
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

    @field_validator("parallel", "spread")
    @classmethod
    def _check_known_urls(cls, value: int, info: ValidationInfo) -> int:
        pagination = info.data.get("next")
        if info.field_name == "spread" and value and "next" in info.data and pagination is None:
            message = "requires next: the job has one page"
            raise ValueError(message)
        is_parallel = info.field_name == "parallel"
        is_unknown = pagination and pagination.count is None and pagination.each is None
        if info.field_name == "spread" and value and pagination and pagination.each is not None:
            message = "requires next with count"
            raise ValueError(message)
        if value > is_parallel and is_unknown:
            message = "requires next with count: the URLs of the pages are not known before"
            raise ValueError(message)
        return value

    @field_validator("open")
    @classmethod
    def _check_open(cls, template: str, info: ValidationInfo) -> str:
        if not {"params", "next"} <= info.data.keys():
            return template
        params, pagination = info.data["params"], info.data["next"]
        counter = pagination and (pagination.count or pagination.singular)
        counters = () if counter is None else (counter,)
        names = placeholders(template)
        if unknown := [name for name in names if name not in params and name not in counters]:
            message = f"{_join(unknown)} is neither a param nor next's count or as"
            raise ValueError(message)
        if is_link_template(template) and not (
            (pagination and pagination.each) or _is_url(names[0], params)
        ):
            message = (
                "must start with a slash: only next's as and params of the type url are whole links"
            )
            raise ValueError(message)
        if missing := [name for name in counters if name not in names]:
            message = f"does not contain {{{missing[0]}}}, so all pages would be the same"
            raise ValueError(message)
        used = {*names, info.data.get("page_size")}
        used |= set() if pagination is None else pagination.used_params
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

    @field_validator("fields")
    @classmethod
    def _check_selectors(cls, fields: dict[str, Field], info: ValidationInfo) -> dict[str, Field]:
        items = info.data.get("items", "")
        if isinstance(items, str) and not _WHOLE_DOCUMENT.search(items):
            for name, field in fields.items():
                _check_below_item((name,), field)
        return fields

    @field_validator("fields")
    @classmethod
    def _check_singular(cls, fields: dict[str, Field], info: ValidationInfo) -> dict[str, Field]:
        pagination = info.data.get("next")
        if pagination and pagination.singular in fields:
            message = f"{pagination.singular} is the value of next's as: every item has it anyway"
            raise InnerKeyError(message, (str(pagination.singular),))
        return fields

    @field_validator("unique_by", "require")
    @classmethod
    def _check_field_names(cls, value: Any, info: ValidationInfo) -> Any:
        fields = info.data.get("fields")
        names = (value,) if isinstance(value, str) else value or ()
        if fields is not None and (unknown := [name for name in names if name not in fields]):
            message = f"unknown field {_join(unknown)}"
            raise ValueError(message)
        if fields is not None and isinstance(value, str) and not _is_key(fields[value]):
            message = f"{value} is not a text field, or one with a url"
            raise ValueError(message)
        return value

    @field_validator("example")
    @classmethod
    def _check_example(
        cls, example: dict[str, Any] | None, info: ValidationInfo
    ) -> dict[str, Any] | None:
        if example is None or "fields" not in info.data:
            return example
        fields = dict(info.data["fields"])
        pagination = info.data.get("next")
        if pagination and pagination.singular:
            fields[pagination.singular] = Field.model_validate({"attr": "href"})
        build_item_model(fields, "Item", extra="forbid").model_validate(example)
        return example

    @property
    def json_items(self) -> JsonItems | None:
        """Where the page has the items as JSON; None if they are elements."""
        return self.items if isinstance(self.items, JsonItems) else None

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that no page may lack in all of its items."""
        rates = self.fill_rates
        return tuple(name for name in self.require if rates.get(name, 1) == 1)

    @property
    def fill_rates(self) -> Mapping[str, float]:
        """The share of the job's items that must have a field, by its name."""
        return self.require if isinstance(self.require, dict) else {}

    @property
    def singular(self) -> str | None:
        """What a value is called that has a page of its own (`next.as`); None for a list."""
        return self.next.singular if self.next else None

    def first_page(self, params: Mapping[str, Any]) -> int:
        """Return the number of the first page of a start with these parameters."""
        return int(params[self.next.first]) if self.next and self.next.count else 1

    def list_values(self, params: Mapping[str, Any]) -> list[str]:
        """Return the values that have a page each, without repetitions; empty for other jobs."""
        each = self.next.each if self.next else None
        return [] if each is None else list(dict.fromkeys(params[each]))

    def count_pages(self, params: Mapping[str, Any]) -> int:
        """Return the number of pages that a start with these parameters requests."""
        if self.next is None:
            return 1
        if self.next.each is not None:
            return len(self.list_values(params))
        return int(params[self.next.pages])

    @property
    def url_param(self) -> str | None:
        """The name of the param that is the URL of the first page; None if `open` is a path."""
        name = next(iter(placeholders(self.open)), "")
        return name if is_link_template(self.open) and _is_url(name, self.params) else None

    @property
    def is_followed(self) -> bool:
        """Whether each page leads to the next one: their URLs are not known before."""
        return self.next is not None and self.next.count is None and self.next.each is None

    @property
    def is_scrolled(self) -> bool:
        """Whether scrolling brings the items of the next page."""
        return self.next is not None and self.next.is_scrolled

    @property
    def item_fields(self) -> dict[str, Field]:
        """The fields of an item in the result, with that of `next.as`."""
        if self.singular is None:
            return self.fields
        # A link, as the caller has given it.
        return {self.singular: Field.model_validate({"attr": "href"}), **self.fields}

    @property
    def min_pages(self) -> int:
        """The minimum number of pages that a start can request."""
        if self.next is None or self.next.each is not None:
            return 1
        pages = self.params[self.next.pages]
        return int(min(pages.choices) if pages.choices else pages.min or 1)

    @property
    def max_pages(self) -> int:
        """The maximum number of pages that a start can request."""
        if self.next is None:
            return 1
        if self.next.each is not None:
            return int(self.params[self.next.each].max or MAX_VALUES)
        pages = self.params[self.next.pages]
        # The validation of `next` ensures one of them.
        return int(max(pages.choices) if pages.choices else pages.max or 1)


def _check_below_item(keys: tuple[str | int, ...], field: Field) -> None:
    for index, alternative in enumerate(field.alternatives):
        _check_below_item((*keys, index), alternative)
    key_of_target = "css" if field.xpath is None else "xpath"
    selectors = ((key_of_target, field.target), ("then", field.then), ("exists", field.exists))
    for key, selector in selectors:
        try:
            check_below_item(selector or "")
        except ValueError as error:
            raise InnerKeyError(str(error), (*keys, key)) from None
    for name, inner_field in (field.fields or {}).items():
        _check_below_item((*keys, "fields", name), inner_field)


def _is_key(field: Field) -> bool:
    """Return whether a field's values can identify items: what the page has, before any type."""
    is_part = field.path is not None and not field.is_json
    return field.kind in {"text", "url"} and not field.is_list and not is_part


def _check_each(pagination: Next, params: dict[str, Param]) -> None:
    if pagination.each not in params or params[pagination.each].type != "list":
        message = f"{pagination.each} is not a list param"
        raise InnerKeyError(message, ("each",))
    if pagination.singular in params:
        message = f"{pagination.singular} stands for one value, so it must not be a param"
        raise InnerKeyError(message, ("as",))


def _is_url(name: str, params: dict[str, Param]) -> bool:
    return name in params and params[name].type == "url"


def _check_integer(name: str, params: dict[str, Param]) -> None:
    if name not in params or params[name].type != "integer":
        message = f"{name} is not an integer param"
        raise ValueError(message)


def _join(names: Iterable[str]) -> str:
    return ", ".join(names)
