"""Addresses that a browser may connect to: public ones, and those of hosts that were named."""

import re
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from network.address_policy import (
    LOCALHOST_NAME,
    LOOPBACK,
    PUBLIC_ONLY,
    AddressPolicy,
    IpAddress,
    embedded_address,
    is_public,
)

#: Begins the failure of a connection that is not allowed.
NOT_ALLOWED: Final = "address not allowed"

#: Resolves a name to its addresses. Raises OSError or ValueError.
Resolve = Callable[[str], Sequence[IpAddress]]

_RULES_FLAG: Final = "host-resolver-rules="
_NOT_FOUND: Final = "~notfound"


def resolve_name(name: str) -> Sequence[IpAddress]:
    """Return the addresses of a name, in the order of the system's preference."""
    if LOCALHOST_NAME.fullmatch(name):
        return LOOPBACK
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    # A link-local address has its interface after a percent sign.
    return [ip_address(str(entry[4][0])) for entry in found]


class NetworkAccess:
    """What the browsers of one job may connect to.

    A host that the recipe or the operator names as one of the site may have private addresses, at
    its own port only: those of its first answer, if all of these are private. So a site cannot move
    into the private network, or within it, while a job runs (DNS rebinding).
    """

    def __init__(
        self,
        named: Collection[tuple[str, int]] = (),
        allowed: AddressPolicy = PUBLIC_ONLY,
        resolve: Resolve = resolve_name,
    ) -> None:
        """Start without any answer.

        Args:
            named: Host and port of each of the site's origins.
            allowed: The private addresses that the operator allows (BROWSER_ALLOW).
            resolve: Resolves names.
        """
        self.resolve = resolve
        self._named = frozenset(named)
        self._allowed = allowed
        self._named_hosts = frozenset(host for host, _ in self._named)
        #: The private addresses of each named host; none, if it is a public one.
        self._private: dict[str, frozenset[IpAddress]] = {}
        self._lock = threading.Lock()

    def filter(self, host: str, port: int, addresses: Sequence[IpAddress]) -> list[IpAddress]:
        """Return the addresses of a host that may be connected to.

        Args:
            host: The host of the URL: a name, or an address without brackets.
            port: The URL's port.
            addresses: What the host resolves to at this moment; at least one.
        """
        host = host.lower().removesuffix(".")
        private = self._find_private(host, addresses) if host in self._named_hosts else frozenset()
        return [
            address
            for address in addresses
            if self._allowed.is_allowed(host, port, address)
            or ((host, port) in self._named and address in private)
        ]

    def _find_private(self, host: str, addresses: Sequence[IpAddress]) -> frozenset[IpAddress]:
        """Return the private addresses that a named host may have."""
        is_private = not any(map(is_public, addresses))
        # A name never leads to link-local addresses, such as those of clouds' metadata services.
        found = frozenset(
            address for address in addresses if not address.is_link_local or str(address) == host
        )
        with self._lock:
            return self._private.setdefault(host, found if is_private else frozenset())


def is_local(address: IpAddress) -> bool:
    """Return whether a connection to an address reaches this machine's loopback interface."""
    address = embedded_address(address) or address
    return address.is_loopback or address.is_unspecified


@dataclass(frozen=True)
class _HostRule:
    pattern: re.Pattern[str]
    #: The other host, with a port or without; None: the host is excluded from all rules.
    replacement: str | None


class HostRules:
    """Chrome's `--host-resolver-rules`, which it ignores for connections through a proxy."""

    def __init__(self, text: str = "") -> None:
        """Parse rules such as `MAP *.example 10.0.0.7, EXCLUDE www.example`; ignore others."""
        self._rules: list[_HostRule] = []
        for rule in text.lower().split(","):
            match rule.split():
                case ["map", pattern, replacement]:
                    self._rules.append(_HostRule(_compile(pattern), replacement))
                case ["exclude", pattern]:
                    self._rules.append(_HostRule(_compile(pattern), None))

    def apply(self, host: str, port: int) -> tuple[str, int] | None:
        """Return the host and port to connect to; None if the host shall not be found."""
        matching = [
            rule.replacement
            for rule in self._rules
            if rule.pattern.fullmatch(host) or rule.pattern.fullmatch(f"{host}:{port}")
        ]
        if not matching or None in matching:
            return host, port
        replacement = matching[0] or ""
        if replacement == _NOT_FOUND:
            return None
        target = urlsplit(f"//{replacement}")
        return target.hostname or host, target.port or port


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


def split_host_rules(arguments: Iterable[str]) -> tuple[list[str], HostRules]:
    """Return Chrome's arguments without `--host-resolver-rules`, and the last of these rules."""
    others, rules = [], ""
    for argument in arguments:
        flag = argument.lstrip("-")
        if flag.startswith(_RULES_FLAG):
            rules = flag.removeprefix(_RULES_FLAG)
        else:
            others.append(argument)
    return others, HostRules(rules)
