"""Validation errors as short English phrases."""

from typing import Final

from pydantic_core import ErrorDetails

from scraper.recipes.strict_types import NAME, SLUG

_PHRASES: Final = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "recursion_loop": "is nested too deeply",
    "too_short": "must not be empty",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}
_PATTERNS: Final = {
    NAME: "must contain only lower-case letters, digits and _, and start with a letter",
    SLUG: "must contain only lower-case letters, digits and -, and start with a letter",
}


def describe_error(error: ErrorDetails) -> str:
    """Return what is wrong with a value, to follow its name: "must be at most 100".

    How to mend it depends on where the value was written, which only the caller knows.
    """
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        regex = pattern.removeprefix("^(?:").removesuffix(")$")
        return _PATTERNS.get(pattern, f"must match {regex} completely")
    if kind not in _PHRASES:
        return error["msg"]
    return _PHRASES[kind].format_map(context)
