"""`--param name=value`, and the names of formats and separators."""

import pytest

from api.formats.negotiation import FORMATS, JSON
from api.formats.table import SEPARATORS
from garimpo.cli.options import ParamError, ResultFormat, Separator, Value, parse_params


class TestParseParams:
    @pytest.mark.parametrize(
        ("pair", "value"),
        [
            ("pages=3", 3),
            ("pages=-1", -1),
            ("share=0.5", 0.5),
            ("wide=true", True),
            ("wide=false", False),
            ("order_by=DateDESC", "DateDESC"),
            ("order_by=", ""),
            ("order_by=a=b", "a=b"),
            ('order_by="2024"', "2024"),
            ("order_by=null", "null"),
            ("order_by=NaN", "NaN"),
            ("order_by=-Infinity", "-Infinity"),
            ("order_by=[1]", "[1]"),
            ('order_by={"a": 1}', '{"a": 1}'),
            ("order_by=007", "007"),
        ],
    )
    def test_parses_a_value(self, pair: str, value: Value) -> None:
        (parsed,) = parse_params([pair]).values()
        assert (parsed, type(parsed)) == (value, type(value))

    def test_returns_every_parameter(self) -> None:
        assert parse_params(["pages=2", "order_by=NameASC"]) == {"pages": 2, "order_by": "NameASC"}

    @pytest.mark.parametrize("pair", ["pages", "=3", ""])
    def test_rejects_a_pair_without_name_or_value(self, pair: str) -> None:
        with pytest.raises(ParamError, match="expected name=value"):
            parse_params([pair])

    def test_rejects_a_repeated_name(self) -> None:
        with pytest.raises(ParamError, match="pages: given more than once"):
            parse_params(["pages=1", "pages=2"])


class TestNames:
    def test_of_formats_are_those_of_the_api(self) -> None:
        assert set(ResultFormat) == {JSON, *FORMATS}

    def test_of_separators_are_those_of_the_api(self) -> None:
        assert set(Separator) == set(SEPARATORS)
