"""Encryption of the sessions of accounts, which the API writes and workers read."""

from typing import Final, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

#: The owner of a session that somebody has imported: nobody knows its user name.
IMPORTED: Final = "imported"


class SessionKeyError(Exception):
    """SESSION_KEYS is malformed; the text says how, without quoting it."""


class SessionCipher:
    """Encrypts sessions together with their owners."""

    def __init__(self, keys: MultiFernet) -> None:
        self._keys = keys

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse SESSION_KEYS: Fernet keys, separated by commas; the first encrypts, all decrypt.

        Returns:
            None without a key.

        Raises:
            SessionKeyError: One is malformed.
        """
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        keys = []
        for number, entry in enumerate(entries, start=1):
            try:
                keys.append(Fernet(entry))
            except ValueError:
                message = f"key {number} is no Fernet key: 32 bytes in URL-safe base64"
                raise SessionKeyError(message) from None
        return cls(MultiFernet(keys)) if keys else None

    def encrypt(self, owner: str, session: str) -> str:
        """Return a session as it is stored.

        Args:
            owner: What tells its account from others, without a space; or `IMPORTED`.
            session: The session, in JSON.
        """
        return self._keys.encrypt(f"{owner} {session}".encode()).decode()

    def decrypt(self, stored: str) -> tuple[str, str] | None:
        """Return owner and session of what is stored; None if no key fits."""
        try:
            owner, _, session = self._keys.decrypt(stored).decode().partition(" ")
        except InvalidToken:
            return None
        return owner, session
