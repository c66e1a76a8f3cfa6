"""The keys in force: those of the environment, and those of a file that may change."""

import logging
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from api.access.api_key import ApiKey, ApiKeyError, find_key, parse_valid_lines

logger = logging.getLogger(__name__)

#: How often the file is read. It is read as a whole: its time and size may stay the same although
#: a key was removed.
_READ_EVERY_S: Final = 1.0
#: How often a fault that lasts is logged.
_LOG_EVERY_S: Final = 60.0
#: How many malformed lines are named in the log.
_MAX_LOGGED_LINES: Final = 10


class KeyFileFault(StrEnum):
    """Why the file's keys are not all in force."""

    #: Some lines are malformed, and are left out.
    MALFORMED = "malformed"
    #: The file does not exist or cannot be read: none of its keys is valid.
    UNREADABLE = "unreadable"


class KeyRing:
    """Finds a caller's key.

    A changed file is in force within a second, so that keys can be added and revoked without a
    restart. Whatever happens to the file, a key that is not on a valid line of it is not valid.
    """

    def __init__(
        self,
        fixed: tuple[ApiKey, ...],
        file: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file.

        Args:
            fixed: The keys of the environment.
            file: The file with further keys, one entry a line.
            clock: Returns the time in seconds since any moment.

        Raises:
            ApiKeyError: The file cannot be read, or there is no key although a source of keys is
                set: an API with that would answer nobody.
        """
        self._fixed = fixed
        self._file = file
        self._clock = clock
        self._from_file: tuple[ApiKey, ...] = ()
        self._fault: KeyFileFault | None = None
        #: What is wrong with the file, for the log; empty if nothing is.
        self._problem = ""
        self._read_at = self._logged_at = clock()
        if file:
            self._read(file)
            if self._fault is KeyFileFault.UNREADABLE:
                raise ApiKeyError(self._problem)
            if not self.keys:
                message = self._problem or f"API_KEYS_FILE: there is no key in {file}"
                raise ApiKeyError(message)
            self._log(is_changed=bool(self._problem))

    @property
    def is_required(self) -> bool:
        """Whether callers need a key."""
        return bool(self._fixed) or self._file is not None

    @property
    def keys(self) -> tuple[ApiKey, ...]:
        """All keys."""
        return self._fixed + self._from_file

    @property
    def fault(self) -> KeyFileFault | None:
        """What is wrong with the file; None if all of its lines are in force."""
        self.refresh()
        return self._fault

    def find(self, secret: str) -> ApiKey | None:
        """Return the key with this secret; None without one."""
        self.refresh()
        return find_key(self.keys, secret)

    def is_in_force(self, key: ApiKey) -> bool:
        """Return whether a key that was found earlier is still valid, with the same scopes."""
        self.refresh()
        return key in self.keys

    def refresh(self) -> None:
        """Read the file again if that was not done within the last second."""
        now = self._clock()
        if self._file is None or now - self._read_at < _READ_EVERY_S:
            return
        self._read_at = now
        before = (self._from_file, self._problem)
        self._read(self._file)
        self._log(is_changed=before != (self._from_file, self._problem))

    def _read(self, file: Path) -> None:
        self._from_file, self._fault, self._problem = (), None, ""
        try:
            # With a byte order mark, which some editors add, the first line would be malformed.
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self._fault = KeyFileFault.UNREADABLE
            self._problem = f"API_KEYS_FILE: {file} cannot be read: {reason}"
            return
        self._from_file, faults = parse_valid_lines(text)
        if faults:
            texts = [f"line {number} is left out: {reason}" for number, reason in faults.items()]
            lines = "; ".join(texts[:_MAX_LOGGED_LINES])
            self._fault = KeyFileFault.MALFORMED
            self._problem = f"API_KEYS_FILE: {file}: {lines}"

    def _log(self, *, is_changed: bool) -> None:
        now = self._clock()
        if self._problem and (is_changed or now - self._logged_at >= _LOG_EVERY_S):
            self._logged_at = now
            logger.error("%s; valid keys: %s", self._problem, self._names())
        elif is_changed:
            logger.info("API_KEYS_FILE has changed; valid keys: %s", self._names())

    def _names(self) -> str:
        return ", ".join(sorted({key.name for key in self.keys})) or "none"
