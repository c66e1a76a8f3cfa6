"""Fault injection: which faults the site shows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

FOR_EVER = -1


class Faults(BaseModel):
    """The names and what their values mean; the defaults are a good day.

    A count of requests takes -1 for "for ever".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    slow_ms: int = Field(0, ge=0, description="ms that a list page takes longer")
    status_503: int = Field(0, ge=FOR_EVER, description="so many list requests answer 503")
    status_429: int = Field(0, ge=FOR_EVER, description="so many list requests answer 429")
    status_500: int = Field(0, ge=FOR_EVER, description="so many list requests answer 500")
    login_status_503: int = Field(0, ge=FOR_EVER, description="so many /login requests answer 503")
    retry_after: int | None = Field(
        None, ge=0, description="s in the Retry-After of those answers; none without it"
    )
    reset: int = Field(
        0,
        ge=FOR_EVER,
        description="so many list requests have their connection reset; Chrome asks up to some ten "
        "times by itself before it says so, so only a large count or -1 is sure to be seen",
    )
    hang_page: int | None = Field(None, ge=1, description="the list page that never answers")
    session_ends_after: int | None = Field(
        None, ge=0, description="list pages served until the session ends, once"
    )
    session_never_holds: bool = Field(
        default=False, description="every list page ends the session and goes to /login"
    )
    shifting: bool = Field(
        default=False, description="a list page begins with the last 3 channels of the one before"
    )
    renamed_card: int | None = Field(
        None, ge=1, description="the list page from which .channel-card has another name"
    )
    renamed_field: bool = Field(
        default=False, description="the class of the channel's name is another, everywhere"
    )
    maintenance_page: int | None = Field(
        None, ge=1, description="the list page from which a notice (200) stands there instead"
    )
    empty_first_page: bool = Field(default=False, description="list page 1 has no channel")
    late_cards_ms: int = Field(
        0, ge=0, description="ms after the load until a script draws the first of 4 lots of cards"
    )
    late_cards_every_ms: int = Field(100, ge=0, description="ms between two of these lots")
    missing_stat_card: bool = Field(
        default=False, description="each channel lacks the second of its six stat cards"
    )
    slow_frame_ms: int = Field(
        0, ge=0, description="ms that a frame in a list page takes, which has none without it"
    )
    last_page_repeats: bool = Field(
        default=False, description="pages past the last one show the last one again"
    )
    short_page: int | None = Field(None, ge=1, description="the list page that has only 4 channels")
    slow_image_ms: int = Field(0, ge=0, description="ms that the banner of a list page takes")
    login_late_button_ms: int = Field(
        200, ge=0, description="ms after the load until the log-in button can be pressed"
    )
    wrong_password: bool = Field(default=False, description="no password is right")
    error_url_login: bool = Field(
        default=False, description="a wrong password leads to /?error=1 instead of /login"
    )


class FaultError(ValueError):
    """A bad day that the site does not know, or a value that it cannot have."""

    def __init__(self, details: Sequence[ErrorDetails]) -> None:
        super().__init__("; ".join(self._sentence(detail) for detail in details))

    @staticmethod
    def _sentence(detail: ErrorDetails) -> str:
        name = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            return f"There is no bad day {name}: choose from {', '.join(Faults.model_fields)}"
        return f"{name or 'bad days'}: {detail['msg']}, not {detail['input']!r}"


def parse_faults(values: Mapping[str, Any]) -> Faults:
    """Check names and values.

    Raises:
        BadDayError: naming each that is unknown or has a value that does not fit.
    """
    try:
        return Faults.model_validate(values)
    except ValidationError as error:
        raise FaultError(error.errors()) from error


def parse_fault_arguments(arguments: Sequence[str]) -> Faults:
    """Read `NAME=VALUE`, the value as JSON; `NAME` alone is `NAME=true`.

    Raises:
        BadDayError: as `read_bad_days`.
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        name, has_value, value = argument.partition("=")
        try:
            values[name] = json.loads(value) if has_value else True
        except ValueError:
            values[name] = value  # no JSON: let the model say what should stand there
    return parse_faults(values)
