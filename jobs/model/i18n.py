"""Messages in the caller's language."""

from collections.abc import Mapping
from contextlib import suppress
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
            by commas, and a `reason` with a message of its own is replaced by that message, which
            may use the other values. For some reasons the whole sentence is another one.
    """
    sentences = catalogue(language)
    # Warnings of version 0.2.0 have no reason.
    values = {"reason": sentences["reason.unknown"]}
    values |= {name: _format_argument(language, value) for name, value in args.items()}
    # A site's own words may be the name of a reason, without its values.
    if reason := sentences.get(f"reason.{args.get('reason')}"):
        with suppress(KeyError):
            values["reason"] = reason.format_map(values)
    if special := sentences.get(f"{key}.{args.get('reason')}"):
        with suppress(KeyError):
            return special.format_map(values)
    return sentences[key].format_map(values)


def render_known(language: Language, key: str, args: Mapping[str, object], otherwise: str) -> str:
    """Return a message; `otherwise`, if no message has this key and needs only these arguments."""
    try:
        return render(language, key, args)
    except (KeyError, ValueError, TypeError, AttributeError):
        return otherwise


def make_printable(text: str) -> str:
    """Return a text on one line, with a space for each character that only a program interprets.

    These are control characters (line breaks, bells, and those that begin an escape sequence of a
    terminal) and invisible ones, some of which change the direction of the text after them.
    """
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _format_argument(language: Language, value: object) -> str:
    if isinstance(value, Mapping):
        return str(value[language])
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
