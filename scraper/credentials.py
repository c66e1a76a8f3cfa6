"""Credentials of a site, the names of their environment variables, and what may quote the site."""

import base64
import html
import json
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from scraper.errors import MAX_QUOTE

#: The account whose variables have no account's name.
DEFAULT_ACCOUNT: Final = "default"

#: Stands for what is not shown.
HIDDEN: Final = "***"

# Control characters, and those that WebDriver interprets as keys (Enter is U+E007).
_KEYS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ue000-\uf8ff]")

# A site that shows as many consecutive characters of the password is not quoted.
_FRAGMENT_LENGTH: Final = 5
# A shorter secret is a part of too many words.
_MIN_SECRET_LENGTH: Final = 4
# How often a text may have been encoded, one encoding within the other.
_MAX_ENCODINGS: Final = 3
# Categories of characters that are not visible, and other invisible ones.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_OTHER_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{4,}")
_FROM_URL_SAFE: Final = str.maketrans("-_", "+/")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){2,}")
_ESCAPE: Final = re.compile(r"\\(?:u\{?([0-9A-Fa-f]{1,6})\}?|x([0-9A-Fa-f]{2}))")


class SecondFactor(Protocol):
    """Makes one-time passwords: `scraper.totp.Totp`, whose package the command line lacks."""

    @property
    def secret(self) -> str:
        """What the codes are made from."""

    def seconds_to_wait(self, now: float) -> float:
        """Return how long to wait for a code that is new, and valid for long enough."""

    def take_code(self, now: float) -> str:
        """Return the present code, to be typed."""

    def recent_codes(self, now: float) -> list[str]:
        """Return the codes that may have been typed a short time ago."""


@dataclass(frozen=True)
class Credentials:
    """An account at a site; some login forms have no user name."""

    username: str
    #: Not in the repr, which tracebacks and log lines may contain.
    password: str = field(repr=False)
    #: Makes the codes of a second factor, if the account has one whose secret is known.
    totp: SecondFactor | None = field(default=None, repr=False)

    @property
    def secrets(self) -> list[str]:
        """What must not appear in a log."""
        return [self.password, *([self.totp.secret] if self.totp else [])]

    @property
    def can_be_typed(self) -> bool:
        """Whether every character is a literal one, not a key such as Enter."""
        return not _KEYS.search(self.username + self.password)

    def redact(self, text: str) -> str:
        """Return a site's words as they may be quoted, at most 500 characters.

        Args:
            text: The site's words.

        Returns:
            The words with `***` for the user name and for codes of the second factor; empty if
            five consecutive characters of the password or of the second factor's secret (or all, if
            there are fewer) are among them, in any spelling.
        """
        text = text[:MAX_QUOTE]
        if any(_is_revealed(secret, text) for secret in self.secrets):
            return ""
        for code in self.totp.recent_codes(time.time()) if self.totp else ():
            text = re.sub(r"[\s.-]?".join(code), HIDDEN, text)
        if self.username:
            forms = spellings(self.username)
            text = re.sub("|".join(map(re.escape, forms)), HIDDEN, text, flags=re.IGNORECASE)
        return text


def _is_revealed(secret: str, text: str) -> bool:
    """Return whether a text shows a part of a secret."""
    if not secret:
        return False
    secret = _fold(secret)
    if not secret:
        return True  # there is nothing to compare
    readings = {_fold(reading) for reading in _read(text)}
    letters = _keep_letters(secret)
    return _contain(readings, secret) or (
        len(letters) >= _FRAGMENT_LENGTH and _contain(map(_keep_letters, readings), letters)
    )


def spellings(secret: str) -> list[str]:
    """Return the usual spellings of a secret in URLs, HTML and JSON, the longest first."""
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret),
        html.escape(secret),
        html.escape(secret, quote=False),
        json.dumps(secret)[1:-1],
    }
    return sorted(forms, key=len, reverse=True)


def _contain(texts: Iterable[str], secret: str) -> bool:
    """Return whether a part of a secret that gives it away is in a text, also reversed."""
    starts = range(max(1, len(secret) - _FRAGMENT_LENGTH + 1))
    fragments = {secret[start : start + _FRAGMENT_LENGTH] for start in starts}
    fragments |= {fragment[::-1] for fragment in fragments}
    return any(fragment in text for text in texts for fragment in fragments)


