"""What is wrong with a value, in the API's words instead of pydantic's."""

from collections.abc import Mapping
from typing import Any

from jobs.text import Language, catalogue


def describe_validation_error(fault: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """Return the sentence's key and arguments for one of pydantic's errors."""
    kind = fault["type"] if f"invalid.{fault['type']}" in catalogue(Language.PT) else "other"
    details = dict(fault.get("ctx", {}))
    if kind == "literal_error":
        details["expected"] = details["expected"].replace(" or ", ", ")
    return kind, {"field": ".".join(str(part) for part in fault["loc"]), **details}
