"""Validation errors as short English sentences."""

from typing import Final

from pydantic_core import ErrorDetails

from scraper.recipes.strict_types import NAME, SLUG

_QUOTE_BOOLEAN: Final = " (YAML reads on, off, yes and no as booleans: put it in quotes)"

_SENTENCES: Final = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}
_PATTERNS: Final = {
    NAME: "must be of lower-case letters, digits and _, and begin with a letter",
    SLUG: "must be of lower-case letters, digits and -, and begin with a letter",
}


def describe_error(error: ErrorDetails) -> str:
    """What is wrong, to stand after the name of the thing: "must be at most 100"."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        whole = pattern.removeprefix("^(?:").removesuffix(")$")
        return _PATTERNS.get(pattern, f"must match {whole} as a whole")
    if kind not in _SENTENCES:
        return error["msg"]
    sentence = _SENTENCES[kind].format_map(context)
    if kind == "string_type" and isinstance(error["input"], bool):
        return sentence + _QUOTE_BOOLEAN
    if kind == "string_type" and not isinstance(error["input"], dict | list | None):
        return sentence + " (put it in quotes)"
    return sentence
