"""Credentials of a site, and the names of their environment variables."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

# Control characters, and those that WebDriver interprets as keys (Enter is U+E007).
_KEYS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ue000-\uf8ff]")


@dataclass(frozen=True)
class Credentials:
    """An account at a site; a login needs both halves."""

    username: str
    #: Not in the repr, which tracebacks and log lines may contain.
    password: str = field(repr=False)

    @property
    def can_be_typed(self) -> bool:
        """Whether every character is a literal one, not a key such as Enter."""
        return not _KEYS.search(self.username + self.password)

    def redact(self, text: str) -> str:
        """Return a text with `***` for the user name and the password, also if URL-encoded."""
        secrets = filter(None, (self.password, self.username))
        for secret in sorted(secrets, key=len, reverse=True):
            for form in (secret, quote(secret, safe=""), quote_plus(secret), quote(secret)):
                text = text.replace(form, "***")
        return text


def variable_prefix(site: str) -> str:
    """Return the prefix of a site's environment variables: `MY_SITE_` for `my-site`."""
    return site.upper().replace("-", "_") + "_"


def missing_variables(site: str, credentials: Credentials) -> list[str]:
    """Return the names of the variables that a login needs and that are empty."""
    values = {"USERNAME": credentials.username, "PASSWORD": credentials.password}
    return [variable_prefix(site) + name for name, value in values.items() if not value]
