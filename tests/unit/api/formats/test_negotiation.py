import pytest

from api.formats.negotiation import negotiate_format
from api.formats.table import UnknownValueError

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def chosen(query: str | None, accept: str | None) -> str:
    one = negotiate_format(query, accept)
    return "json" if one is None else one.name


class TestQuery:
    @pytest.mark.parametrize("name", ["json", "csv", "ndjson", "xlsx"])
    def test_goes_before_the_header(self, name: str) -> None:
        assert chosen(name, "text/csv") == name
        assert chosen(name, "application/json") == name

    @pytest.mark.parametrize("name", ["", "CSV", "xml", "text/csv"])
    def test_with_another_name_is_the_callers_error(self, name: str) -> None:
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
            # The better weight, wherever it stands.
            ("text/csv;q=0.5, application/x-ndjson;q=0.9", "ndjson"),
            ("text/csv; header=present; q=0.5, application/json; q=0.4", "csv"),
            ("application/json;q=0.9, text/csv", "csv"),
            ("text/csv;q=0.5, */*", "json"),
            # As good: what is named goes before what is not, JSON before all that are named.
            ("text/csv, */*", "csv"),
            ("*/*, text/csv", "csv"),
            ("text/csv, application/json", "json"),
            ("text/csv, application/x-ndjson", "csv"),
            # What programs send that know nothing of the formats.
            ("application/json,text/*;q=0.99", "json"),
            ("application/json, text/plain, */*", "json"),
            ("text/html,application/xhtml+xml,text/*;q=0.9,*/*;q=0.8", "json"),
            # What cannot be had, or not be read.
            ("image/png", "json"),
            ("text/csv;q=0", "json"),
            ("text/csv;q=much", "json"),
            (";;,=,", "json"),
        ],
    )
    def test_asks_for(self, accept: str | None, name: str) -> None:
        assert chosen(None, accept) == name
