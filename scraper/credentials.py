"""With what a site is logged in to, and the names of the variables that hold it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """An account of a site; either half may be empty, which is not enough for a login."""

    username: str
    #: Not in the repr: an account may stand in a traceback or a log line.
    password: str = field(repr=False)


def variable_prefix(site: str) -> str:
    """Return what a site's environment variables begin with: `MY_SITE_` for `my-site`."""
    return site.upper().replace("-", "_") + "_"


def missing_variables(site: str, credentials: Credentials) -> list[str]:
    """Return the names of the variables that a login needs and that hold nothing."""
    given = {"USERNAME": credentials.username, "PASSWORD": credentials.password}
    return [variable_prefix(site) + name for name, value in given.items() if not value]