def _fold(text: str) -> str:
    """Return a text without case, form, and invisible characters."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _strip_invisible(text)


def _keep_letters(text: str) -> str:
    """Return the letters and digits of a text."""
    return "".join(filter(str.isalnum, text))


def _strip_invisible(text: str) -> str:
    shown = (c for c in text if unicodedata.category(c) not in _INVISIBLE and not c.isspace())
    return _OTHER_INVISIBLE.sub("", "".join(shown))


def _read(text: str) -> Iterator[str]:
    """Yield a text, and what it may mean if it is encoded."""
    readings = {text, _strip_invisible(text)}
    for _ in range(_MAX_ENCODINGS):
        readings |= {decode(reading) for reading in readings for decode in _DECODERS}
    for reading in readings:
        yield reading
        yield from _decode_runs(reading)


def _decode_runs(text: str) -> Iterator[str]:
    """Yield what the parts of a text mean that may be base64 or hexadecimal."""
    for run in _BASE64.findall(text):
        yield from (_decode_base64(run[start:]) for start in range(4))
    for run in _HEX.findall(text):
        yield bytes.fromhex(run).decode(errors="ignore")


def _decode_base64(run: str) -> str:
    characters = run.translate(_FROM_URL_SAFE)
    characters = characters[: len(run) - (len(run) % 4 == 1)]
    padded = characters + "=" * (-len(characters) % 4)
    return base64.b64decode(padded).decode(errors="ignore")


def _unescape(text: str) -> str:
    """Return a text without the escapes of JavaScript and JSON."""

    def replace(match: re.Match[str]) -> str:
        code = int(match[1] or match[2], 16)
        return chr(code) if code <= 0x10FFFF else match[0]  # noqa: PLR2004 - the last character

    return _ESCAPE.sub(replace, text)


_DECODERS: Final[tuple[Callable[[str], str], ...]] = (
    html.unescape,
    unquote,
    unquote_plus,
    _unescape,
)


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return a text with `***` for each secret in its usual spellings, as in log lines.

    Args:
        text: The text.
        secrets: The secrets; one with fewer than four characters stays.
    """
    for secret in secrets:
        if len(secret) >= _MIN_SECRET_LENGTH:
            for form in spellings(secret):
                text = text.replace(form, HIDDEN)
    return text


def variable_prefix(site: str, account: str = DEFAULT_ACCOUNT) -> str:
    """Return the prefix of an account's environment variables.

    Args:
        site: The recipe's site.
        account: The account's name.

    Returns:
        `MY_SITE_` for the default account of `my-site`, `MY_SITE__SHOP_2__` for its `shop-2`.
    """
    site = _capitalize(site)
    return f"{site}_" if account == DEFAULT_ACCOUNT else f"{site}__{_capitalize(account)}__"


def _capitalize(name: str) -> str:
    return name.upper().replace("-", "_")


def find_accounts(site: str, variables: Iterable[str]) -> list[str]:
    """Return the names of a site's accounts, without the default one, in their order.

    Args:
        site: The recipe's site.
        variables: The names of all variables, in capitals.
    """
    variable = re.compile(
        re.escape(_capitalize(site))
        + "__([A-Z0-9]+(?:_[A-Z0-9]+)*)__(?:USERNAME|PASSWORD)(?:_FILE)?"
    )
    matches = filter(None, map(variable.fullmatch, variables))
    return sorted({match[1].lower().replace("_", "-") for match in matches} - {DEFAULT_ACCOUNT})


def missing_variables(
    site: str, credentials: Credentials, account: str = DEFAULT_ACCOUNT, *, has_username: bool
) -> list[str]:
    """Return the names of the variables that a login needs and that are empty.

    Args:
        site: The recipe's site.
        credentials: The values.
        account: The account's name.
        has_username: Whether the login form has a field for the user name.
    """
    values = {"USERNAME": credentials.username, "PASSWORD": credentials.password}
    if not has_username:
        del values["USERNAME"]
    prefix = variable_prefix(site, account)
    return [prefix + name for name, value in values.items() if not value]
