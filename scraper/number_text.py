"""Numbers as pages show them: `R$ 1.234,56`, `12%`, `3,5 mi`, `149k`."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError

_SPACES: Final = r"\s\u00a0\u202f"
# A sign stands before the digits or before a currency; `1-2` has none.
_NUMBER: Final = re.compile(
    rf"(?:(?<![\w.,])(?P<sign>[-+\u2212\u2013])[{_SPACES}]?)?"
    rf"(?:[^\W\d]{{0,3}}[$€£¥₽₹][{_SPACES}]?(?P<inner_sign>[-\u2212])?)?"
    rf"(?P<digits>(?:\d+(?:[.,'\u2019]\d+)*(?:[{_SPACES}]\d{{3}}(?!\d))*(?:[.,]\d+)?)|[.,]\d+)"
    rf"(?:(?P<gap>[{_SPACES}]?)(?P<word>[^\W\d_]+)\.?)?(?P<joint>-\w)?"
)
# More than any count, and exact in JSON's readers up to about half of it.
_MAX_DIGITS: Final = 30
_GROUP: Final = 3
_MINUS: Final = frozenset("-\u2212\u2013")


def parse_number(text: str, locale: str = "en") -> int | float | None:
    """Return the first number of a text; None without one.

    A single separator is read as the language writes it, if its place allows that: `1.234` is 1234
    in Portuguese, and `1.5` is 1.5 nevertheless. With two, the last one begins the decimals. A word
    or letter for thousand, million or billion counts, in the language (`mil`, `mi`) or in English
    if it is attached (`149k`, `3M`); percent does not.

    Args:
        text: The text.
        locale: The language, such as `pt-BR` (BCP 47).
    """
    match = _NUMBER.search(text)
    if match is None:
        return None
    digits = _plain_digits(match["digits"], *_symbols(locale))
    if digits is None or len(digits) > _MAX_DIGITS:
        return None
    number = Decimal(digits)
    word, gap = match["word"], match["gap"]
    if word and not match["joint"]:
        words, letters = _multipliers(locale)
        number *= words.get(word.lower(), 1 if gap else letters.get(word, 1))
    if not _MINUS.isdisjoint({match["sign"], match["inner_sign"]}):
        number = -number
    return int(number) if number == number.to_integral_value() else float(number)


def _plain_digits(text: str, decimal: str, group: str) -> str | None:
    """Return digits with a point before the decimals; None if the separators make no number."""
    text = re.sub(rf"[{_SPACES}'\u2019]", "", text)
    separators = re.findall(r"[.,]", text)
    kinds = set(separators)
    last = separators[-1] if separators else ""
    if len(kinds) > 1 or (len(separators) == 1 and not _is_group(text, last, decimal, group)):
        whole, _, fraction = text.rpartition(last)
    else:
        whole, fraction = text, ""
    first, *groups = re.split(r"[.,]", whole)
    if any(len(part) != _GROUP for part in groups) or len(set(re.findall(r"[.,]", whole))) > 1:
        return None
    return f"{first or 0}{''.join(groups)}.{fraction or 0}"


def _is_group(text: str, separator: str, decimal: str, group: str) -> bool:
    """Return whether the only separator of a number stands between thousands."""
    whole, _, rest = text.partition(separator)
    could_be = len(rest) == _GROUP and 0 < len(whole) <= _GROUP and whole != "0"
    return could_be and separator != decimal and (separator == group or group not in {".", ","})


@lru_cache
def _symbols(locale: str) -> tuple[str, str]:
    """Return what separates decimals and thousands."""
    symbols = _load(locale).number_symbols["latn"]
    return symbols["decimal"], symbols["group"]


@lru_cache
def _multipliers(locale: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return what words of a language, in lower case, and attached letters of English stand for."""
    words: dict[str, int] = {}
    for style in ("short", "long"):
        for forms in _load(locale).compact_decimal_formats.get(style, {}).values():
            for size, pattern in forms.items():
                zeros, word = _split_pattern(pattern.pattern)
                if len(word) > 1:
                    words[word.lower()] = int(size) // 10 ** (zeros - 1)
    return words, {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def _split_pattern(pattern: str) -> tuple[int, str]:
    """Return the number of zeros of a pattern such as `00 mil`, and its word."""
    word = re.sub(rf"[0{_SPACES}'.]", "", pattern)
    return pattern.count("0"), word


def _load(locale: str) -> Locale:
    for name in (locale, locale.partition("-")[0]):
        try:
            return Locale.parse(name, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")
