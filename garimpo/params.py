"""Job parameters as they are written on the command line."""

import json
import math
from collections.abc import Iterable

Value = str | int | float | bool


class ParamError(ValueError):
    """A `--param` that is not name=value, or is there twice."""


def parse_params(pairs: Iterable[str]) -> dict[str, Value]:
    """Return the parameters that `name=value` pairs give; raises ParamError.

    A value that is a JSON number, boolean or quoted string is taken as such, any other is the
    string itself; which type is right is for the API to say.
    """
    params: dict[str, Value] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            message = f"--param {pair}: write it as name=value"
            raise ParamError(message)
        if name in params:
            message = f"--param {name}: given twice"
            raise ParamError(message)
        params[name] = _parse_value(value)
    return params


def _parse_value(text: str) -> Value:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text  # Python's JSON takes NaN and Infinity, nobody else's does
    return value if isinstance(value, str | int | float) else text
