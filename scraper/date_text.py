"""Dates as pages show them: `12/03/2026`, `5 de março de 2026`, `há 2 dias`."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

# Longer texts are no dates, and take long to be refused.
_MAX_LENGTH: Final = 100
# In seconds, or milliseconds, since 1970: until 2286, and from 2001 on.
_UNIX_TIME: Final = re.compile(r"[1-9]\d{9}(?:\d{3})?")
_YEAR: Final = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")
_HOUR: Final = re.compile(r"\b([01]?\d|2[0-3])\s?[hH]\s?([0-5]\d)?\b")


class DateReader:
    """Reads the dates of one run: what is relative in them refers to its beginning."""

    def __init__(self, locale: str | None, time_zone: str | None, now: datetime) -> None:
        """Prepare to read; what that takes is only loaded with the first date.

        Args:
            locale: The language of the pages, such as `pt-BR`; English by default. Where it does
                not understand a text, English is tried.
            time_zone: The zone of times without an offset, such as `America/Sao_Paulo`; UTC by
                default.
            now: The time of the run, with its offset.
        """
        self._locales = list(dict.fromkeys([locale or "en", "en"]))
        self._zone = ZoneInfo(time_zone) if time_zone else UTC
        self._now = now

    def read(self, text: str) -> str | None:
        """Return the date in RFC 3339; None for a text that is no date, or is one without a year.

        Returns:
            `2026-03-12`; with a time in the text `2026-03-12T14:30:00-03:00`.
        """
        text = " ".join(text.split())
        if not text or len(text) > _MAX_LENGTH:
            return None
        if _UNIX_TIME.fullmatch(text):
            seconds = int(text[:10])
            return self._format(datetime.fromtimestamp(seconds, self._zone), has_time=True)
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return self._read_words(text)
        return self._format(found, has_time=len(text) > len("2026-03-12"))

    def _read_words(self, text: str) -> str | None:
        now = self._now.astimezone(self._zone).replace(tzinfo=None, microsecond=0)
        years = set(map(int, _YEAR.findall(text)))
        if years:
            text = _HOUR.sub(lambda hour: f"{hour[1]}:{hour[2] or '00'}", text)
        for locale in self._locales:
            data = _make_parser(locale, now).get_date_data(text)
            # `às 14h30` after a date must not become 14 hours ago.
            if data.date_obj is not None and (not years or data.date_obj.year in years):
                return self._format(data.date_obj, has_time=data.period == "time")
        return None

    def _format(self, found: datetime, *, has_time: bool) -> str:
        if not has_time:
            return found.date().isoformat()
        if found.tzinfo is None:
            found = found.replace(tzinfo=self._zone)
        return found.replace(microsecond=0).isoformat()


@lru_cache(maxsize=8)
def _make_parser(locale: str, now: datetime) -> Any:
    # Here, since it takes a third of a second, and few recipes have dates.
    from dateparser.data.languages_info import language_locale_dict  # noqa: PLC0415
    from dateparser.date import DateDataParser  # noqa: PLC0415

    settings = {
        "RETURN_TIME_AS_PERIOD": True,
        # A date without a year, or a month without a day, could be any.
        "STRICT_PARSING": True,
        "RELATIVE_BASE": now,
    }
    language = locale.partition("-")[0]
    if locale in language_locale_dict.get(language, ()):
        return DateDataParser(locales=[locale], settings=settings)
    known = language if language in language_locale_dict else "en"
    return DateDataParser(languages=[known], settings=settings)
