"""The caller's language: Portuguese, unless English is asked for first."""

from typing import Annotated

from fastapi import Depends, Header, Request

from jobs.model.i18n import Language


def choose_language(accept_language: str) -> Language:
    """Choose among the languages that the API speaks.

    Args:
        accept_language: The header (RFC 9110, section 12.5.4); its weights count, a region such
            as `pt-BR` does not, and what cannot be read is passed over.
    """
    best, best_weight = Language.PT, 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.partition(";")
        name = tag.strip().lower().split("-")[0]
        if name in set(Language) and (weight := _weight(parameter)) > best_weight:
            best, best_weight = Language(name), weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def language_of(request: Request) -> Language:
    """Return the language of a request."""
    return choose_language(request.headers.get("accept-language", ""))


async def _spoken(
    accept_language: Annotated[
        str, Header(description="The language of messages: `pt` (the default) or `en`.")
    ] = "",
) -> Language:
    # A dependency that is not asynchronous would cost a thread for each request.
    return choose_language(accept_language)


RequestLanguage = Annotated[Language, Depends(_spoken)]
