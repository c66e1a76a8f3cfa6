"""Choose the format of a response: `?format=`, or else the `Accept` header."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Final

from api.formats.csv_format import Csv
from api.formats.format import Format
from api.formats.ndjson import Ndjson
from api.formats.table import UnknownValueError
from api.formats.xlsx import Xlsx

JSON: Final = "json"
_JSON_TYPE: Final = "application/json"
_ALL: Final[tuple[Format, ...]] = (Csv(), Ndjson(), Xlsx())
#: The formats other than JSON, by name.
FORMATS: Final = {file_format.name: file_format for file_format in _ALL}


def negotiate_format(query: str | None, accept: str | None) -> Format | None:
    """Return the format of a response; None is JSON.

    The header's weights are compared (RFC 9110, section 12.5.1). A wildcard matches JSON only: a
    client that wants a file names its type. Among equal weights, JSON that is named comes first,
    then the other formats that are named, then JSON by wildcard. Without a match, it is JSON.

    Args:
        query: The parameter `format`, or None; it takes precedence over the header.
        accept: The header `Accept`, or None.

    Raises:
        UnknownValueError: The format is unknown.
    """
    if query == JSON:
        return None
    if query is not None:
        if query not in FORMATS:
            raise UnknownValueError(parameter="format", expected=[JSON, *FORMATS])
        return FORMATS[query]
    weights = dict(_weights(accept or ""))
    wildcard = max(weights.get("application/*", 0.0), weights.get("*/*", 0.0))
    json = (weights.get(_JSON_TYPE, wildcard), _JSON_TYPE in weights)
    offers: list[tuple[tuple[float, bool], Format | None]] = [(json, None)]
    offers += [
        ((weight, True), file_format)
        for file_format in _ALL
        if (weight := weights.get(file_format.media_type, 0.0)) > 0
    ]
    return max(offers, key=itemgetter(0))[1]


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    """Yield each media range with its weight; 0 for a weight that cannot be parsed."""
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            yield name, float(weight)
        except ValueError:
            yield name, 0.0
