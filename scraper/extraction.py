"""Check of what a page returned: its items as the recipe describes them, within the size limits."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from scraper.browser.page_snapshot import MB, SizeLimits
from scraper.errors import PageChanged, PageTooLarge
from scraper.field_values import FieldNotes, FieldValues
from scraper.recipes.dynamic_models import build_item_model
from scraper.recipes.error_messages import describe_error
from scraper.recipes.models import Item, JobDefinition

# What an item has in addition to its values: keys, quotes, commas. The items may be repeated once,
# as their keys.
_MAX_OVERHEAD: Final = 4


class _Head(BaseModel):
    """What a page returns with its items."""

    model_config = ConfigDict(strict=True, extra="forbid")

    origin: float
    base: str
    digest: str
    items: list[Any]
    keys: list[str | None] | None


@dataclass(frozen=True)
class Extraction:
    """The items of a page, checked."""

    #: The time origin of the document.
    origin: float
    #: What relative URLs refer to.
    base_url: str
    #: That of a snapshot of the same items.
    digest: str
    items: list[Item]
    #: Each item as JSON, as it is stored.
    texts: list[bytes]
    #: What identifies each item; None without such a field, or where it is empty.
    keys: list[str | None]
    notes: FieldNotes


class ExtractionParser:
    """Parses what `js/extract.js` returns for the pages of a job.

    The script and this check have the same limits: a browser that a page has taken over returns
    what it wants.
    """

    def __init__(self, job: JobDefinition, sizes: SizeLimits, values: FieldValues) -> None:
        self._selector = str(job.items)
        self._sizes = sizes
        self._values = values
        model: Any = build_item_model(job.fields, "Item", extra="forbid", is_raw=True)
        self._items: TypeAdapter[Any] = TypeAdapter(list[model])

    def parse(
        self, text: str, page: str, given: Mapping[str, Any] = MappingProxyType({})
    ) -> Extraction:
        """Return the items of a page.

        Args:
            text: JSON.
            page: The page's URL.
            given: Values that each item begins with.

        Raises:
            PageChanged: The text is not what the recipe describes.
            PageTooLarge: There are more items, or longer ones, than are stored.
        """
        if len(text) > _MAX_OVERHEAD * self._sizes.page_mb * MB:
            raise self._sizes.exceeded_by(page, PageTooLarge.Reason.BYTES)
        try:
            data = json.loads(text, parse_constant=_reject_constant)
            head = _Head.model_validate(data)
            if len(head.items) > self._sizes.page_items:
                raise self._sizes.exceeded_by(page, PageTooLarge.Reason.ITEMS)
            self._items.validate_python(head.items)
            items, notes = self._values.convert(head.items)
            if given:
                items = [{**given, **item} for item in items]
            texts = [encode_item(item) for item in items]
            self._check_sizes(items, texts, page)
        except ValidationError as error:
            raise self._changed(page, _describe(error)) from None
        except (ValueError, RecursionError) as error:
            # Also half a surrogate pair, which cannot be encoded.
            raise self._changed(page, f"not JSON: {type(error).__name__}") from None
        keys = head.keys
        if keys is None:
            keys = [None for _ in items]
        if len(keys) != len(items):
            raise self._changed(page, "keys: their number is not that of the items")
        return Extraction(head.origin, head.base, head.digest, items, texts, keys, notes)

    def _check_sizes(self, items: list[Item], texts: list[bytes], page: str) -> None:
        total = 0
        for item, item_text in zip(items, texts, strict=True):
            size = len(item_text)
            total += size
            if size > self._sizes.text_mb * MB and self._has_long_text(item):
                raise self._sizes.exceeded_by(page, PageTooLarge.Reason.TEXT)
            if size > self._sizes.item_mb * MB:
                raise self._sizes.exceeded_by(page, PageTooLarge.Reason.ITEM)
            if total > self._sizes.page_mb * MB:
                raise self._sizes.exceeded_by(page, PageTooLarge.Reason.BYTES)

    def _has_long_text(self, item: Item) -> bool:
        return any(len(text.encode()) > self._sizes.text_mb * MB for text in _list_texts(item))

    def _changed(self, page: str, cause: str) -> PageChanged:
        return PageChanged(page, self._selector, PageChanged.Reason.UNREADABLE, cause)


def encode_item(item: Mapping[str, Any]) -> bytes:
    """Return an item as JSON, as it is stored."""
    return json.dumps(item, ensure_ascii=False).encode()


def _list_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _list_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_texts(inner)


def _reject_constant(name: str) -> NoReturn:
    """Reject NaN and the infinities, which are not JSON."""
    raise ValueError(name)


def _describe(error: ValidationError) -> str:
    """Return the first fault, such as `item 3, title: must be a string`, without any value."""
    fault = error.errors(include_input=False, include_url=False)[0]
    steps = [f"item {step + 1}" if isinstance(step, int) else str(step) for step in fault["loc"]]
    return f"{', '.join(steps)}: {describe_error(fault)}"
