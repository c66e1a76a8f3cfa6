"""API keys: their scopes, and the text form in which settings and files hold them."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from typing import Final, Self

_PREFIX: Final = "grp_"
_HASH_PREFIX: Final = "sha256-"
_HASH: Final = re.compile(r"sha256-[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
#: The characters of a secret: visible ASCII without the separators of an entry.
_SECRET: Final = re.compile(r"[!\"$-+\--9;-~]+")
_SEPARATORS: Final = re.compile(r"[,\s]+")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
#: A shorter secret can be guessed.
MIN_SECRET_LENGTH: Final = 16
_MAX_SECRET_LENGTH: Final = 256


class Scope(StrEnum):
    """What a key may do."""

    #: Start jobs, and send their webhooks again.
    START = "start"
    #: List its jobs; read their state, items, events and deliveries.
    READ = "read"
    #: Cancel its jobs.
    CANCEL = "cancel"
    #: Read the evidence of its failed jobs.
    EVIDENCE = "evidence"
    #: See and change the stored sessions of accounts.
    SESSIONS = "sessions"
    #: Read metrics and statistics.
    METRICS = "metrics"
    #: Everything, for the jobs of all keys.
    ADMIN = "admin"


ALL_SCOPES: Final = frozenset(Scope)
#: The scopes of a key that names none.
DEFAULT_SCOPES: Final = ALL_SCOPES - {Scope.ADMIN}


class ApiKeyError(ValueError):
    """An entry is malformed; the text says which one and why, without the secret."""

    def __init__(self, reason: str, owner: str = "") -> None:
        """Create the error.

        Args:
            reason: What is wrong, without any part of the entry.
            owner: What it is said of, such as the key's name.
        """
        self.reason = reason
        super().__init__(f"{owner} {reason}".lstrip())


@dataclass(frozen=True)
class ApiKey:
    """A key; its secret is not known, only the hash."""

    #: The owner of the jobs that it starts. Keys with the same name share their jobs, so that a key
    #: can be replaced.
    name: str
    #: SHA-256 of the secret. A slow hash would add nothing: secrets are random, not words.
    digest: bytes
    scopes: frozenset[Scope] = DEFAULT_SCOPES

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Parse `NAME:SECRET`, `NAME:SECRET:SCOPE+SCOPE` or a bare `SECRET`.

        The secret may be given as `sha256-` and its hash in hexadecimal digits. A bare secret is
        named after its hash.

        Raises:
            ApiKeyError: The entry has another form.
        """
        parts = entry.split(":")
        if len(parts) == 1:
            digest = _parse_secret(entry, "a key without a name")
            return cls(f"key-{digest.hex()[:8]}", digest)
        name, secret, *scopes = parts
        if not _NAME.fullmatch(name):
            message = "a key's name may have letters, digits, '_', '-' and '.', 64 at most"
            raise ApiKeyError(message)
        if len(scopes) > 1:
            message = "has too many parts: expected NAME:SECRET:SCOPE+SCOPE"
            raise ApiKeyError(message, f"the key {name!r}")
        digest = _parse_secret(secret, f"the key {name!r}")
        return cls(name, digest, _parse_scopes(name, scopes[0]) if scopes else DEFAULT_SCOPES)

    def format_entry(self) -> str:
        """Return the entry for a file of keys; it contains no secret."""
        scopes = "+".join(scope for scope in Scope if scope in self.scopes)
        return f"{self.name}:{_HASH_PREFIX}{self.digest.hex()}:{scopes}"


def _parse_secret(secret: str, owner: str) -> bytes:
    if _HASH.fullmatch(secret):
        return bytes.fromhex(secret.removeprefix(_HASH_PREFIX))
    if secret.startswith(_HASH_PREFIX):
        message = "needs 64 hexadecimal digits after 'sha256-'"
        raise ApiKeyError(message, owner)
    if not MIN_SECRET_LENGTH <= len(secret) <= _MAX_SECRET_LENGTH or not _SECRET.fullmatch(secret):
        message = (
            f"needs a secret of {MIN_SECRET_LENGTH} to {_MAX_SECRET_LENGTH} characters "
            "(`garimpo keys new NAME` makes one)"
        )
        raise ApiKeyError(message, owner)
    return hash_secret(secret)


def _parse_scopes(name: str, text: str) -> frozenset[Scope]:
    try:
        scopes = frozenset(map(Scope, text.split("+")))
    except ValueError:
        known = ", ".join(Scope)
        message = f"has an unknown scope; the scopes are {known}"
        raise ApiKeyError(message, f"the key {name!r}") from None
    return ALL_SCOPES if Scope.ADMIN in scopes else scopes


def hash_secret(secret: str) -> bytes:
    """Return the hash under which a secret is stored."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Parse entries that commas or whitespace separate; `#` before a word begins a comment.

    Raises:
        ApiKeyError: An entry is malformed.
    """
    lines = (_COMMENT.sub("", line) for line in text.splitlines())
    entries = [entry for line in lines for entry in _SEPARATORS.split(line) if entry]
    return tuple(map(ApiKey.parse, entries))


def parse_valid_lines(text: str) -> tuple[tuple[ApiKey, ...], dict[int, str]]:
    """Parse entries as `parse_keys` does, but leave out each line with a malformed one.

    Returns:
        The keys, and for each line that was left out its number, from 1 on, and the reason. The
        reason quotes nothing, not even a name: where the parts are swapped, that is the secret.
    """
    keys: list[ApiKey] = []
    faults: dict[int, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            keys += parse_keys(line)
        except ApiKeyError as error:
            faults[number] = error.reason
    return tuple(keys), faults


def find_key(keys: Sequence[ApiKey], secret: str) -> ApiKey | None:
    """Return the key with this secret; None without one.

    It takes the same time whichever key it is, if any.
    """
    digest = hash_secret(secret)
    found = None
    for key in keys:
        if compare_digest(key.digest, digest):
            found = key
    return found


def make_key(name: str, scopes: Iterable[Scope] = DEFAULT_SCOPES) -> tuple[ApiKey, str]:
    """Return a new key and its secret, 256 random bits.

    Raises:
        ApiKeyError: The name is malformed.
    """
    secret = _PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.parse(f"{name}:{secret}:{'+'.join(scopes)}")
    return key, secret
