"""Messages in the caller's language."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import cast

import yaml


class Language(StrEnum):
    """A language that the API speaks."""

    PT = "pt"
    EN = "en"


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """Return all sentences of a language, by key."""
    text = files("jobs.model.locales").joinpath(f"{language}.yaml").read_text(encoding="utf-8")
    return cast("Mapping[str, str]", yaml.safe_load(text))


def render(language: Language, key: str, args: Mapping[str, object]) -> str:
    """Return a message in a language.

    Args:
        language: The caller's language.
        key: The message's key in `jobs/model/locales`.
        args: The values of its {names}. A mapping is a word in several languages, a list is joined
            by commas, and a `reason` with a message of its own is replaced by that message.
    """
    sentences = catalogue(language)
    values = {name: _format_argument(language, name, value) for name, value in args.items()}
    return sentences[key].format_map(values)


def _format_argument(language: Language, name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return str(value[language])
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    return catalogue(language).get(f"{name}.{value}", str(value))
