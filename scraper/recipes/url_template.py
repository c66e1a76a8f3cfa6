"""URL templates with {name} placeholders."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names between braces, in order, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def has_stray_brace(template: str) -> bool:
    """Return whether a brace is not part of a placeholder."""
    return bool(re.search(r"[{}]", _PLACEHOLDER.sub("", template)))


def fill_template(template: str, values: Mapping[str, object]) -> str:
    """Replace each {name} by its value, URL-encoded, in JavaScript's notation.

    Args:
        template: The template.
        values: The values by name. A boolean becomes true or false, and 2.0 becomes 2.

    Raises:
        KeyError: A placeholder has no value.
    """
    return _PLACEHOLDER.sub(lambda match: quote(_format(values[match[1]]), safe=""), template)


def join_url(base_url: str, path: str) -> str:
    """Return the URL of a path, which starts with a slash, below a base URL, which may have one."""
    return base_url.rstrip("/") + path


def _format(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
