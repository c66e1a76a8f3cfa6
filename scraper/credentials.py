"""With what a site is logged in to, and the names of the variables that hold it."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

# Control characters, and those that WebDriver takes for keys (Enter is U+E007).
_KEYS: Final = re.compile("[\x00-\x1f\x7f-\x9f\ue000-\uf8ff]")


@dataclass(frozen=True)
class Credentials:
    """An account of a site; either half may be empty, which is not enough for a login."""

    username: str
    #: Not in the repr: an account may stand in a traceback or a log line.
    password: str = field(repr=False)

    @property
    def can_be_typed(self) -> bool:
        """Whether each character stands for itself: none is a key, such as Enter."""
        return not _KEYS.search(self.username + self.password)

    def hide(self, text: str) -> str:
        """Return a text with stars for either half, also as it stands in an address."""
        secrets = filter(None, (self.password, self.username))
        for secret in sorted(secrets, key=len, reverse=True):
            for written in (secret, quote(secret, safe=""), quote_plus(secret), quote(secret)):
                text = text.replace(written, "***")
        return text


def variable_prefix(site: str) -> str:
    """Return what a site's environment variables begin with: `MY_SITE_` for `my-site`."""
    return site.upper().replace("-", "_") + "_"


def missing_variables(site: str, credentials: Credentials) -> list[str]:
    """Return the names of the variables that a login needs and that hold nothing."""
    given = {"USERNAME": credentials.username, "PASSWORD": credentials.password}
    return [variable_prefix(site) + name for name, value in given.items() if not value]
