"""One-time passwords of a second factor (TOTP, RFC 6238)."""

import hashlib
import re
from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

import pyotp

#: How long a code must still be valid when it is typed, in seconds: a page may be slow to send it.
_MIN_VALIDITY_S: Final = 3.0
#: The number of earlier periods whose codes a site may still quote.
_RECENT_PERIODS: Final = 20
_SECRET: Final = re.compile(r"[A-Z2-7]{8,}")
_DIGESTS: Final = {
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}


class _SiteTotp(pyotp.TOTP):
    """Codes of a secret that a site has chosen: many have 80 bits, which pyotp refuses to make."""

    min_secret_length_bits: ClassVar[int] = 0


class Totp:
    """Makes the codes of one secret, and remembers the last one: sites accept each only once."""

    def __init__(self, text: str) -> None:
        """Parse a secret.

        Args:
            text: The secret in base32, as sites show it for typing (spaces do not matter), or the
                `otpauth://totp/…` URI of their QR code.

        Raises:
            ValueError: It is neither; the text does not quote it.
        """
        # Not chained: pyotp's errors may quote the secret.
        try:
            self._totp = _parse(text)
            self._totp.at(0)
        except Exception:  # noqa: BLE001 - pyotp's and base64's own errors are of several types
            message = "must be a TOTP secret in base32, or an otpauth://totp/ URI"
            raise ValueError(message) from None
        self._last_code = ""

    @property
    def secret(self) -> str:
        """The secret, in base32."""
        return self._totp.secret

    def seconds_to_wait(self, now: float) -> float:
        """Return how long to wait for a code that is new, and valid for long enough.

        Args:
            now: Seconds since the epoch.
        """
        left_s = self._totp.interval - now % self._totp.interval
        is_used = self._totp.at(int(now)) == self._last_code
        return left_s if is_used or left_s < _MIN_VALIDITY_S else 0.0

    def take_code(self, now: float) -> str:
        """Return the present code, to be typed.

        Args:
            now: Seconds since the epoch.
        """
        self._last_code = self._totp.at(int(now))
        return self._last_code

    def recent_codes(self, now: float) -> list[str]:
        """Return the codes that may have been typed a short time ago.

        Args:
            now: Seconds since the epoch.
        """
        return [
            self._totp.at(int(now), counter_offset=-back) for back in range(-1, _RECENT_PERIODS)
        ]


def _parse(text: str) -> pyotp.TOTP:
    parts = urlsplit(text.strip())
    if not parts.scheme:
        return _SiteTotp(_normalize(text))
    if (parts.scheme.lower(), parts.netloc.lower()) != ("otpauth", "totp"):
        raise ValueError
    query = dict(parse_qsl(parts.query))
    return _SiteTotp(
        _normalize(query["secret"]),
        digits=int(query.get("digits", 6)),
        interval=int(query.get("period", 30)),
        digest=_DIGESTS[query.get("algorithm", "SHA1").upper()],
    )


def _normalize(secret: str) -> str:
    secret = "".join(secret.split()).replace("-", "").upper().rstrip("=")
    if not _SECRET.fullmatch(secret):
        raise ValueError
    return secret
