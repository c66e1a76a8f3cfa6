"""URL templates with {name} placeholders."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Servers and proxies decode a URL once each.
_MAX_DECODINGS: Final = 5


class PathFault(StrEnum):
    """Why a value in a path would lead to another page; the values are keys of messages."""

    #: The value leaves an empty segment, which many servers remove.
    EMPTY = "path_empty"
    #: A segment is `.` or `..`, also after decoding.
    DOTS = "path_dots"
    #: It contains a control character, such as NUL or a line break.
    CONTROL = "path_control"
    #: It is neither a path nor a URL of the site.
    LINK = "link_site"
    #: It is no URL of the hosts that the parameter may have.
    URL = "url_host"

    @property
    def reason(self) -> str:
        """What is wrong, to follow the parameter's name; a {name} stands for a detail."""
        return _REASONS[self]


_REASONS: Final = {
    PathFault.EMPTY: "must not be empty, since it is a part of the page's path",
    PathFault.DOTS: "must not contain . or .. as a part of the page's path",
    PathFault.CONTROL: "must not contain control characters or line breaks, since it is a part of "
    "the page's path",
    PathFault.LINK: "must be a path such as /page, or a URL of the site",
    PathFault.URL: "must be a whole URL, such as https://…, of {hosts}",
}


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names between braces, in order, each once."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(template)))


def is_link_template(template: str) -> bool:
    """Return whether a template is one placeholder, and nothing else."""
    return _PLACEHOLDER.fullmatch(template) is not None


def has_stray_brace(template: str) -> bool:
    """Return whether a brace is not part of a placeholder."""
    return bool(re.search(r"[{}]", _PLACEHOLDER.sub("", template)))


def fill_template(template: str, values: Mapping[str, object]) -> str:
    """Replace each {name} by its value, URL-encoded, in JavaScript's notation.

    A pair of the query whose placeholders are all empty is left out, and `?` if no pair remains;
    also in the query of a fragment (`/#/list?page={page}`).

    Args:
        template: The template.
        values: The values by name. A boolean becomes true or false, 2.0 becomes 2, and None is
            empty.

    Raises:
        KeyError: A placeholder has no value.
    """
    texts = {name: _format(values[name]) for name in placeholders(template)}
    return "#".join(_fill_part(part, texts) for part in template.split("#", maxsplit=1))


def find_path_faults(template: str, values: Mapping[str, object]) -> dict[str, PathFault]:
    """Return the names whose values would lead to another page than the template's, with the fault.

    Only a path is checked, before the query and in a fragment with a slash: in a query, every text
    is data.

    Args:
        template: The template.
        values: The values by name. Those that are missing are taken to be numbers.
    """
    faults: dict[str, PathFault] = {}
    for segment in _path_segments(template):
        texts = {
            name: _format(values[name]) if name in values else "1" for name in placeholders(segment)
        }
        fault = _check_segment(_substitute(segment, texts)) if texts else None
        if fault:
            names = [name for name, text in texts.items() if _check_segment(text)]
            faults |= dict.fromkeys(names or [name for name in texts if name in values], fault)
    return faults


def is_path_segment(template: str, name: str) -> bool:
    """Return whether a placeholder is a whole segment of the template's path."""
    return f"{{{name}}}" in _path_segments(template)


def join_url(base_url: str, path: str) -> str:
    """Return the URL of a path, which starts with a slash, below a base URL, which may have one."""
    return base_url.rstrip("/") + path


def _fill_part(part: str, texts: Mapping[str, str]) -> str:
    """Fill a template's part before or after its `#`."""
    path, mark, query = part.partition("?")
    pairs = [pair for pair in query.split("&") if not _is_empty_pair(pair, texts)]
    encoded = {name: quote(text, safe="") for name, text in texts.items()}
    return _substitute(f"{path}{mark}{'&'.join(pairs)}" if pairs else path, encoded)


def _is_empty_pair(pair: str, texts: Mapping[str, str]) -> bool:
    names = placeholders(pair)
    return bool(names) and not any(texts[name] for name in names)


def _substitute(template: str, texts: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: texts[match[1]], template)


def _path_segments(template: str) -> list[str]:
    """Return the segments of the path, and of a fragment that is a path."""
    page, _, fragment = template.partition("#")
    paths = [page.partition("?")[0], fragment.partition("?")[0]]
    return [segment for path in paths if "/" in path for segment in path.split("/")]


def _check_segment(text: str) -> PathFault | None:
    for _ in range(_MAX_DECODINGS):
        text = unquote(text)
    if _CONTROL.search(text):
        return PathFault.CONTROL
    # Many servers decode %2F. Some ignore spaces at the end, and what follows a semicolon.
    parts = [part.partition(";")[0].strip() for part in re.split(r"[/\\]", text)]
    if not {".", ".."}.isdisjoint(parts):
        return PathFault.DOTS
    return None if any(parts) else PathFault.EMPTY


def _format(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
