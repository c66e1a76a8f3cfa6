"""What goes wrong with a format: the caller asks for one that there is not."""

from collections.abc import Iterable


class UnknownValueError(ValueError):
    """A query parameter has a value that there is not.

    Attributes:
        fault: The key and the arguments of the sentence `invalid.literal_error`, as
            `api.errors.InvalidParametersError` takes them.
    """

    def __init__(self, parameter: str, expected: Iterable[str]) -> None:
        self.fault: tuple[str, dict[str, object]] = (
            "literal_error",
            {"field": parameter, "expected": list(expected)},
        )
        super().__init__(parameter)
