"""The values of items: what a page returns as texts becomes what the recipe says."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

from jmespath.exceptions import JMESPathError

from scraper.date_text import DateReader
from scraper.number_text import parse_number
from scraper.recipes.field import Field, Item
from scraper.recipes.json_source import compile_path

# As many digits as numbers in texts may have.
_MAX_INTEGER: Final = 10**30
_EMPTY: Final[tuple[Any, ...]] = (None, [])


def search_json(path: str, value: Any) -> Any:
    """Return what a JMESPath leads to; None if there is nothing.

    Args:
        path: The path, as recipes have it.
        value: Parsed JSON.
    """
    try:
        return compile_path(path).search(value)
    except (JMESPathError, ArithmeticError, TypeError, ValueError, RecursionError):
        return None  # a function of the path takes other values


def is_number(value: object) -> TypeGuard[int | float]:
    """Return whether a value of JSON is a number that can be stored."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < _MAX_INTEGER


def to_text(value: Any) -> str | None:
    """Return a value of JSON as a text; None for null, and for an empty text."""
    if value is None:
        return None
    # A path may also return a reference to an expression, which is no JSON.
    is_text = isinstance(value, str)
    text = value if is_text else json.dumps(value, ensure_ascii=False, default=lambda _: None)
    return text.strip() or None


@dataclasses.dataclass
class FieldNotes:
    """What was noticed while the values of a page's items were converted, by the field's name."""

    #: In how many items another alternative than the first was taken.
    fallbacks: dict[str, int] = dataclasses.field(default_factory=dict)
    #: In how many items a text could not be read as the type, and the first such text.
    unread: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)

    def add_unread(self, name: str, text: str) -> None:
        """Count a text that could not be read."""
        count, first = self.unread.get(name, (0, text))
        self.unread[name] = count + 1, first


class FieldValues:
    """Converts the items of one run."""

    def __init__(self, fields: Mapping[str, Field], locale: str | None, dates: DateReader) -> None:
        """Prepare the conversion.

        Args:
            fields: The recipe's fields by name.
            locale: The language of the pages, such as `pt-BR`; English by default.
            dates: Reads their dates.
        """
        self._fields = fields
        self._locale = locale or "en"
        self._dates = dates
        self._is_needed = any(map(_needs_conversion, _all_fields(fields)))

    def convert(self, items: Sequence[Item]) -> tuple[list[Item], FieldNotes]:
        """Return items with the values of the recipe's types.

        Args:
            items: The items as `js/extract.js` returns them, checked.
        """
        notes = FieldNotes()
        if not self._is_needed:
            return list(items), notes
        return [self._convert_item(item, self._fields, "", notes) for item in items], notes

    def _convert_item(
        self, item: Item, fields: Mapping[str, Field], prefix: str, notes: FieldNotes
    ) -> Item:
        return {
            name: self._convert(item[name], field, f"{prefix}{name}", notes)
            for name, field in fields.items()
        }

    def _convert(self, raw: Any, field: Field, name: str, notes: FieldNotes) -> Any:
        if field.fields is not None:
            prefix = f"{name}."
            return [self._convert_item(item, field.fields, prefix, notes) for item in raw]
        if field.alternatives:
            return self._choose(raw, field, name, notes)
        unread: list[str] = []
        value = self._convert_field(raw, field, unread)
        for text in unread[:1]:
            notes.add_unread(name, text)
        return value

    def _choose(self, raws: Sequence[Any], field: Field, name: str, notes: FieldNotes) -> Any:
        """Return the value of the first alternative that is not empty, or the empty value."""
        unread: list[str] = []
        for index, (raw, alternative) in enumerate(zip(raws, field.alternatives, strict=True)):
            value = self._convert_field(raw, alternative, unread)
            if value not in _EMPTY:
                if index > 0 and alternative.value is None:
                    notes.fallbacks[name] = notes.fallbacks.get(name, 0) + 1
                return value
        for text in unread[:1]:
            notes.add_unread(name, text)
        return [] if field.is_list else None

    def _convert_field(self, raw: Any, field: Field, unread: list[str]) -> Any:
        """Return the value of a field; texts that are not of its type are added to `unread`."""
        if field.value is not None:
            return field.value
        if not _needs_conversion(field):
            return raw
        texts = raw if isinstance(raw, list) else [] if raw is None else [raw]
        found = [value for text in texts for value in _find_path(text, field)]
        values = [self._to_type(value, field, unread) for value in found]
        if not field.is_list:
            return values[0] if values else None
        return [value for value in values if value not in _EMPTY][: field.limit]

    def _to_type(self, value: Any, field: Field, unread: list[str]) -> Any:
        if field.type == "number" and is_number(value):
            return value
        text = to_text(value)
        if text is None or field.type in {"text", "url"}:
            return text
        if field.type == "number":
            result: float | str | None = parse_number(text, self._locale)
        else:
            result = self._dates.read(text)
        if result is None:
            unread.append(text)
        return result


def _find_path(text: str, field: Field) -> Sequence[Any]:
    """Return the values that a field's path leads to, several for a list of them."""
    if field.path is None or field.is_json:  # else it was followed already
        return [text]
    try:
        value = search_json(field.path, json.loads(text))
    except (ValueError, RecursionError):
        return []  # it is no JSON
    return value if field.is_list and isinstance(value, list) else [value]


def _needs_conversion(field: Field) -> bool:
    """Return whether a field's value is something else than what pages return."""
    has_path = field.path is not None and not field.is_json
    is_other = field.type in {"number", "date"} or has_path
    return is_other or bool(field.alternatives) or field.value is not None


def _all_fields(fields: Mapping[str, Field]) -> Iterator[Field]:
    for field in fields.values():
        yield field
        yield from _all_fields(field.fields or {})
