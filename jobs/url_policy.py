"""Webhook URL policy: public addresses and those in WEBHOOK_ALLOW (SSRF protection)."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

IpAddress = IPv4Address | IPv6Address

#: The maximum length of a URL.
MAX_URL_LENGTH = 2048
#: The characters of a URL: visible ASCII without those that parsers treat differently.
_URL = re.compile(r"(?i:https?)://[!#-;=?-\[\]_a-z~]+")
_PORTS = {"http": 80, "https": 443}
#: The IPv6 network whose last 32 bits are an IPv4 address (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Internal services of cloud providers on addresses that look public: Azure
#: (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16) and Oracle,
#: whose network not every version of `ipaddress` treats as private.
_CLOUD_NETWORKS = (ipaddress.IPv4Network("168.63.129.16/32"), ipaddress.IPv4Network("192.0.0.0/24"))
#: Names that always resolve to the local machine (RFC 6761, section 6.3).
_LOCALHOST_NAME = re.compile(r"(.+\.)?localhost\.?")
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


class UrlRejection(StrEnum):
    """The reason why a URL is rejected."""

    #: It is not an http or https URL.
    FORM = "form"
    #: It contains a user name or a password.
    USERINFO = "userinfo"
    #: Its address is neither public nor allowed.
    ADDRESS = "address"


class UrlNotAllowedError(Exception):
    """A webhook must not call this URL."""

    def __init__(self, rejection: UrlRejection) -> None:
        self.rejection = rejection
        super().__init__(rejection)


@dataclass(frozen=True)
class ParsedUrl:
    """The parts of a URL, as they are sent."""

    scheme: str
    #: A name or an IP address, without brackets.
    host: str
    port: int
    #: Path and query, unchanged.
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port: the part that may be shown."""
        return f"{self.scheme}://{self.host_header}"

    @property
    def host_header(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> ParsedUrl:
    """Parse a URL.

    Raises:
        UrlNotAllowedError: It has the wrong form, or contains a user name or password.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        port = parts.port
    except ValueError as error:
        raise UrlNotAllowedError(UrlRejection.FORM) from error
    if len(url) > MAX_URL_LENGTH or not _URL.fullmatch(url) or not host or port == 0:
        raise UrlNotAllowedError(UrlRejection.FORM)
    if "@" in parts.netloc:
        raise UrlNotAllowedError(UrlRejection.USERINFO)
    path = url.partition("#")[0].partition("://")[2][len(parts.netloc) :]
    return ParsedUrl(
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        path=path if path.startswith("/") else f"/{path}",
    )


def parse_ip_literal(host: str) -> IpAddress | None:
    """Return the IP address that a host is, in any notation of resolvers; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # Such as 127.1, 0x7f000001 and 2130706433.
        return IPv4Address(socket.inet_aton(host)) if re.fullmatch(r"[0-9a-fx.]+", host) else None
    except OSError:
        return None


def is_public(address: IpAddress) -> bool:
    """Return whether an address, or the one embedded in it, is on the public internet."""
    if isinstance(address, IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
        if embedded:
            return is_public(embedded)
        if address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address in network for network in _CLOUD_NETWORKS)
    )


@dataclass(frozen=True)
class WebhookUrlPolicy:
    """The private addresses that may be called in addition to the public internet."""

    #: Names or addresses, each with a port or None for all ports.
    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()

    @classmethod
    def parse(cls, text: str) -> "WebhookUrlPolicy":
        """Parse WEBHOOK_ALLOW: hosts, `host:port` and networks, separated by commas.

        Raises:
            ValueError: An entry is invalid.
        """
        hosts, networks = set(), []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                hosts.add(_parse_host(entry))
        return cls(frozenset(hosts), tuple(networks))

    def check_address(self, url: ParsedUrl, address: IpAddress) -> None:
        """Check an address before connecting to it.

        Raises:
            UrlNotAllowedError: It is neither public nor allowed.
        """
        if not self._is_allowed(url, address):
            raise UrlNotAllowedError(UrlRejection.ADDRESS)

    def check_url(self, url: str) -> None:
        """Check a URL without resolving its host.

        Raises:
            UrlNotAllowedError: It cannot be called, whatever its host resolves to.
        """
        target = parse_url(url)
        if address := parse_ip_literal(target.host):
            self.check_address(target, address)
        elif _LOCALHOST_NAME.fullmatch(target.host) and not any(
            self._is_allowed(target, loopback) for loopback in _LOOPBACK
        ):
            raise UrlNotAllowedError(UrlRejection.ADDRESS)

    def _is_allowed(self, url: ParsedUrl, address: IpAddress) -> bool:
        named = {url.host, str(address)}
        return (
            is_public(address)
            or any((name, port) in self.hosts for name in named for port in (url.port, None))
            or any(address in network for network in self.networks)
        )


def _parse_host(entry: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{entry}")
    if not parts.hostname or parts.netloc != entry or "@" in entry:
        message = f"WEBHOOK_ALLOW: {entry!r} is not a host, host:port or network"
        raise ValueError(message)
    return parts.hostname, parts.port
