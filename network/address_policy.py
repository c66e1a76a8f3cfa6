"""IP address policy: public addresses, and private ones that the operator allows.

Shared by webhooks (WEBHOOK_ALLOW) and the browser (BROWSER_ALLOW).
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Self
from urllib.parse import urlsplit

IpAddress = IPv4Address | IPv6Address

#: Names that always resolve to the local machine (RFC 6761, section 6.3).
LOCALHOST_NAME: Final = re.compile(r"(.+\.)?localhost\.?")
LOOPBACK: Final = (IPv4Address("127.0.0.1"), IPv6Address("::1"))

#: The IPv6 network whose last 32 bits are an IPv4 address (RFC 6052).
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
#: Its counterpart for local use (RFC 8215), which not every version of `ipaddress` treats as
#: private.
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
#: Internal services of cloud providers on addresses that look public: Azure
#: (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16) and Oracle,
#: whose network not every version of `ipaddress` treats as private.
_CLOUD_NETWORKS: Final = (
    ipaddress.IPv4Network("168.63.129.16/32"),
    ipaddress.IPv4Network("192.0.0.0/24"),
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


def embedded_address(address: IpAddress) -> IPv4Address | None:
    """Return the IPv4 address to which an IPv6 address leads, if it contains one."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def is_public(address: IpAddress) -> bool:
    """Return whether an address, or the one embedded in it, is on the public internet."""
    if embedded := embedded_address(address):
        return is_public(embedded)
    if isinstance(address, IPv6Address) and (address.is_site_local or address in _LOCAL_NAT64):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address in network for network in _CLOUD_NETWORKS)
    )


@dataclass(frozen=True)
class AddressPolicy:
    """The private addresses that may be reached in addition to the public internet."""

    #: Names or addresses, each with a port or None for all ports.
    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()

    @classmethod
    def parse(cls, text: str, variable: str) -> Self:
        """Parse a setting: hosts, `host:port` and networks, separated by commas.

        Args:
            text: The setting's value.
            variable: Its name, for the error message.

        Raises:
            ValueError: An entry is invalid.
        """
        hosts, networks = set(), []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                hosts.add(_parse_host(entry, variable))
        return cls(frozenset(hosts), tuple(networks))

    def is_allowed(self, host: str, port: int, address: IpAddress) -> bool:
        """Return whether an address may be connected to.

        Args:
            host: The host of the URL: a name, or an address without brackets.
            port: The port.
            address: An address of the host.
        """
        named = {host, str(address)}
        return (
            is_public(address)
            or any((name, number) in self.hosts for name in named for number in (port, None))
            or any(address in network for network in self.networks)
        )


#: The policy of an empty setting.
PUBLIC_ONLY: Final = AddressPolicy()


def _parse_host(entry: str, variable: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{entry}")
    if not parts.hostname or parts.netloc != entry or "@" in entry:
        message = f"{variable}: {entry!r} is not a host, host:port or network"
        raise ValueError(message)
    return parts.hostname, parts.port
