"""URL templates with {name} placeholders."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def placeholders(template: str) -> tuple[str, ...]:
    """The names between braces, in their order, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def has_stray_brace(template: str) -> bool:
    """Whether a brace is left that belongs to no placeholder."""
    return bool(re.search(r"[{}]", _PLACEHOLDER.sub("", template)))


def fill_template(template: str, values: Mapping[str, object]) -> str:
    """Put each value in the place of its {name}, URL-encoded, as JavaScript would write it.

    A boolean reads true or false, and 2.0 reads 2.

    Raises:
        KeyError: the template has a placeholder that `values` does not give.
    """
    return _PLACEHOLDER.sub(lambda found: quote(_text(values[found[1]]), safe=""), template)


def join_url(base_url: str, path: str) -> str:
    """The address of `path` (it starts with a slash) below `base_url`, which may have a path."""
    return base_url.rstrip("/") + path


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
