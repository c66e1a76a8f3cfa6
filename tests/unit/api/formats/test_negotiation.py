import pytest

from api.formats.negotiation import negotiate_format
from api.formats.table import UnknownValueError

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def negotiated_name(query: str | None, accept: str | None) -> str:
    file_format = negotiate_format(query, accept)
    return "json" if file_format is None else file_format.name


class TestQuery:
    @pytest.mark.parametrize("name", ["json", "csv", "ndjson", "xlsx"])
    def test_takes_precedence_over_the_header(self, name: str) -> None:
        assert negotiated_name(name, "text/csv") == name
        assert negotiated_name(name, "application/json") == name

    @pytest.mark.parametrize("name", ["", "CSV", "xml", "text/csv"])
    def test_is_rejected_if_unknown(self, name: str) -> None:
        with pytest.raises(UnknownValueError) as caught:
            negotiate_format(name, None)

        assert caught.value.parameter == "format"
        assert caught.value.expected == ("json", "csv", "ndjson", "xlsx")


class TestHeader:
    @pytest.mark.parametrize(
        ("accept", "name"),
        [
            (None, "json"),
            ("", "json"),
            ("*/*", "json"),
            ("text/csv", "csv"),
            ("Text/CSV; charset=utf-8", "csv"),
            ("application/x-ndjson", "ndjson"),
            (XLSX, "xlsx"),
            # The highest weight, in any position.
            ("text/csv;q=0.5, application/x-ndjson;q=0.9", "ndjson"),
            ("text/csv; header=present; q=0.5, application/json; q=0.4", "csv"),
            ("application/json;q=0.9, text/csv", "csv"),
            ("text/csv;q=0.5, */*", "json"),
            # Equal weights: named types before wildcards, JSON before other named types.
            ("text/csv, */*", "csv"),
            ("*/*, text/csv", "csv"),
            ("text/csv, application/json", "json"),
            ("text/csv, application/x-ndjson", "csv"),
            # Headers of common programs.
            ("application/json,text/*;q=0.99", "json"),
            ("application/json, text/plain, */*", "json"),
            ("text/html,application/xhtml+xml,text/*;q=0.9,*/*;q=0.8", "json"),
            # Unsupported or malformed.
            ("image/png", "json"),
            ("text/csv;q=0", "json"),
            ("text/csv;q=much", "json"),
            (";;,=,", "json"),
        ],
    )
    def test_selects_the_format(self, accept: str | None, name: str) -> None:
        assert negotiated_name(None, accept) == name
