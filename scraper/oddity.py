"""Fields that are empty in all items of a page: the site may have renamed something."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from scraper.recipes.models import Field

# Fewer items may well have nothing in common that they should have.
_MIN_ITEMS: Final = 5
# A flag is false more often than a text is missing.
_MIN_ITEMS_FOR_FLAGS: Final = 20


def find_empty_fields(
    fields: Mapping[str, Field], items: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Give each field that is empty in all of so many items that it looks like no accident.

    Args:
        fields: of the items, by name.
        items: all of a page.

    Yields:
        Its name and its selector; of a nested field both are joined to those of the outer one.
    """
    for name, field in fields.items():
        enough = _MIN_ITEMS_FOR_FLAGS if field.kind == "flag" else _MIN_ITEMS
        values = [item[name] for item in items]
        if len(values) >= enough and all(value in (None, [], False) for value in values):
            yield name, describe_selector(field)
        elif field.fields is not None:
            inner = [item for value in values for item in value]
            for inner_name, inner_selector in find_empty_fields(field.fields, inner):
                yield f"{name}.{inner_name}", f"{field.css} {inner_selector}"


def describe_selector(field: Field) -> str:
    """Return the selector that a field is found by, written as one."""
    return " ".join(filter(None, [field.css or field.exists, field.then]))
