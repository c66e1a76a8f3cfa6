"""Parameters of a job: types, defaults, bounds."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic import Field as Key
from pydantic_core import SchemaError

from scraper.recipes.error_messages import describe_error
from scraper.recipes.strict_types import StrictModel, Text

Type = Literal["integer", "number", "string", "boolean"]
Value = int | float | str | bool


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


Scalar = Annotated[Value, BeforeValidator(_check_scalar)]
Number = Annotated[int | float, BeforeValidator(_check_number)]


def check_value(value_type: Any, value: object) -> None:
    """Check a value.

    Args:
        value_type: An annotated type, with its bounds.
        value: The value.

    Raises:
        ValueError: The value is not of the type; the text is the reason.
    """
    try:
        TypeAdapter(value_type).validate_python(value)
    except ValidationError as error:
        raise ValueError(describe_error(error.errors()[0])) from None


class Param(StrictModel):
    """One parameter of a job."""

    # The order matters: the validation of a key uses those above it.
    type: Annotated[Type, Key(description="The type of the value.")]
    min: Annotated[Number | None, Key(description="Smallest value of an integer or a number.")] = (
        None
    )
    max: Annotated[Number | None, Key(description="Largest value of an integer or a number.")] = (
        None
    )
    pattern: Annotated[
        Text | None,
        Key(description="Regex that a string must match completely (no look-around)."),
    ] = None
    choices: Annotated[
        tuple[Scalar, ...] | None,
        Key(strict=False, min_length=1, description="The allowed values, instead of bounds."),
    ] = None
    default: Annotated[
        Scalar | None,
        Key(description="The value if a start has none; without it the parameter is required."),
    ] = None
    help: Annotated[str | None, Key(description="One line for the API's documentation.")] = None

    @property
    def value_type(self) -> Any:
        """The annotated type of the value, with its bounds; strict, so "3" is not an integer."""
        return _value_type(self.type, self.min, self.max, self.pattern, self.choices)

    @field_validator("min", "max")
    @classmethod
    def _check_bound(cls, bound: float | None, info: ValidationInfo) -> float | None:
        if bound is None or "type" not in info.data:
            return bound
        if info.data["type"] not in {"integer", "number"}:
            message = "requires the type integer or number"
            raise ValueError(message)
        smallest = info.data.get("min") if info.field_name == "max" else None
        check_value(_value_type(info.data["type"], smallest), bound)
        return bound

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        if pattern is None:
            return None
        if info.data.get("type", "string") != "string":
            message = "requires the type string"
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
        cls, choices: tuple[Value, ...] | None, info: ValidationInfo
    ) -> tuple[Value, ...] | None:
        if choices is None:
            return None
        if any(info.data.get(key) is not None for key in ("min", "max", "pattern")):
            message = "cannot be combined with min, max or pattern"
            raise ValueError(message)
        if info.data.get("type") == "boolean":
            message = "cannot be used with a boolean"
            raise ValueError(message)
        for choice in choices if "type" in info.data else ():
            check_value(_value_type(info.data["type"]), choice)
        return choices

    @field_validator("default")
    @classmethod
    def _check_default(cls, default: Value | None, info: ValidationInfo) -> Value | None:
        required = ("type", "min", "max", "pattern", "choices")
        if default is not None and all(key in info.data for key in required):
            check_value(_value_type(*(info.data[key] for key in required)), default)
        return default


def _value_type(
    kind: Type,
    smallest: float | None = None,
    largest: float | None = None,
    pattern: str | None = None,
    choices: tuple[Value, ...] | None = None,
) -> Any:
    if choices is not None:
        return Annotated[Literal[choices], BeforeValidator(_reject_boolean)]
    if kind == "integer":
        return Annotated[int, Key(strict=True, ge=smallest, le=largest)]
    if kind == "number":
        return Annotated[float, Key(strict=True, ge=smallest, le=largest, allow_inf_nan=False)]
    if kind == "string":
        anchored = None if pattern is None else f"^(?:{pattern})$"
        return Annotated[str, Key(strict=True, pattern=anchored)]
    return Annotated[bool, Key(strict=True)]
