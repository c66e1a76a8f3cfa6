"""Host names that the API answers to (RFC 9110, section 7.2)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final, Self
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?")
_NAME: Final = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_.-]+")
_ENTRY: Final = re.compile(r"(\*|(?:\*\.)?(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+))(?::([0-9]{1,5}))?")
_PORTS: Final = {"http": 80, "https": 443}
#: Names that always mean the same machine (RFC 6761, section 6.3).
_LOCALHOST: Final = re.compile(r"(?:.+\.)?localhost")


@dataclass(frozen=True)
class HostRule:
    """A host name that is allowed, with any port or with one."""

    #: A name, `*.` and a domain, or `*`.
    name: str
    port: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an entry of ALLOWED_HOSTS.

        Raises:
            ValueError: It is neither a host name nor one with a port.
        """
        match = _ENTRY.fullmatch(text.lower())
        if not match:
            message = f"{text!r} is not a host name"
            raise ValueError(message)
        return cls(match[1], match[2] or "")

    def matches(self, name: str, port: str) -> bool:
        """Return whether it allows a host."""
        if self.port and self.port != port:
            return False
        if self.name.startswith("*."):
            return name.endswith(self.name[1:])
        return self.name in {"*", name}


class AllowedHosts:
    """Decides which values of `Host` are answered.

    A page on the internet can let its own name resolve to the address of this API (DNS rebinding):
    its scripts then count as the API's own. The name in `Host` is what gives them away.
    """

    def __init__(self, rules: Iterable[HostRule], *, loopback: bool) -> None:
        """Combine the rules.

        Args:
            rules: The allowed names.
            loopback: Whether the names and addresses of the same machine are allowed too.
        """
        self._rules = tuple(rules)
        self._loopback = loopback

    @property
    def is_open(self) -> bool:
        """Whether any name is allowed, so that nothing can be concluded from it."""
        return any(rule.name == "*" for rule in self._rules)

    def allows(self, host: str) -> bool:
        """Return whether a value of `Host` is allowed."""
        match = _HOST.fullmatch(host.lower())
        if not match:
            return False
        name, port = match[1].rstrip("."), match[2] or ""
        return (self._loopback and is_loopback_name(name)) or any(
            rule.matches(name, port) for rule in self._rules
        )


def is_loopback_name(name: str) -> bool:
    """Return whether a host name or an IP address means the same machine."""
    return bool(_LOCALHOST.fullmatch(name)) or is_loopback_address(name.strip("[]"))


def is_loopback_address(text: str) -> bool:
    """Return whether a text is an IP address of the loopback interface."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


def parse_origin(url: str) -> str:
    """Return the origin of a URL (RFC 6454), such as `https://api.example.com`.

    Raises:
        ValueError: It is not an http or https URL, or contains an account.
    """
    parts = urlsplit(url.lower())
    port = parts.port  # raises ValueError if it is not a number
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if parts.scheme not in _PORTS or not _NAME.fullmatch(host) or "@" in parts.netloc:
        # The URL is not quoted, since it may contain an account.
        message = "must be an http or https URL without an account"
        raise ValueError(message)
    is_default = port in {None, _PORTS[parts.scheme]}
    return f"{parts.scheme}://{host}" + ("" if is_default else f":{port}")
