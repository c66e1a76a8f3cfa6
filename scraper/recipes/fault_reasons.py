"""Reasons of a recipe's faults, with advice on quotes where it mends the fault."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scraper.recipes.error_messages import describe_error
from scraper.recipes.field import ALTERNATIVES
from scraper.recipes.foreign_words import find_advice
from scraper.recipes.json_source import ITEMS_NOTATIONS
from scraper.recipes.models import Recipe
from scraper.recipes.strict_types import NOTATION_LIST, NOTATION_MAPPING, InnerKeyError
from scraper.recipes.yaml_source import KeyPath, YamlSource

_QUOTE: Final = " (put it in quotes)"
_QUOTE_DATE: Final = " (YAML parses it as a date: put it in quotes)"
_QUOTE_BOOLEAN: Final = " (YAML parses on, off, yes and no as booleans: put it in quotes)"
_UNQUOTE: Final = " (without quotes)"
# A file that is no recipe may have a fault in each line, and to find advice takes a validation.
_MAX_FAULTS: Final = 100
_MAX_ADVISED: Final = 20
# Steps that pydantic adds to a fault's place: for an invalid key of a mapping, and for notations.
_NO_KEYS: Final = frozenset(
    {"[key]", ALTERNATIVES, NOTATION_LIST, NOTATION_MAPPING, *ITEMS_NOTATIONS}
)


def find_reasons(error: ValidationError, source: YamlSource) -> Iterator[tuple[ErrorDetails, str]]:
    """Yield the faults of a recipe, each with its reason.

    A value that is not a string in YAML, and would be wrong as a string too, is reported with the
    fault that it would have then: advice to put it in quotes would lead nowhere.

    Args:
        error: What pydantic says about the recipe.
        source: The recipe's file.
    """
    faults = error.errors()
    for number, fault in enumerate(faults[:_MAX_FAULTS]):
        key = key_of(fault)
        advice, other_value = "", None
        if number < _MAX_ADVISED:
            advice, other_value = _propose(fault, source, key)
        if not advice:
            yield fault, describe_error(fault) + _translate(fault, key)
            continue
        new_faults = _find_new_faults(source.data, key, other_value, faults)
        same = [new for new in new_faults if key_of(new) == key]
        if not new_faults:
            yield fault, describe_error(fault) + advice
        elif same and advice != _UNQUOTE:
            yield same[0], describe_error(same[0])
        else:
            yield fault, describe_error(fault)
            if advice != _UNQUOTE:
                yield from ((new, describe_error(new)) for new in new_faults)


def _translate(fault: ErrorDetails, key: KeyPath) -> str:
    """Return the word of recipes for a key of another tool's; empty if no word is known."""
    advice = find_advice(key) if fault["type"] == "extra_forbidden" else ""
    return f": {advice}" if advice else ""


def key_of(fault: ErrorDetails) -> KeyPath:
    """Return the key of a fault."""
    error = fault.get("ctx", {}).get("error")
    steps = (*fault["loc"], *(error.keys if isinstance(error, InnerKeyError) else ()))
    return tuple(step for step in steps if step not in _NO_KEYS)


def _propose(fault: ErrorDetails, source: YamlSource, key: KeyPath) -> tuple[str, Any]:
    """Return advice that may mend a fault, and the value with it; else empty advice."""
    text = source.texts.get(key)
    value = fault["input"]
    if text is not None and isinstance(value, date):
        return _QUOTE_DATE, text
    if text is not None and fault["type"] == "string_type" and value is not None:
        is_word = isinstance(value, bool) and text.lower() not in {"true", "false"}
        return _QUOTE_BOOLEAN if is_word else _QUOTE, text
    if isinstance(value, str) and key in source.lines:
        other_value = _parse_scalar(value)
        if isinstance(other_value, bool | int | float):
            return _UNQUOTE, other_value
    return "", None


def _parse_scalar(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _find_new_faults(
    data: Any, key: KeyPath, value: object, faults: list[ErrorDetails]
) -> list[ErrorDetails]:
    """Return the faults at a key or its ancestors that another value would have.

    Args:
        data: The recipe.
        key: The value's key.
        value: The other value.
        faults: The present faults, of which those at other keys do not count.
    """
    try:
        Recipe.model_validate(_replace(data, key, value))
    except ValidationError as error:
        present = [(key_of(fault), fault["msg"]) for fault in faults if key_of(fault) != key]
        return [
            fault
            for fault in error.errors()
            if key_of(fault) == key[: len(fault["loc"])]
            and (key_of(fault), fault["msg"]) not in present
        ]
    return []


def _replace(data: Any, key: KeyPath, value: object) -> Any:
    if not key:
        return value
    changed = data.copy()
    changed[key[0]] = _replace(data[key[0]], key[1:], value)
    return changed
