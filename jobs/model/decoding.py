"""What decoding may raise if stored data is not what this version writes."""

import json

#: The errors of a decoder that is given another type, a missing field or an impossible value. (The
#: last two: a time that no clock has, JSON of great depth.)
DECODE_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    OSError,
    RecursionError,
)


def check_json(*values: object) -> None:
    """Check that values can be sent to a client as JSON.

    Raises:
        ValueError: One contains NaN, or text that is no Unicode.
    """
    json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
