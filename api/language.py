"""Language of a response: Portuguese, unless `Accept-Language` prefers English."""

from typing import Annotated

from fastapi import Depends, Header, Request

from jobs.model.i18n import Language


def negotiate_language(accept_language: str) -> Language:
    """Return the supported language that a request prefers.

    Args:
        accept_language: The header (RFC 9110, section 12.5.4). Regions, as in `pt-BR`, and parts
            that cannot be parsed are ignored.
    """
    best = Language.PT
    best_weight = 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.partition(";")
        name = tag.strip().lower().split("-")[0]
        if name in set(Language) and (weight := _weight(parameter)) > best_weight:
            best = Language(name)
            best_weight = weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def request_language(request: Request) -> Language:
    """Return the language of a request; endpoints use `LanguageDep`."""
    return negotiate_language(request.headers.get("accept-language", ""))


AcceptLanguageParam = Annotated[
    str, Header(description="Language of messages: `pt` (default) or `en`.")
]


async def _get_language(accept_language: AcceptLanguageParam = "") -> Language:
    # Asynchronous, because FastAPI runs other dependencies in a thread.
    return negotiate_language(accept_language)


LanguageDep = Annotated[Language, Depends(_get_language)]
