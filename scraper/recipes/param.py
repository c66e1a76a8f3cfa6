"""Parameters of a job: types, defaults, bounds."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter, ValidationInfo, field_validator
from pydantic import Field as Key
from pydantic_core import SchemaError

from scraper.recipes.origin import HostPattern, Origin
from scraper.recipes.strict_types import HostOrSubdomains, StrictModel, Text

Type = Literal["integer", "number", "string", "boolean", "list", "url"]
Scalar = int | float | str | bool
#: A parameter's value; a list has texts.
Value = Scalar | list[str]


def _check_scalar(value: Any) -> Any:
    if isinstance(value, int | float | str):
        return value
    message = "must be a string, a number, true or false"
    raise ValueError(message)


def _check_number(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    message = "must be a number"
    raise ValueError(message)


def _reject_boolean(value: Any) -> Any:
    # In Python, and so in a Literal, True equals 1.
    if isinstance(value, bool):
        message = "must be one of the choices"
        raise ValueError(message)  # noqa: TRY004  pydantic does not handle TypeError
    return value


ScalarKey = Annotated[Scalar, BeforeValidator(_check_scalar)]
Number = Annotated[int | float, BeforeValidator(_check_number)]


def check_value(value_type: Any, value: object) -> None:
    """Check a value.

    Args:
        value_type: An annotated type, with its bounds.
        value: The value.

    Raises:
        ValidationError: The value, or a part of it, is not of the type.
    """
    TypeAdapter(value_type).validate_python(value)


#: The longest value of a string, in characters: as long as a URL. Every job stores its values.
MAX_STRING = 2048
#: The most values of a list.
MAX_VALUES = 2000


class Param(StrictModel):
    """One parameter of a job."""

    # The order matters: the validation of a key uses those above it.
    type: Annotated[
        Type,
        Key(
            description="The type of the value; a list has strings. A url is a whole URL of the "
            "site, or of hosts."
        ),
    ]
    hosts: Annotated[
        tuple[HostOrSubdomains, ...] | None,
        Key(
            strict=False,
            min_length=1,
            description="The hosts of a url, instead of the site's own: shop.example, host:port, "
            "an origin with its scheme, or *.shop.example for all subdomains.",
        ),
    ] = None
    min: Annotated[
        Number | None,
        Key(description="Smallest value of an integer or a number; fewest values of a list."),
    ] = None
    max: Annotated[
        Number | None,
        Key(description="Largest value of an integer or a number; most values of a list."),
    ] = None
    pattern: Annotated[
        Text | None,
        Key(
            description="Regex that a string, or each one of a list, must match completely (no "
            "look-around)."
        ),
    ] = None
    choices: Annotated[
        tuple[ScalarKey, ...] | None,
        Key(strict=False, min_length=1, description="The allowed values, instead of bounds."),
    ] = None
    default: Annotated[
        ScalarKey | None,
        Key(description="The value if a start has none; without it the parameter is required."),
    ] = None
    help: Annotated[str | None, Key(description="One line for the API's documentation.")] = None

    @property
    def value_type(self) -> Any:
        """The annotated type of the value, with its bounds; strict, so "3" is not an integer."""
        return _value_type(self.type, self.min, self.max, self.pattern, self.choices)

    def host_patterns(self, base_url: str) -> tuple[HostPattern, ...]:
        """Return the hosts of a url.

        Args:
            base_url: The site's URL in the recipe. Without a scheme, a host means HTTP too only if
                this is HTTP.
        """
        base = Origin.parse(base_url)
        if self.hosts is None:
            return () if base is None else (HostPattern.of(base),)
        allows_http = base is not None and base.scheme == "http"
        return tuple(HostPattern.parse(entry, allows_http=allows_http) for entry in self.hosts)

    @field_validator("hosts")
    @classmethod
    def _check_hosts(
        cls, hosts: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        if hosts is not None and info.data.get("type", "url") != "url":
            message = "requires the type url"
            raise ValueError(message)
        return hosts

    @field_validator("min", "max")
    @classmethod
    def _check_bound(cls, bound: float | None, info: ValidationInfo) -> float | None:
        if bound is None or "type" not in info.data:
            return bound
        if info.data["type"] not in {"integer", "number", "list"}:
            message = "requires the type integer, number or list"
            raise ValueError(message)
        if info.data["type"] == "list":
            check_value(Annotated[int, Key(strict=True, ge=1, le=MAX_VALUES)], bound)
            return bound
        smallest = info.data.get("min") if info.field_name == "max" else None
        check_value(_value_type(info.data["type"], smallest), bound)
        return bound

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        if pattern is None:
            return None
        if info.data.get("type", "string") not in {"string", "list"}:
            message = "requires the type string or list"
            raise ValueError(message)
        try:
            TypeAdapter(Annotated[str, Key(pattern=pattern)])
        except SchemaError as error:
            last_line = str(error).splitlines()[-1].strip().removeprefix("error: ")
            message = f"invalid regular expression: {last_line}"
            raise ValueError(message) from None
        return pattern

    @field_validator("choices")
    @classmethod
    def _check_choices(
        cls, choices: tuple[Scalar, ...] | None, info: ValidationInfo
    ) -> tuple[Scalar, ...] | None:
        if choices is None:
            return None
        if any(info.data.get(key) is not None for key in ("min", "max", "pattern")):
            message = "cannot be combined with min, max or pattern"
            raise ValueError(message)
        if info.data.get("type") in {"boolean", "list", "url"}:
            message = f"cannot be used with a {info.data['type']}"
            raise ValueError(message)
        if "type" in info.data:
            value_type: Any = _value_type(info.data["type"])
            check_value(tuple[value_type, ...], choices)
        return choices

    @field_validator("default")
    @classmethod
    def _check_default(cls, default: Scalar | None, info: ValidationInfo) -> Scalar | None:
        if default is not None and info.data.get("type") == "list":
            message = "cannot be used with a list"
            raise ValueError(message)
        required = ("type", "min", "max", "pattern", "choices")
        if default is not None and all(key in info.data for key in required):
            check_value(_value_type(*(info.data[key] for key in required)), default)
        return default


def _value_type(
    kind: Type,
    smallest: float | None = None,
    largest: float | None = None,
    pattern: str | None = None,
    choices: tuple[Scalar, ...] | None = None,
) -> Any:
    if choices is not None:
        return Annotated[Literal[choices], BeforeValidator(_reject_boolean)]
    if kind == "integer":
        return Annotated[int, Key(strict=True, ge=smallest, le=largest)]
    if kind == "number":
        return Annotated[float, Key(strict=True, ge=smallest, le=largest, allow_inf_nan=False)]
    if kind == "list":
        text = _value_type("string", pattern=pattern)
        limits = Key(min_length=int(smallest or 1), max_length=int(largest or MAX_VALUES))
        return Annotated[list[text], limits]  # type: ignore[valid-type]  # known at run time
    if kind in {"string", "url"}:
        anchored = None if pattern is None else f"^(?:{pattern})$"
        return Annotated[str, Key(strict=True, pattern=anchored, max_length=MAX_STRING)]
    return Annotated[bool, Key(strict=True)]
