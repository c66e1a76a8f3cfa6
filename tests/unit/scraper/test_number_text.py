"""Numbers as pages of several languages show them."""

import pytest

from scraper.number_text import parse_number


class TestParseNumber:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("152", 152),
            ("R$ 1.234,56", 1234.56),
            ("-R$ 5", -5),
            ("R$ -5,50", -5.5),
            ("\u2212 5", -5),
            ("1.234", 1234),
            ("1.5", 1.5),
            ("12.345.678", 12345678),
            ("1,234.50", 1234.5),
            ("1\u202f234,56", 1234.56),
            ("0.123", 0.123),
            ("12%", 12),
            ("1-2", 1),
            ("4 de 5", 4),
            ("10 20", 10),
            ("5 mil", 5000),
            ("3,5 mi", 3_500_000),
            ("2 milhões", 2_000_000),
            ("149k", 149_000),
            ("357.96k", 357_960),
            ("5 min", 5),
            ("3 M", 3),
            ("3M-tape", 3),
            ("há 6 anos", 6),
        ],
    )
    def test_reads_portuguese(self, text: str, number: float) -> None:
        assert parse_number(text, "pt-BR") == number

    @pytest.mark.parametrize(
        ("text", "locale", "number"),
        [
            ("1.234", "en", 1.234),
            ("1,234", "en", 1234),
            ("1.234", "de-CH", 1.234),
            ("1'234.50", "de-CH", 1234.5),
            ("1 234", "fr", 1234),
            ("1,5 Mio.", "de", 1_500_000),
            ("5 mi", "en", 5),
            ("7", "xx-YY", 7),
        ],
    )
    def test_depends_on_the_language(self, text: str, locale: str, number: float) -> None:
        assert parse_number(text, locale) == number

    @pytest.mark.parametrize("text", ["", "grátis", "-", "R$", "1.23.4", "1,2,3", "9" * 50])
    def test_invents_nothing(self, text: str) -> None:
        assert parse_number(text, "pt-BR") is None

    def test_keeps_whole_numbers_whole(self) -> None:
        assert isinstance(parse_number("5,00", "pt"), int)
