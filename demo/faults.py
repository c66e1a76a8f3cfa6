"""Fault injection: the available faults, and the parser of `--bad-day`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from demo.channels import COUNT

#: A count of requests that never reaches zero.
UNLIMITED = -1


class Faults(BaseModel):
    """Faults to inject; by default none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    slow_ms: int = Field(0, ge=0, description="extra response time of list pages in ms")
    status_503: int = Field(
        0, ge=UNLIMITED, description="number of list requests answered with 503; -1 for all"
    )
    status_429: int = Field(
        0, ge=UNLIMITED, description="number of list requests answered with 429; -1 for all"
    )
    status_500: int = Field(
        0, ge=UNLIMITED, description="number of list requests answered with 500; -1 for all"
    )
    login_status_503: int = Field(
        0, ge=UNLIMITED, description="number of /login requests answered with 503; -1 for all"
    )
    retry_after: int | None = Field(
        None, ge=0, description="Retry-After of these responses in seconds; omitted by default"
    )
    reset: int = Field(
        0,
        ge=UNLIMITED,
        description="number of list requests whose connection is reset; -1 for all. Chrome "
        "retries about ten times, so a small count has no visible effect",
    )
    hang_page: int | None = Field(
        None, ge=1, description="number of the list page that never responds"
    )
    session_ends_after: int | None = Field(
        None, ge=0, description="number of list pages served before the session ends, once"
    )
    session_never_holds: bool = Field(
        default=False, description="each list page ends the session and redirects to /login"
    )
    shifting: bool = Field(
        default=False,
        description="each list page starts with the last 3 channels of the previous one",
    )
    renamed_card: int | None = Field(
        None, ge=1, description="first list page on which the class channel-card is renamed"
    )
    renamed_field: bool = Field(
        default=False, description="the class of the channel's name is renamed on all pages"
    )
    maintenance_page: int | None = Field(
        None, ge=1, description="first list page that is replaced by a maintenance notice (200)"
    )
    empty_first_page: bool = Field(default=False, description="list page 1 has no channels")
    late_cards_ms: int = Field(
        0, ge=0, description="ms after page load until a script adds the first quarter of the cards"
    )
    late_cards_every_ms: int = Field(100, ge=0, description="ms between two of these quarters")
    missing_stat_card: bool = Field(
        default=False, description="channels lack the second of their six stat cards"
    )
    slow_frame_ms: int = Field(
        0, ge=0, description="list pages contain a frame with this response time in ms"
    )
    last_page_repeats: bool = Field(
        default=False, description="pages after the last one repeat the last one"
    )
    short_page: int | None = Field(
        None, ge=1, description="number of the list page with only 4 channels"
    )
    slow_image_ms: int = Field(
        0, ge=0, description="response time of the list pages' banner and gallery images in ms"
    )
    gallery: int = Field(0, ge=0, le=1000, description="number of gallery images on list pages")
    channels: int = Field(
        COUNT, ge=1, le=10_000, description="number of channels; those after 137 repeat others"
    )
    login_late_button_ms: int = Field(
        200, ge=0, description="ms after page load until the login button is enabled"
    )
    wrong_password: bool = Field(default=False, description="every password is rejected")
    error_url_login: bool = Field(
        default=False, description="a wrong password redirects to /?error=1 instead of /login"
    )


class FaultError(ValueError):
    """A fault is unknown, or its value is invalid."""

    def __init__(self, details: Sequence[ErrorDetails]) -> None:
        super().__init__("; ".join(self._describe(detail) for detail in details))

    @staticmethod
    def _describe(detail: ErrorDetails) -> str:
        name = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            return f"Unknown bad day {name}: choose from {', '.join(Faults.model_fields)}"
        return f"{name or 'bad days'}: {detail['msg']}, not {detail['input']!r}"


def parse_faults(values: Mapping[str, Any]) -> Faults:
    """Parse faults by name.

    Raises:
        FaultError: A fault is unknown, or its value is invalid.
    """
    try:
        return Faults.model_validate(values)
    except ValidationError as error:
        raise FaultError(error.errors()) from error


def parse_fault_arguments(arguments: Sequence[str]) -> Faults:
    """Parse arguments `NAME=VALUE`, with the value as JSON; `NAME` is short for `NAME=true`.

    Raises:
        FaultError: A fault is unknown, or its value is invalid.
    """
    values: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        try:
            values[name] = json.loads(value) if equals else True
        except ValueError:
            values[name] = value  # not JSON: the model reports which type it expects
    return parse_faults(values)
