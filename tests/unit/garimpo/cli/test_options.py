"""Rules of `--param name=value`."""

import pytest

from garimpo.cli.options import ParamError, Value, parse_params


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
    def test_takes_a_value_as(self, pair: str, value: Value) -> None:
        (parsed,) = parse_params([pair]).values()
        assert (parsed, type(parsed)) == (value, type(value))

    def test_keeps_every_name(self) -> None:
        assert parse_params(["pages=2", "order_by=NameASC"]) == {"pages": 2, "order_by": "NameASC"}

    @pytest.mark.parametrize("pair", ["pages", "=3", ""])
    def test_refuses_what_is_not_name_and_value(self, pair: str) -> None:
        with pytest.raises(ParamError, match="write it as name=value"):
            parse_params([pair])

    def test_refuses_a_name_that_is_there_twice(self) -> None:
        with pytest.raises(ParamError, match="pages: given twice"):
            parse_params(["pages=1", "pages=2"])
