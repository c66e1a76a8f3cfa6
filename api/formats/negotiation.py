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
#: The formats beside JSON, by name.
FORMATS: Final = {one.name: one for one in _ALL}


def negotiate_format(query: str | None, accept: str | None) -> Format | None:
    """Choose the format of an answer; None is JSON.

    The header's weights count (RFC 9110, section 12.5.1). A wildcard stands for JSON alone:
    whoever wants a file names it. Between equal weights a format that is named goes before JSON
    by wildcard, and JSON that is named before all. What nothing fits is answered with JSON.

    Args:
        query: The parameter `format`, if it is given; then the header does not count.
        accept: The header `Accept`, if it is given.

    Raises:
        UnknownValueError: There is no format of that name.
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
        ((weight, True), one) for one in _ALL if (weight := weights.get(one.media_type, 0.0)) > 0
    ]
    return max(offers, key=itemgetter(0))[1]


def _weights(accept: str) -> Iterator[tuple[str, float]]:
    """Each media range and its weight; 0 for a weight that cannot be read."""
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            yield name, float(weight)
        except ValueError:
            yield name, 0.0
