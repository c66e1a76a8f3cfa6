"""Dates as pages of several languages show them."""

from datetime import UTC, datetime

import pytest

from scraper.date_text import DateReader

NOW = datetime(2026, 3, 12, 1, 30, 5, 700, tzinfo=UTC)


def read(text: str, locale: str | None = "pt-BR", zone: str | None = "America/Sao_Paulo") -> object:
    return DateReader(locale, zone, NOW).read(text)


class TestRead:
    @pytest.mark.parametrize(
        ("text", "date"),
        [
            ("2026-03-12", "2026-03-12"),
            (" 12/03/2026 ", "2026-03-12"),
            ("5 de março de 2026", "2026-03-05"),
            ("qui., 5 de mar. de 2026", "2026-03-05"),
            ("Mar 5, 2026", "2026-03-05"),
            ("há 2 dias", "2026-03-09"),
            ("ontem", "2026-03-10"),
            ("hoje", "2026-03-11"),
            ("há 3 horas", "2026-03-11T19:30:05-03:00"),
            ("12/03/2026 14:30", "2026-03-12T14:30:00-03:00"),
            ("12.03.2026 às 14h30", "2026-03-12T14:30:00-03:00"),
            ("2026-03-12T10:00:00.5Z", "2026-03-12T10:00:00+00:00"),
            ("1710201600", "2024-03-11T21:00:00-03:00"),
            ("1710201600000", "2024-03-11T21:00:00-03:00"),
        ],
    )
    def test_returns_rfc_3339(self, text: str, date: str) -> None:
        assert read(text) == date

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "sem data",
            "N/A",
            "5 de março",
            "março de 2026",
            "12:30",
            "10",
            "99/99/2026",
            "x" * 999,
        ],
    )
    def test_invents_nothing(self, text: str) -> None:
        assert read(text) is None

    @pytest.mark.parametrize(
        ("locale", "date"),
        [(None, "2026-12-03"), ("en", "2026-12-03"), ("en-GB", "2026-03-12"), ("xx", "2026-12-03")],
    )
    def test_has_the_order_of_the_language(self, locale: str | None, date: str) -> None:
        assert read("12/03/2026", locale) == date

    def test_takes_utc_without_a_zone(self) -> None:
        assert read("2026-03-12 10:00", None, None) == "2026-03-12T10:00:00+00:00"
